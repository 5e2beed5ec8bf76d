// SPDX-License-Identifier: MIT
#include "tokenizer/sentencepiece_model.h"

#include <bitnet/error.h>

#include <bit>
#include <cstring>
#include <limits>

#include "base/message.h"

static_assert(std::endian::native == std::endian::little, "protocol buffers are little-endian");

namespace bitnet {
namespace {

enum class WireType : unsigned { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

struct Field {
  std::uint64_t number = 0;
  WireType type = WireType::varint;
  std::uint64_t varint = 0;          ///< or the bits of a fixed number
  std::span<const std::byte> bytes;  ///< of WireType::bytes
  std::size_t offset = 0;            ///< of the field within the file
};

/// Reads the fields of one message. Every length is checked against the message's end.
class MessageReader {
 public:
  MessageReader(std::span<const std::byte> bytes, std::size_t offset,
                const std::filesystem::path& file)
      : bytes_(bytes), offset_(offset), file_(file) {}

  bool is_at_end() const { return position_ == bytes_.size(); }

  Field next() {
    Field field;
    field.offset = offset_ + position_;
    const std::uint64_t tag = varint();
    field.number = tag >> 3;
    field.type = static_cast<WireType>(tag & 7);
    switch (field.type) {
      case WireType::varint:
        field.varint = varint();
        break;
      case WireType::fixed64:
        field.varint = fixed(8);
        break;
      case WireType::fixed32:
        field.varint = fixed(4);
        break;
      case WireType::bytes:
        field.bytes = take(varint());
        break;
      default:
        fail(message("a wire type of 0, 1, 2 or 5, found ", tag & 7));
    }
    if (field.number == 0) {
      fail("a field number above 0, found 0");
    }
    return field;
  }

  /// The message that a field holds.
  MessageReader inside(const Field& field) const {
    return {field.bytes, static_cast<std::size_t>(field.bytes.data() - bytes_.data()) + offset_,
            file_};
  }

  [[noreturn]] void fail(const std::string& expected) const {
    throw FormatError(
        message(file_.string(), ": byte ", offset_ + position_, ": expected ", expected));
  }

  void expect(const Field& field, WireType type, const char* name) const {
    if (field.type != type) {
      throw FormatError(message(file_.string(), ": byte ", field.offset, ": expected ", name,
                                " with wire type ", static_cast<unsigned>(type), ", found ",
                                static_cast<unsigned>(field.type)));
    }
  }

 private:
  std::span<const std::byte> take(std::uint64_t length) {
    if (length > bytes_.size() - position_) {
      fail(message(length, " bytes, found ", bytes_.size() - position_, " to the end"));
    }
    const auto taken = bytes_.subspan(position_, static_cast<std::size_t>(length));
    position_ += taken.size();
    return taken;
  }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = std::to_integer<std::uint64_t>(take(1)[0]);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        return value;
      }
    }
    fail("a number of at most 10 bytes");
  }

  std::uint64_t fixed(std::size_t size) {
    std::uint64_t value = 0;
    std::memcpy(&value, take(size).data(), size);
    return value;
  }

  std::span<const std::byte> bytes_;
  std::size_t offset_;  ///< of bytes_[0] within the file
  const std::filesystem::path& file_;
  std::size_t position_ = 0;
};

std::string text_of(const Field& field) {
  return {reinterpret_cast<const char*>(field.bytes.data()), field.bytes.size()};
}

void read_piece(MessageReader reader, TokenizerData& data) {
  std::string piece;
  float score = 0.0F;
  std::uint64_t type = static_cast<std::uint64_t>(TokenType::normal);
  while (!reader.is_at_end()) {
    const Field field = reader.next();
    if (field.number == 1) {
      reader.expect(field, WireType::bytes, "a piece");
      piece = text_of(field);
    } else if (field.number == 2) {
      reader.expect(field, WireType::fixed32, "a score");
      score = std::bit_cast<float>(static_cast<std::uint32_t>(field.varint));
    } else if (field.number == 3) {
      reader.expect(field, WireType::varint, "a piece's type");
      type = field.varint;
    }
  }
  // The numbers of the types agree with GGUF's.
  if (type < 1 || type > static_cast<std::uint64_t>(TokenType::byte)) {
    reader.fail(message("a piece's type from 1 to 6, found ", type));
  }
  if (data.tokens.size() == kMaxVocabulary) {
    reader.fail(message("at most ", kMaxVocabulary, " pieces"));
  }
  data.tokens.push_back(std::move(piece));
  data.scores.push_back(score);
  data.types.push_back(static_cast<TokenType>(type));
}

struct TrainerSpec {
  std::uint64_t model_type = 1;
  std::uint64_t unknown = 0, bos = 1, eos = 2;
  std::uint64_t padding = ~std::uint64_t{0};  // -1: none
};

TrainerSpec read_trainer_spec(MessageReader reader) {
  TrainerSpec spec;
  while (!reader.is_at_end()) {
    const Field field = reader.next();
    std::uint64_t* const value = field.number == 3    ? &spec.model_type
                                 : field.number == 40 ? &spec.unknown
                                 : field.number == 41 ? &spec.bos
                                 : field.number == 42 ? &spec.eos
                                 : field.number == 43 ? &spec.padding
                                                      : nullptr;
    if (value != nullptr) {
      reader.expect(field, WireType::varint, "a number of the trainer");
      *value = field.varint;
    }
  }
  return spec;
}

bool read_add_dummy_prefix(MessageReader reader) {
  bool add_dummy_prefix = true;
  while (!reader.is_at_end()) {
    const Field field = reader.next();
    if (field.number == 3) {
      reader.expect(field, WireType::varint, "add_dummy_prefix");
      add_dummy_prefix = field.varint != 0;
    }
  }
  return add_dummy_prefix;
}

/// Ids are int32 of which -1 means none; as a varint that is 2^64 - 1.
std::optional<TokenId> special_id(std::uint64_t id, std::size_t count, const char* name,
                                  const std::filesystem::path& file) {
  if (id == ~std::uint64_t{0} || id == std::numeric_limits<std::uint32_t>::max()) {
    return std::nullopt;
  }
  if (id >= count) {
    throw FormatError(message(file.string(), ": expected an id of ", name, " below ", count,
                              ", found ", static_cast<std::int64_t>(id)));
  }
  return static_cast<TokenId>(id);
}

}  // namespace

TokenizerData read_sentencepiece(std::span<const std::byte> bytes,
                                 const std::filesystem::path& file) {
  TokenizerData data;
  data.model = TokenizerModel::sentencepiece_bpe;
  data.pre = "default";
  data.add_space_prefix = true;
  data.add_bos = true;
  TrainerSpec spec;
  MessageReader reader(bytes, 0, file);
  while (!reader.is_at_end()) {
    const Field field = reader.next();
    if (field.number >= 1 && field.number <= 3) {
      reader.expect(field, WireType::bytes, "a message");
    }
    if (field.number == 1) {
      read_piece(reader.inside(field), data);
    } else if (field.number == 2) {
      spec = read_trainer_spec(reader.inside(field));
    } else if (field.number == 3) {
      data.add_space_prefix = read_add_dummy_prefix(reader.inside(field));
    }
  }
  constexpr std::uint64_t kBpe = 2;
  if (spec.model_type != kBpe) {
    throw UnsupportedError(message(file.string(), ": expected SentencePiece's model type 2 (BPE), ",
                                   "found ", spec.model_type));
  }
  const std::size_t count = data.tokens.size();
  data.unknown = special_id(spec.unknown, count, "unk", file);
  data.bos = special_id(spec.bos, count, "bos", file);
  data.eos = special_id(spec.eos, count, "eos", file);
  data.padding = special_id(spec.padding, count, "pad", file);
  check_tokenizer(data, file.string());
  added_tokens_from_types(data);
  return data;
}

}  // namespace bitnet
