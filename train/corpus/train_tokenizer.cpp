// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/train/train_tokenizer.h>

#include <string>
#include <system_error>

#include "base/message.h"
#include "base/output_file.h"
#include "corpus/sentencepiece_model.h"
#include "tokenizer/hugging_face_tokenizer.h"
#include "tokenizer/sentencepiece_model.h"

namespace bitnet::train {
namespace {

namespace fs = std::filesystem;

}  // namespace

void train_tokenizer(const Sources& sources, const TokenizerTraining& options,
                     const fs::path& output_folder) {
  const std::string model = train_sentencepiece(sources, options);
  const HuggingFaceTexts texts = write_hugging_face(
      read_sentencepiece(std::as_bytes(std::span(model)), "SentencePiece's model"));
  std::error_code error;
  fs::create_directories(output_folder, error);
  if (error) {
    throw IoError(message(output_folder.string(), ": cannot make: ", error.message()));
  }
  write_file(output_folder / "tokenizer.json", texts.tokenizer_json);
  write_file(output_folder / "tokenizer_config.json", texts.tokenizer_config_json);
}

}  // namespace bitnet::train
