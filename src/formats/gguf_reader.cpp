// SPDX-License-Identifier: MIT
#include "formats/gguf_reader.h"

#include <bitnet/error.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <deque>
#include <iomanip>
#include <limits>
#include <set>
#include <sstream>
#include <utility>

#include "base/message.h"
#include "formats/gguf_types.h"
#include "formats/utf8.h"

static_assert(std::endian::native == std::endian::little, "GGUF is read as little-endian");

namespace bitnet {
namespace {

using gguf::ValueType;

constexpr std::size_t kMinKeyValueBytes = 8 + 4 + 1;
constexpr std::size_t kMinTensorInfoBytes = 8 + 4 + 4 + 8;

/// Reads forward; every read is checked against the end first.
class Cursor {
 public:
  Cursor(std::span<const std::byte> bytes, const std::filesystem::path& file)
      : bytes_(bytes), file_(file) {}

  /// What is being read, for messages: "key 'a.b'".
  void enter(std::string subject) { subject_ = std::move(subject); }
  std::uint64_t offset() const { return offset_; }
  std::uint64_t remaining() const { return bytes_.size() - offset_; }

  template <class T>
  T read() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }

  bool read_bool() {
    const auto byte = read<std::uint8_t>();
    if (byte > 1) {
      fail(message("expected a bool of 0 or 1, found ", int{byte}));
    }
    return byte == 1;
  }

  /// A view into the file.
  std::string_view read_string() {
    const auto length = read<std::uint64_t>();
    check_count(length, 1, "a string");
    const auto bytes = take(static_cast<std::size_t>(length));
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  /// A count of things that take at least `min_bytes` each: checked before anything is allocated.
  void check_count(std::uint64_t count, std::size_t min_bytes, const char* what) const {
    if (count > gguf::kMaxCount || count > remaining() / min_bytes) {
      fail(message("expected ", what, " that fits the ", remaining(), " bytes to the end, found ",
                   "the count ", count));
    }
  }

  [[noreturn]] void fail(const std::string& reason) const {
    throw FormatError(
        message(file_.string(), ": ", subject_, ": ", reason, " (before byte ", offset_, ")"));
  }

 private:
  std::span<const std::byte> take(std::size_t size) {
    if (size > remaining()) {
      fail(message("expected ", size, " bytes, found the end of the file"));
    }
    const auto taken = bytes_.subspan(offset_, size);
    offset_ += size;
    return taken;
  }

  std::span<const std::byte> bytes_;
  const std::filesystem::path& file_;
  std::size_t offset_ = 0;
  std::string subject_ = "header";
};

// ---- Key-values ----

struct Header {
  std::uint64_t tensors;
  std::uint64_t key_values;
};

/// " 0a 2f": file bytes may not be printable.
std::string hex_bytes(std::span<const char> bytes) {
  std::ostringstream text;
  text << std::hex << std::setfill('0');
  for (const char byte : bytes) {
    text << ' ' << std::setw(2) << int{static_cast<unsigned char>(byte)};
  }
  return std::move(text).str();
}

Header read_header(Cursor& cursor) {
  const auto magic = cursor.read<std::array<char, 4>>();
  if (std::string_view(magic.data(), magic.size()) != gguf::kMagic) {
    cursor.fail(message("expected the magic 47 47 55 46 ('GGUF'), found", hex_bytes(magic)));
  }
  const auto version = cursor.read<std::uint32_t>();
  if (version != 0 && (version & 0xffffU) == 0) {
    cursor.fail("expected a little-endian file, found a big-endian one");
  }
  if (version < gguf::kOldestVersion || version > gguf::kVersion) {
    cursor.fail(message("expected version ", gguf::kOldestVersion, " or ", gguf::kVersion,
                        ", found ", version));
  }
  Header header{};
  header.tensors = cursor.read<std::uint64_t>();
  header.key_values = cursor.read<std::uint64_t>();
  cursor.check_count(header.tensors, kMinTensorInfoBytes, "a number of tensors");
  cursor.check_count(header.key_values, kMinKeyValueBytes, "a number of keys");
  return header;
}

std::int64_t read_integer(Cursor& cursor, ValueType type) {
  switch (type) {
    case ValueType::uint8:
      return cursor.read<std::uint8_t>();
    case ValueType::int8:
      return cursor.read<std::int8_t>();
    case ValueType::uint16:
      return cursor.read<std::uint16_t>();
    case ValueType::int16:
      return cursor.read<std::int16_t>();
    case ValueType::uint32:
      return cursor.read<std::uint32_t>();
    case ValueType::int32:
      return cursor.read<std::int32_t>();
    case ValueType::int64:
      return cursor.read<std::int64_t>();
    case ValueType::boolean:
      return cursor.read_bool() ? 1 : 0;
    case ValueType::uint64: {
      const auto value = cursor.read<std::uint64_t>();
      if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        cursor.fail(message("expected array elements below 2^63, found ", value));
      }
      return static_cast<std::int64_t>(value);
    }
    default:
      cursor.fail(message("unknown value type ", static_cast<std::uint32_t>(type)));
  }
}

double read_float(Cursor& cursor, ValueType type) {
  return type == ValueType::float32 ? cursor.read<float>() : cursor.read<double>();
}

template <class T, class Read>
std::vector<T> read_elements(Cursor& cursor, std::uint64_t count, const Read& read) {
  std::vector<T> elements;
  elements.reserve(static_cast<std::size_t>(count));
  for (std::uint64_t i = 0; i < count; ++i) {
    elements.push_back(read(cursor));
  }
  return elements;
}

/// A string takes 8 bytes or more of the file but four times as many in memory: all of them must be
/// there before room is made for any.
std::vector<std::string> read_strings(Cursor& cursor, std::uint64_t count) {
  Cursor ahead = cursor;
  for (std::uint64_t i = 0; i < count; ++i) {
    ahead.read_string();
  }
  return read_elements<std::string>(cursor, count,
                                    [](Cursor& c) { return std::string(c.read_string()); });
}

std::size_t min_element_bytes(ValueType type) {
  switch (type) {
    case ValueType::uint8:
    case ValueType::int8:
    case ValueType::boolean:
      return 1;
    case ValueType::uint16:
    case ValueType::int16:
      return 2;
    case ValueType::uint32:
    case ValueType::int32:
    case ValueType::float32:
      return 4;
    default:
      return 8;
  }
}

MetadataValue read_array(Cursor& cursor) {
  const auto type = static_cast<ValueType>(cursor.read<std::uint32_t>());
  const auto count = cursor.read<std::uint64_t>();
  cursor.check_count(count, min_element_bytes(type), "an array");
  switch (type) {
    case ValueType::array:
      cursor.fail("expected no array inside an array");
    case ValueType::string:
      return read_strings(cursor, count);
    case ValueType::float32:
    case ValueType::float64:
      return read_elements<double>(cursor, count,
                                   [type](Cursor& c) { return read_float(c, type); });
    default:
      return read_elements<std::int64_t>(cursor, count,
                                         [type](Cursor& c) { return read_integer(c, type); });
  }
}

MetadataValue read_value(Cursor& cursor, ValueType type) {
  switch (type) {
    case ValueType::array:
      return read_array(cursor);
    case ValueType::string:
      return std::string(cursor.read_string());
    case ValueType::boolean:
      return cursor.read_bool();
    case ValueType::float32:
    case ValueType::float64:
      return read_float(cursor, type);
    case ValueType::uint64:
      return cursor.read<std::uint64_t>();
    case ValueType::uint8:
    case ValueType::uint16:
    case ValueType::uint32:
      return static_cast<std::uint64_t>(read_integer(cursor, type));
    default:
      return read_integer(cursor, type);
  }
}

struct KeyValues {
  std::map<std::string, MetadataValue> values;
  std::uint64_t alignment = gguf::kDefaultAlignment;
};

std::uint64_t checked_alignment(const Cursor& cursor, ValueType type, const MetadataValue& value) {
  if (type != ValueType::uint32) {
    cursor.fail(
        message("expected value type 4 (uint32), found ", static_cast<std::uint32_t>(type)));
  }
  const auto alignment = std::get<std::uint64_t>(value);
  if (!std::has_single_bit(alignment)) {
    cursor.fail(message("expected a power of two, found ", alignment));
  }
  return alignment;
}

KeyValues read_key_values(Cursor& cursor, std::uint64_t count) {
  KeyValues result;
  for (std::uint64_t i = 0; i < count; ++i) {
    cursor.enter(message("key ", i));
    const std::string key(cursor.read_string());
    if (key.empty() || !is_utf8(key)) {
      cursor.fail(message("expected a key of at least one character, in UTF-8, found ",
                          key.empty() ? "an empty one" : "other bytes"));
    }
    cursor.enter("key '" + key + "'");
    const auto type = static_cast<ValueType>(cursor.read<std::uint32_t>());
    MetadataValue value = read_value(cursor, type);
    if (key == gguf::kAlignmentKey) {
      result.alignment = checked_alignment(cursor, type, value);
    }
    if (!result.values.emplace(key, std::move(value)).second) {
      cursor.fail("expected each key once, found it twice");
    }
  }
  return result;
}

// ---- Tensors ----

/// As in the file; `tensor` lacks its bytes until all infos are read and the data section begins.
struct TensorInfo {
  StoredTensor tensor;
  std::uint64_t size = 0;
  std::uint64_t offset = 0;  ///< relative to the data section
};

Shape read_shape(Cursor& cursor) {
  const auto rank = cursor.read<std::uint32_t>();
  if (rank > gguf::kMaxRank) {
    cursor.fail(message("expected at most ", gguf::kMaxRank, " dimensions, found ", rank));
  }
  std::vector<std::size_t> dims(rank);
  // Dimensions of 0 are left out, so that the product of any others is known to fit.
  std::uint64_t numel = 1;
  for (std::size_t& dim : dims) {
    const auto stored = cursor.read<std::uint64_t>();
    if (__builtin_mul_overflow(numel, std::max<std::uint64_t>(stored, 1), &numel) ||
        numel > std::numeric_limits<std::int64_t>::max()) {
      cursor.fail(message("expected fewer than 2^63 elements, found a dimension of ", stored));
    }
    dim = stored;
  }
  std::reverse(dims.begin(), dims.end());
  return Shape(dims);
}

/// Sets encoding, type name and size.
void read_type(Cursor& cursor, TensorInfo& info) {
  const auto id = cursor.read<std::uint32_t>();
  const gguf::TensorType* const type = gguf::find_type(id);
  StoredTensor& tensor = info.tensor;
  if (type == nullptr || type->layout.bytes == 0) {
    throw UnsupportedError(message(tensor.file.string(), ": tensor '", tensor.name, "': type ", id,
                                   " (", type == nullptr ? "unknown" : type->name,
                                   ") is not supported (before byte ", cursor.offset(), ")"));
  }
  tensor.encoding = type->encoding;
  tensor.type_name = type->name;
  const MatrixExtent extent = matrix_extent(tensor.shape);
  if (extent.columns % type->layout.elements != 0) {
    cursor.fail(message("expected rows of a multiple of ", type->layout.elements, " for ",
                        type->name, ", found shape ", tensor.shape.to_string()));
  }
  const auto size = encoded_size(type->layout, extent);
  if (!size) {
    cursor.fail(message("the size of ", type->name, " ", tensor.shape.to_string(), " overflows"));
  }
  info.size = *size;
}

/// In a deque, names stay where they are, and no second copy exists while it grows.
std::deque<TensorInfo> read_tensor_infos(Cursor& cursor, std::uint64_t count,
                                         std::uint64_t alignment,
                                         const std::filesystem::path& file) {
  std::deque<TensorInfo> infos;
  std::set<std::string_view> names;
  for (std::uint64_t i = 0; i < count; ++i) {
    cursor.enter(message("tensor ", i));
    TensorInfo& info = infos.emplace_back();
    info.tensor.file = file;
    const std::string_view name = cursor.read_string();
    if (name.size() > gguf::kMaxNameBytes || !is_utf8(name)) {
      cursor.fail(message("expected a name of at most ", gguf::kMaxNameBytes,
                          " bytes in UTF-8, found ", name.size(), " bytes"));
    }
    info.tensor.name = name;
    cursor.enter("tensor '" + info.tensor.name + "'");
    if (!names.insert(name).second) {
      cursor.fail("expected each name once, found it twice");
    }
    info.tensor.shape = read_shape(cursor);
    read_type(cursor, info);
    info.offset = cursor.read<std::uint64_t>();
    if (info.offset % alignment != 0) {
      cursor.fail(
          message("expected an offset that is a multiple of ", alignment, ", found ", info.offset));
    }
  }
  return infos;
}

/// Where the tensors' bytes lie in the file.
class DataSection {
 public:
  DataSection(std::span<const std::byte> file_bytes, std::uint64_t infos_end,
              std::uint64_t alignment, const std::filesystem::path& file)
      : file_bytes_(file_bytes),
        begin_(gguf::pad(infos_end, alignment)),
        size_(file_bytes.size() - std::min<std::uint64_t>(begin_, file_bytes.size())),
        alignment_(alignment),
        file_(file) {}

  /// Gives each tensor its bytes and sorts them by offset. They may leave gaps but not overlap.
  void place(std::deque<TensorInfo>& infos) {
    const auto by_offset = [](const TensorInfo& a, const TensorInfo& b) {
      return std::pair(a.offset, a.size) < std::pair(b.offset, b.size);
    };
    const auto unsorted = std::is_sorted_until(infos.begin(), infos.end(), by_offset);
    if (unsorted != infos.end()) {
      warn(
          message("tensor '", unsorted->tensor.name, "': lies before the tensor listed before it"));
      std::stable_sort(infos.begin(), infos.end(), by_offset);
    }
    for (TensorInfo& info : infos) {
      place(info);
    }
    if (end_ > size_) {
      warn(message("the padding of the last tensor is missing: expected a file of ", begin_ + end_,
                   " bytes, found ", file_bytes_.size()));
    } else if (end_ < size_) {
      warn(message(size_ - end_, " bytes behind the last tensor, from byte ", begin_ + end_));
    }
  }

  std::vector<std::string> take_warnings() { return std::move(warnings_); }

 private:
  void place(TensorInfo& info) {
    const std::string subject = "tensor '" + info.tensor.name + "': ";
    if (info.offset < end_) {
      fail(message(subject, "expected an offset of at least ", end_,
                   ", where the tensor before it ends, found ", info.offset,
                   " (data begins at byte ", begin_, ")"));
    }
    if (info.offset > size_ || info.size > size_ - info.offset) {
      fail(message(subject, "expected ", info.size, " bytes at byte ", begin_, " + ", info.offset,
                   ", found a file of ", file_bytes_.size(), " bytes"));
    }
    if (info.offset > end_) {
      warn(
          message(subject, info.offset - end_, " bytes of gap before byte ", begin_ + info.offset));
    }
    end_ = info.offset + gguf::pad(info.size, alignment_);
    info.tensor.file_offset = begin_ + info.offset;
    // An empty tensor may stand behind a header that ends the file without padding.
    info.tensor.bytes = file_bytes_.subspan(
        std::min<std::size_t>(info.tensor.file_offset, file_bytes_.size()), info.size);
  }

  void warn(const std::string& text) { warnings_.push_back(message(file_.string(), ": ", text)); }
  [[noreturn]] void fail(const std::string& text) const {
    throw FormatError(message(file_.string(), ": ", text));
  }

  std::span<const std::byte> file_bytes_;
  std::uint64_t begin_;
  std::uint64_t size_;
  std::uint64_t end_ = 0;  ///< of the tensors placed so far, padded; relative to begin_
  std::uint64_t alignment_;
  const std::filesystem::path& file_;
  std::vector<std::string> warnings_;
};

}  // namespace

GgufContents parse_gguf(std::span<const std::byte> bytes, const std::filesystem::path& file) {
  Cursor cursor(bytes, file);
  const Header header = read_header(cursor);
  KeyValues key_values = read_key_values(cursor, header.key_values);
  auto infos = read_tensor_infos(cursor, header.tensors, key_values.alignment, file);
  DataSection data(bytes, cursor.offset(), key_values.alignment, file);
  data.place(infos);

  GgufContents contents;
  contents.metadata = std::move(key_values.values);
  contents.warnings = data.take_warnings();
  contents.tensors.reserve(infos.size());
  for (TensorInfo& info : infos) {
    contents.tensors.push_back(std::move(info.tensor));
  }
  return contents;
}

}  // namespace bitnet
