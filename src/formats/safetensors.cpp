// SPDX-License-Identifier: MIT
#include "formats/safetensors.h"

#include <bitnet/error.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "base/checked_json.h"
#include "base/message.h"

static_assert(std::endian::native == std::endian::little, "safetensors is little-endian");

namespace bitnet {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
constexpr std::size_t kHeaderAlignment = 8;
constexpr std::size_t kMaxDepth = 8;  // the formats need 3; more only serves to exhaust a stack
constexpr std::string_view kMetadataKey = "__metadata__";

/// A dtype of the format. Encoding::other: its size is known, its numbers are not read here.
struct Dtype {
  std::string_view name;
  std::size_t bits;
  Encoding encoding;
};
constexpr std::array<Dtype, 22> kDtypes = {{
    {"F32", 32, Encoding::f32},
    {"F16", 16, Encoding::f16},
    {"BF16", 16, Encoding::bf16},
    {"F64", 64, Encoding::f64},
    {"I8", 8, Encoding::i8},
    {"I16", 16, Encoding::i16},
    {"I32", 32, Encoding::i32},
    {"I64", 64, Encoding::i64},
    {"U8", 8, Encoding::u8},
    {"U16", 16, Encoding::u16},
    {"U32", 32, Encoding::u32},
    {"U64", 64, Encoding::u64},
    {"BOOL", 8, Encoding::boolean},
    {"C64", 64, Encoding::other},
    {"F8_E5M2", 8, Encoding::other},
    {"F8_E4M3", 8, Encoding::other},
    {"F8_E8M0", 8, Encoding::other},
    {"F8_E4M3FNUZ", 8, Encoding::other},
    {"F8_E5M2FNUZ", 8, Encoding::other},
    {"F6_E2M3", 6, Encoding::other},
    {"F6_E3M2", 6, Encoding::other},
    {"F4", 4, Encoding::other},
}};

/// The header: JSON and its padding of spaces.
std::string_view header_text(std::span<const std::byte> bytes, const std::filesystem::path& file) {
  if (bytes.size() < kLengthBytes) {
    throw FormatError(message(file.string(), ": expected a header length of 8 bytes, found ",
                              bytes.size(), " bytes in all"));
  }
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > kMaxHeaderBytes) {
    throw FormatError(message(file.string(), ": expected a header of at most ", kMaxHeaderBytes,
                              " bytes, found the length ", length, " at byte 0"));
  }
  if (length > bytes.size() - kLengthBytes) {
    throw FormatError(message(file.string(), ": expected a header of ", length,
                              " bytes at byte 8, found ", bytes.size() - kLengthBytes,
                              " bytes to the end"));
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes,
                              static_cast<std::size_t>(length));
  if (!text.starts_with('{')) {
    throw FormatError(message(file.string(), ": expected '{' at byte 8, found ",
                              text.empty() ? "a header of 0 bytes" : "another character"));
  }
  return text;
}

/// Reads the entries of the header. Offsets in the file are relative to `data`.
class HeaderReader {
 public:
  HeaderReader(std::span<const std::byte> bytes, std::size_t data_offset,
               const std::filesystem::path& file)
      : data_(bytes.subspan(data_offset)), data_offset_(data_offset), file_(file) {}

  StoredTensor tensor(const std::string& name, const Json& entry) const {
    if (!entry.is_object() || entry.size() != 3 || !entry.contains("dtype") ||
        !entry.contains("shape") || !entry.contains("data_offsets")) {
      fail(name, message("expected an object of dtype, shape and data_offsets, found ",
                         describe_json(entry)));
    }
    StoredTensor tensor;
    tensor.name = name;
    tensor.file = file_;
    const Json& dtype = entry["dtype"];
    if (!dtype.is_string()) {
      fail(name, "expected dtype as a string, found " + describe_json(dtype));
    }
    tensor.type_name = dtype.get<std::string>();
    tensor.shape = shape(name, entry["shape"]);
    const auto offsets = unsigned_numbers(name, "data_offsets", entry["data_offsets"]);
    if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > data_.size()) {
      fail(name, message("expected data_offsets [begin, end] within the ", data_.size(),
                         " bytes behind the header, found ", describe_json(entry["data_offsets"])));
    }
    tensor.bytes = data_.subspan(offsets[0], offsets[1] - offsets[0]);
    tensor.file_offset = data_offset_ + offsets[0];
    const auto known = std::find_if(kDtypes.begin(), kDtypes.end(),
                                    [&](const Dtype& d) { return d.name == tensor.type_name; });
    if (known != kDtypes.end()) {
      tensor.encoding = known->encoding;
      check_size(tensor, known->bits);
    }
    return tensor;
  }

  std::map<std::string, std::string> metadata(const Json& entry) const {
    if (!entry.is_object()) {
      fail(std::string(kMetadataKey),
           "expected an object of strings, found " + describe_json(entry));
    }
    std::map<std::string, std::string> result;
    for (const auto& [key, value] : entry.items()) {
      if (!value.is_string()) {
        fail(std::string(kMetadataKey),
             message("expected a string at key '", key, "', found ", describe_json(value)));
      }
      result[key] = value.get<std::string>();
    }
    return result;
  }

  /// The tensors, sorted, must tile the data: no hole, no overlap, nothing behind.
  void check_coverage(std::span<const StoredTensor> tensors) const {
    std::uint64_t expected = data_offset_;
    for (const StoredTensor& tensor : tensors) {
      if (tensor.file_offset != expected) {
        fail(tensor.name, message(tensor.file_offset > expected ? "hole" : "overlap",
                                  " in the data: expected it to begin at byte ", expected,
                                  ", found byte ", tensor.file_offset));
      }
      expected += tensor.bytes.size();
    }
    if (expected != data_offset_ + data_.size()) {
      throw FormatError(message(file_.string(),
                                ": expected the file to end with its last tensor at ", "byte ",
                                expected, ", found ", data_offset_ + data_.size(), " bytes"));
    }
  }

 private:
  std::vector<std::uint64_t> unsigned_numbers(const std::string& name, const char* key,
                                              const Json& list) const {
    std::vector<std::uint64_t> numbers;
    if (!list.is_array()) {
      fail(name, message("expected ", key, " as an array, found ", describe_json(list)));
    }
    for (const Json& number : list) {
      if (!number.is_number_unsigned()) {
        fail(name, message("expected unsigned numbers of 64 bits in ", key, ", found ",
                           describe_json(number)));
      }
      numbers.push_back(number.get<std::uint64_t>());
    }
    return numbers;
  }

  Shape shape(const std::string& name, const Json& list) const {
    const auto numbers = unsigned_numbers(name, "shape", list);
    if (numbers.size() > Shape::kMaxRank) {
      fail(name,
           message("expected at most ", Shape::kMaxRank, " dimensions, found ", numbers.size()));
    }
    const Shape result(std::vector<std::size_t>(numbers.begin(), numbers.end()));
    // Dimensions of 0 are left out, so that the product of any others is known to fit.
    std::uint64_t product = 1;
    for (const std::uint64_t dim : numbers) {
      if (__builtin_mul_overflow(product, std::max<std::uint64_t>(dim, 1), &product)) {
        fail(name, "the number of elements overflows: " + result.to_string());
      }
    }
    return result;
  }

  void check_size(const StoredTensor& tensor, std::size_t dtype_bits) const {
    std::uint64_t bits = 0;
    if (__builtin_mul_overflow(tensor.shape.numel(), dtype_bits, &bits)) {
      fail(tensor.name, "the size of shape " + tensor.shape.to_string() + " overflows");
    }
    if (bits % 8 != 0 || bits / 8 != tensor.bytes.size()) {
      fail(tensor.name,
           message("expected ", bits, " bits for ", tensor.type_name, " ", tensor.shape.to_string(),
                   ", found ", tensor.bytes.size(), " bytes at byte ", tensor.file_offset));
    }
  }

  [[noreturn]] void fail(const std::string& name, const std::string& reason) const {
    throw FormatError(message(file_.string(), ": header at byte ", kLengthBytes, ": ",
                              name == kMetadataKey ? "key" : "tensor", " '", name, "': ", reason));
  }

  std::span<const std::byte> data_;
  std::size_t data_offset_;
  const std::filesystem::path& file_;
};

bool is_dtype(Encoding encoding) {
  return encoding != Encoding::other &&
         std::any_of(kDtypes.begin(), kDtypes.end(),
                     [&](const Dtype& dtype) { return dtype.encoding == encoding; });
}

}  // namespace

SafetensorsContents parse_safetensors(std::span<const std::byte> bytes,
                                      const std::filesystem::path& file) {
  const std::string_view text = header_text(bytes, file);
  const Json header =
      parse_checked_json(text, file.string(), {.max_depth = kMaxDepth, .offset = kLengthBytes});
  const HeaderReader reader(bytes, kLengthBytes + text.size(), file);
  SafetensorsContents contents;
  for (const auto& [name, entry] : header.items()) {
    if (name == kMetadataKey) {
      contents.metadata = reader.metadata(entry);
    } else {
      contents.tensors.push_back(reader.tensor(name, entry));
    }
  }
  // By end, too: an empty tensor stands in front of the one that begins at the same byte.
  std::sort(contents.tensors.begin(), contents.tensors.end(),
            [](const StoredTensor& a, const StoredTensor& b) {
              return std::pair(a.file_offset, a.bytes.size()) <
                     std::pair(b.file_offset, b.bytes.size());
            });
  reader.check_coverage(contents.tensors);
  return contents;
}

std::map<std::string, std::string> parse_safetensors_index(std::string_view text,
                                                           const std::filesystem::path& file) {
  const Json index = parse_checked_json(text, file.string(), {.max_depth = kMaxDepth});
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
    throw FormatError(file.string() + ": expected an object 'weight_map'");
  }
  std::map<std::string, std::string> weight_map;
  for (const auto& [tensor, shard] : index["weight_map"].items()) {
    const std::string name = shard.is_string() ? shard.get<std::string>() : "";
    if (name.empty() || name == "." || name == ".." ||
        name.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos) {
      throw FormatError(message(file.string(), ": tensor '", tensor,
                                "': expected the name of a file in the same folder, found ",
                                describe_json(shard)));
    }
    weight_map[tensor] = name;
  }
  return weight_map;
}

std::vector<std::byte> safetensors_header(std::span<const TensorDeclaration> tensors,
                                          const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) {
    header[std::string(kMetadataKey)] = metadata;
  }
  std::size_t offset = 0;
  for (const TensorDeclaration& tensor : tensors) {
    if (!is_dtype(tensor.encoding)) {
      throw UnsupportedError(message("tensor '", tensor.name, "': safetensors has no type ",
                                     to_string(tensor.encoding)));
    }
    if (tensor.name == kMetadataKey || header.contains(tensor.name)) {
      throw InvalidArgument(message("tensor '", tensor.name, "': expected each name once"));
    }
    const std::size_t end = offset + declared_size(tensor);
    header[tensor.name] = {
        {"dtype", std::string(to_string(tensor.encoding))},
        {"shape", std::vector<std::size_t>(tensor.shape.dims().begin(), tensor.shape.dims().end())},
        {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::type_error&) {
    throw InvalidArgument("safetensors header: expected names and metadata in UTF-8");
  }
  text.resize((text.size() + kHeaderAlignment - 1) / kHeaderAlignment * kHeaderAlignment, ' ');
  const std::uint64_t length = text.size();
  std::vector<std::byte> bytes(kLengthBytes + text.size());
  std::memcpy(bytes.data(), &length, sizeof length);
  std::memcpy(bytes.data() + kLengthBytes, text.data(), text.size());
  return bytes;
}

}  // namespace bitnet
