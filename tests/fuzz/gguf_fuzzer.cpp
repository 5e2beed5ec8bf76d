// SPDX-License-Identifier: MIT
// Any bytes as a GGUF file: parsed and decoded, or an Error.
#include <bitnet/error.h>

#include <span>

#include "formats/gguf_reader.h"
#include "formats/gguf_split.h"
#include "fuzz/decode_tensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::filesystem::path kFile = "m-00001-of-00002.gguf";
  try {
    const auto contents = bitnet::parse_gguf(std::as_bytes(std::span(data, size)), kFile);
    bitnet::fuzz::decode_tensors(contents.tensors);
    bitnet::gguf_part(contents.metadata, kFile);
  } catch (const bitnet::Error&) {
    return 0;
  }
  return 0;
}
