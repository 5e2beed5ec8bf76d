// SPDX-License-Identifier: MIT
// Oracle: protocol buffers put together byte by byte from the published field numbers.
#include "tokenizer/sentencepiece_model.h"

#include <gtest/gtest.h>

#include "formats/byte_string.h"
#include "formats/hostile_bytes.h"
#include "tokenizer/small_tokenizers.h"

namespace bitnet {
namespace {

using test::ByteString;
using test::expect_error;

/// A field of the wire type "bytes", below 128 of them.
ByteString& append(ByteString& to, unsigned field, const ByteString& message) {
  to.number(static_cast<std::uint8_t>(field << 3 | 2));
  to.number(static_cast<std::uint8_t>(message.size()));
  return to.text({reinterpret_cast<const char*>(message.bytes().data()), message.size()});
}

ByteString piece(const std::string& text, float score, std::uint8_t type) {
  ByteString message;
  append(message, 1, ByteString().text(text));
  message.hex("15").number(score);
  return type == 1 ? message : message.hex("18").number(type);  // 1 is the default
}

ByteString pieces() {
  ByteString file;
  append(file, 1, piece("<unk>", 0, 2));
  append(file, 1, piece("<s>", 0, 3));
  append(file, 1, piece("</s>", 0, 3));
  append(file, 1, piece("<0x0A>", 0, 6));
  append(file, 1, piece("ab", -0.0F, 1));
  append(file, 1, piece("<user>", 0, 4));
  append(file, 1, piece("a", -1, 1));
  return append(file, 1, piece("b", -2, 1));
}

/// BPE; pad_id -1 as ten bytes; an unknown field 200 of each wire type.
const char* const kTrainer = "18 02 d8 02 ff*9 01 | c0 0c 05 c2 0c 01 78 c5 0c 00*4 c1 0c 00*8";

/// The trainer's part last: without it a file says model type 1, so no prefix is a whole model.
ByteString model(const std::string& normalizer = "18 01", const std::string& trainer = kTrainer) {
  ByteString file = pieces();
  append(file, 3, ByteString().hex(normalizer));
  return append(file, 2, ByteString().hex(trainer));
}

TokenizerData read(std::span<const std::byte> bytes) {
  return read_sentencepiece(bytes, "tokenizer.model");
}

TEST(SentencePiece, ReadsPiecesAndIds) {
  const TokenizerData data = read(model().bytes());
  EXPECT_EQ(data.model, TokenizerModel::sentencepiece_bpe);
  EXPECT_EQ(data.tokens,
            (std::vector<std::string>{"<unk>", "<s>", "</s>", "<0x0A>", "ab", "<user>", "a", "b"}));
  EXPECT_EQ(data.scores, (std::vector<float>{0, 0, 0, 0, 0, 0, -1, -2}));
  using enum TokenType;
  EXPECT_EQ(data.types,
            (std::vector{unknown, control, control, byte, normal, user_defined, normal, normal}));
  EXPECT_EQ(data.unknown, 0U);
  EXPECT_EQ(data.bos, 1U);
  EXPECT_EQ(data.eos, 2U);
  EXPECT_EQ(data.padding, std::nullopt);
  EXPECT_EQ(data.add_space_prefix, true);
  EXPECT_EQ(read(model("18 00").bytes()).add_space_prefix, false);
  EXPECT_EQ(read(model("").bytes()).add_space_prefix, true);
  // unk 3, bos 2, eos 1, pad 0
  const TokenizerData other = read(model("", "18 02 c0 02 03 c8 02 02 d0 02 01 d8 02 00").bytes());
  EXPECT_EQ(other.unknown, 3U);
  EXPECT_EQ(other.bos, 2U);
  EXPECT_EQ(other.eos, 1U);
  EXPECT_EQ(other.padding, 0U);
}

TEST(SentencePiece, MergesForHuggingFaceFollowFromTheScores) {
  const TokenizerData data = read(model().bytes());
  const TokenizerData back = read_hugging_face(write_hugging_face(data), "folder", {});
  EXPECT_EQ(back.tokens, data.tokens);
  EXPECT_EQ(back.types, data.types);
  EXPECT_NE(write_hugging_face(data).tokenizer_json.find("\"a b\""), std::string::npos);
}

TEST(SentencePiece, EveryTruncationIsAnErrorAndNoFlipCrashes) {
  const ByteString file = model();
  const auto read_bytes = [](std::span<const std::byte> bytes) { read(bytes); };
  test::expect_error_at_every_length(file.bytes(), read_bytes);
  EXPECT_GT(test::flip_every_bit(file.bytes(), read_bytes), 300U);
}

TEST(SentencePiece, ErrorsNameThePlace) {
  const auto refuse = [](const ByteString& file, const std::string& word) {
    expect_error<FormatError>([&] { read(file.bytes()); }, {"tokenizer.model", word});
  };
  refuse(ByteString().hex("0a ff*9 01"), "byte 11: expected 18446744073709551615 bytes, found 0");
  refuse(ByteString().hex("0a ff*10 01"), "at most 10 bytes");
  refuse(ByteString().hex("0b"), "wire type");
  refuse(ByteString().hex("02 00"), "field number");
  refuse(ByteString().hex("08 01"), "a message with wire type 2, found 0");
  refuse(ByteString().hex("0a 02 0d 00"), "expected 4 bytes, found 1");
  refuse(ByteString().hex("0a 02 08 01"), "byte 2: expected a piece");
  refuse(ByteString().hex("0a 02 18 07"), "found 7");
  refuse(model("18 01", "18 02 c8 02 63"), "id of bos below 8, found 99");
  refuse(ByteString().hex("12 02 18 02"), "id of unk below 0");
  ByteString twice = pieces();
  append(twice, 1, piece("ab", 0, 1));
  refuse(append(twice, 2, ByteString().hex("18 02")), "'ab' with the ids 4 and 8");
  expect_error<UnsupportedError>([] { read(model("", "18 01").bytes()); }, {"model type 2"});
}

}  // namespace
}  // namespace bitnet
