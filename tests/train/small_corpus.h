// SPDX-License-Identifier: MIT
// A tokenizer whose ids can be written down, and token files written by hand.
#pragma once

#include <bitnet/tokenizer.h>
#include <bitnet/train/token_file.h>

#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "formats/safetensors_writer.h"
#include "formats/temporary_folder.h"
#include "tokenizer/tokenizer_data.h"

namespace bitnet::train::test {

using bitnet::test::TemporaryFolder;

inline constexpr TokenId kBos = 0;
inline constexpr TokenId kEos = 1;

/// <s>, </s>, then a token for each byte: 'a' is 2 + 97. No special token if `bare`.
inline TokenizerData byte_tokenizer_data(bool bare = false) {
  TokenizerData data;
  data.model = TokenizerModel::sentencepiece_bpe;
  data.pre = "default";
  data.tokens = {"<s>", "</s>"};
  data.types = {TokenType::control, TokenType::control};
  for (int byte = 0; byte < 256; ++byte) {
    char token[7];
    std::snprintf(token, sizeof token, "<0x%02X>", byte);
    data.tokens.emplace_back(token);
    data.types.push_back(TokenType::byte);
  }
  data.scores.assign(data.tokens.size(), 0.0F);
  data.add_space_prefix = false;
  data.add_bos = !bare;
  if (!bare) {
    data.bos = kBos;
    data.eos = kEos;
  }
  return data;
}
inline Tokenizer byte_tokenizer() { return Tokenizer(byte_tokenizer_data()); }

/// The ids of BOS, a text and EOS.
inline std::vector<TokenId> document_ids(const std::string& text) {
  std::vector<TokenId> ids = {kBos};
  for (const char byte : text) {
    ids.push_back(2 + static_cast<unsigned char>(byte));
  }
  ids.push_back(kEos);
  return ids;
}

inline std::vector<TokenId> ids_of(const TokenFile& file) {
  std::vector<TokenId> ids;
  for (std::size_t i = 0; i < file.size(); ++i) {
    ids.push_back(file[i]);
  }
  return ids;
}

/// What a token file consists of, to be changed before it is written.
struct Parts {
  std::vector<std::uint16_t> tokens;
  std::vector<std::uint64_t> starts;
  std::optional<std::vector<std::uint8_t>> is_target;
  std::map<std::string, std::string> metadata;
};

/// Documents of these lengths; the tokens of the file are 0, 1, 2, ...
inline Parts counting_parts(const std::vector<std::size_t>& lengths) {
  Parts parts;
  parts.starts = {0};
  for (const std::size_t length : lengths) {
    parts.starts.push_back(parts.starts.back() + length);
  }
  for (std::uint64_t i = 0; i < parts.starts.back(); ++i) {
    parts.tokens.push_back(static_cast<std::uint16_t>(i));
  }
  parts.metadata["vocab_size"] = std::to_string(parts.tokens.size());
  return parts;
}

inline std::filesystem::path write(const Parts& parts, const std::filesystem::path& path) {
  std::vector<TensorDeclaration> tensors = {{"starts", Encoding::u64, {parts.starts.size()}},
                                            {"tokens", Encoding::u16, {parts.tokens.size()}}};
  if (parts.is_target) {
    tensors.push_back({"is_target", Encoding::u8, {parts.is_target->size()}});
  }
  SafetensorsWriter writer(path, tensors, parts.metadata);
  writer.append(std::as_bytes(std::span(parts.starts)));
  writer.append(std::as_bytes(std::span(parts.tokens)));
  if (parts.is_target) {
    writer.append(std::as_bytes(std::span(*parts.is_target)));
  }
  writer.commit();
  return path;
}

}  // namespace bitnet::train::test
