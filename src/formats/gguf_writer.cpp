// SPDX-License-Identifier: MIT
#include "formats/gguf_writer.h"

#include <bitnet/error.h>

#include <algorithm>
#include <array>
#include <bit>
#include <set>
#include <string_view>
#include <utility>

#include "base/message.h"
#include "formats/gguf_types.h"
#include "formats/utf8.h"

static_assert(std::endian::native == std::endian::little, "GGUF is written as little-endian");

namespace bitnet {
namespace {

using gguf::ValueType;

template <class T>
struct ValueTypeOf;
template <>
struct ValueTypeOf<std::uint32_t> {
  static constexpr ValueType value = ValueType::uint32;
};
template <>
struct ValueTypeOf<std::int32_t> {
  static constexpr ValueType value = ValueType::int32;
};
template <>
struct ValueTypeOf<std::uint64_t> {
  static constexpr ValueType value = ValueType::uint64;
};
template <>
struct ValueTypeOf<std::int64_t> {
  static constexpr ValueType value = ValueType::int64;
};
template <>
struct ValueTypeOf<float> {
  static constexpr ValueType value = ValueType::float32;
};
template <>
struct ValueTypeOf<double> {
  static constexpr ValueType value = ValueType::float64;
};
template <>
struct ValueTypeOf<bool> {
  static constexpr ValueType value = ValueType::boolean;
};
template <>
struct ValueTypeOf<std::string> {
  static constexpr ValueType value = ValueType::string;
};

/// The parts of the header in front of the data section.
class HeaderWriter {
 public:
  explicit HeaderWriter(OutputFile& file) : file_(file) {}

  template <class T>
  void write(const T& value) {
    file_.append(std::as_bytes(std::span(&value, 1)));
  }
  void write(const std::string& text) {
    write(std::uint64_t{text.size()});
    file_.append(std::as_bytes(std::span(text)));
  }

  template <class T>
  void write_value(const T& value) {
    write(ValueTypeOf<T>::value);
    write(value);
  }
  template <class T>
  void write_value(const std::vector<T>& elements) {
    write(ValueType::array);
    write(ValueTypeOf<T>::value);
    write(std::uint64_t{elements.size()});
    for (const T& element : elements) {
      write(element);
    }
  }

 private:
  OutputFile& file_;
};

/// ne[0] first: contiguous dimension first, without trailing ones.
std::vector<std::uint64_t> gguf_dims(const Shape& shape) {
  std::vector<std::uint64_t> dims(shape.dims().rbegin(), shape.dims().rend());
  while (dims.size() > 1 && dims.back() == 1) {
    dims.pop_back();
  }
  if (dims.empty()) {
    dims.push_back(1);
  }
  return dims;
}

void check_key_values(std::span<const GgufKeyValue> key_values) {
  std::set<std::string_view> keys;
  for (const GgufKeyValue& entry : key_values) {
    if (entry.key.empty() || !is_utf8(entry.key) || !keys.insert(entry.key).second) {
      throw InvalidArgument("GGUF key '" + entry.key +
                            "': expected each key once, in UTF-8, and none empty");
    }
    if (entry.key == gguf::kAlignmentKey) {
      throw InvalidArgument(
          message("GGUF key '", entry.key, "': the writer aligns to ", gguf::kDefaultAlignment));
    }
  }
}

void check_tensors(std::span<const TensorDeclaration> tensors) {
  std::set<std::string_view> names;
  for (const TensorDeclaration& tensor : tensors) {
    if (tensor.name.empty() || tensor.name.size() > gguf::kMaxNameBytes || !is_utf8(tensor.name) ||
        !names.insert(tensor.name).second) {
      throw InvalidArgument(message("GGUF tensor '", tensor.name,
                                    "': expected each name once, of 1..", gguf::kMaxNameBytes,
                                    " bytes in UTF-8"));
    }
    if (tensor.shape.numel() == 0 || gguf_dims(tensor.shape).size() > gguf::kMaxRank) {
      throw InvalidArgument(message("GGUF tensor '", tensor.name, "': expected 1..", gguf::kMaxRank,
                                    " dimensions and no empty one, found ",
                                    tensor.shape.to_string()));
    }
    if (gguf::find_type(tensor.encoding) == nullptr) {
      throw UnsupportedError(message("GGUF tensor '", tensor.name, "': GGUF has no type ",
                                     to_string(tensor.encoding)));
    }
  }
}

void write_padding(OutputFile& file) {
  constexpr std::array<std::byte, gguf::kDefaultAlignment> kZeros{};
  const std::uint64_t end = gguf::pad(file.offset(), gguf::kDefaultAlignment);
  file.append(std::span(kZeros).first(static_cast<std::size_t>(end - file.offset())));
}

}  // namespace

GgufWriter::GgufWriter(const std::filesystem::path& path, std::span<const GgufKeyValue> key_values,
                       std::vector<TensorDeclaration> tensors)
    : file_(path), tensors_(std::move(tensors)) {
  check_key_values(key_values);
  check_tensors(tensors_);
  file_.append(std::as_bytes(std::span(gguf::kMagic)));
  HeaderWriter header(file_);
  header.write(gguf::kVersion);
  header.write(std::uint64_t{tensors_.size()});
  header.write(std::uint64_t{key_values.size()});
  for (const GgufKeyValue& entry : key_values) {
    header.write(entry.key);
    std::visit([&](const auto& value) { header.write_value(value); }, entry.value);
  }
  std::uint64_t offset = 0;
  for (const TensorDeclaration& tensor : tensors_) {
    const auto dims = gguf_dims(tensor.shape);
    header.write(tensor.name);
    header.write(static_cast<std::uint32_t>(dims.size()));
    for (const std::uint64_t dim : dims) {
      header.write(dim);
    }
    header.write(gguf::find_type(tensor.encoding)->id);
    header.write(offset);
    offset += gguf::pad(declared_size(tensor), gguf::kDefaultAlignment);
  }
  if (!tensors_.empty()) {
    write_padding(file_);
    start_tensor();
  }
}

void GgufWriter::start_tensor() {
  remaining_ = current_ < tensors_.size() ? declared_size(tensors_[current_]) : 0;
}

void GgufWriter::append(std::span<const std::byte> bytes) {
  if (bytes.size() > remaining_) {
    throw InvalidArgument(message(
        "GGUF tensor '", current_ < tensors_.size() ? tensors_[current_].name : "(none left)",
        "': expected at most ", remaining_, " more bytes, found ", bytes.size()));
  }
  file_.append(bytes);
  remaining_ -= bytes.size();
  if (remaining_ == 0 && current_ < tensors_.size()) {
    write_padding(file_);
    ++current_;
    start_tensor();
  }
}

void GgufWriter::commit() {
  if (current_ < tensors_.size()) {
    throw InvalidArgument(
        message("GGUF tensor '", tensors_[current_].name, "': ", remaining_, " bytes are missing"));
  }
  file_.commit();
}

}  // namespace bitnet
