// SPDX-License-Identifier: MIT
// Any bytes as a safetensors file: parsed and decoded, or an Error.
#include "formats/safetensors.h"

#include <bitnet/error.h>

#include <span>

#include "fuzz/decode_tensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::filesystem::path kFile = "model.safetensors";
  try {
    const auto contents = bitnet::parse_safetensors(std::as_bytes(std::span(data, size)), kFile);
    bitnet::fuzz::decode_tensors(contents.tensors);
  } catch (const bitnet::Error&) {
    return 0;
  }
  return 0;
}
