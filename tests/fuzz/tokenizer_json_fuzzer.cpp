// SPDX-License-Identifier: MIT
// Any bytes as tokenizer.json: read to a tokenizer that can be written as GGUF keys, or an Error.
#include <bitnet/error.h>

#include <cstddef>
#include <cstdlib>

#include "tokenizer/gguf_tokenizer.h"
#include "tokenizer/hugging_face_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::filesystem::path kFolder = "folder";
  bitnet::HuggingFaceTexts texts;
  texts.tokenizer_json.assign(reinterpret_cast<const char*>(data), size);
  try {
    const bitnet::TokenizerData tokenizer =
        bitnet::read_hugging_face(texts, kFolder, {.vocab_size = 64});
    if (tokenizer.types.size() != tokenizer.tokens.size() ||
        bitnet::write_gguf_tokenizer(tokenizer).empty()) {
      std::abort();
    }
  } catch (const bitnet::Error&) {
    return 0;
  }
  return 0;
}
