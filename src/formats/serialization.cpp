// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/serialization.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <map>
#include <string>
#include <string_view>

#include "base/mapped_file.h"
#include "base/message.h"
#include "base/output_file.h"
#include "formats/safetensors.h"

namespace bitnet {
namespace {

constexpr std::string_view kVersion = "1";
constexpr std::string_view kTernaryWeight = "ternary_weight";
constexpr std::string_view kQuantizedActivations = "quantized_activations";

template <class Value>
struct Named {
  std::string_view name;
  Value value;
};
constexpr std::array<Named<Granularity>, 3> kGranularities = {{
    {"tensor", Granularity::tensor},
    {"row", Granularity::row},
    {"group", Granularity::group},
}};
constexpr std::array<Named<TileLayout>, 2> kLayouts = {{
    {"t16", TileLayout::t16},
    {"t2", TileLayout::t2},
}};
constexpr std::array<Named<bool>, 2> kBooleans = {{{"false", false}, {"true", true}}};

template <class Value, std::size_t n>
std::string name_of(const std::array<Named<Value>, n>& names, Value value) {
  return std::string(std::find_if(names.begin(), names.end(), [&](const auto& named) {
                       return named.value == value;
                     })->name);
}

/// The scales F32 and the codes, in this order: both lie aligned behind the padded header.
std::vector<std::byte> write(const std::map<std::string, std::string>& metadata,
                             const Shape& scales_shape, std::span<const float> scales,
                             Encoding code_encoding, const Shape& codes_shape,
                             std::span<const std::byte> codes) {
  const std::array<TensorDeclaration, 2> tensors = {{
      {"scales", Encoding::f32, scales_shape},
      {"codes", code_encoding, codes_shape},
  }};
  std::vector<std::byte> bytes = safetensors_header(tensors, metadata);
  const auto scale_bytes = std::as_bytes(scales);
  bytes.insert(bytes.end(), scale_bytes.begin(), scale_bytes.end());
  bytes.insert(bytes.end(), codes.begin(), codes.end());
  return bytes;
}

/// A parsed safetensors of one of our two types: exactly the tensors "codes" and "scales".
class Reader {
 public:
  Reader(std::span<const std::byte> bytes, const std::filesystem::path& file, std::string_view type)
      : file_(file), contents_(parse_safetensors(bytes, file)) {
    expect_value("bitnet.version", kVersion);
    expect_value("bitnet.type", type);
    if (contents_.tensors.size() != 2) {
      fail(message("expected the tensors 'codes' and 'scales', found ", contents_.tensors.size(),
                   " tensors"));
    }
  }

  const std::string& value(const std::string& key) const {
    const auto found = contents_.metadata.find(key);
    if (found == contents_.metadata.end()) {
      fail("expected the metadata key '" + key + "'");
    }
    return found->second;
  }

  std::size_t number(const std::string& key) const {
    const std::string& text = value(key);
    std::size_t result = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, result);
    if (error != std::errc{} || stop != end) {
      fail("metadata key '" + key + "': expected a number, found '" + text + "'");
    }
    return result;
  }

  template <class Value, std::size_t n>
  Value choice(const std::string& key, const std::array<Named<Value>, n>& names) const {
    const std::string& text = value(key);
    const auto found = std::find_if(names.begin(), names.end(),
                                    [&](const auto& named) { return named.name == text; });
    if (found == names.end()) {
      fail("metadata key '" + key + "': unknown value '" + text + "'");
    }
    return found->value;
  }

  const StoredTensor& tensor(std::string_view name, Encoding encoding) const {
    const auto found = std::find_if(contents_.tensors.begin(), contents_.tensors.end(),
                                    [&](const StoredTensor& t) { return t.name == name; });
    if (found == contents_.tensors.end() || found->encoding != encoding) {
      fail(message("expected a tensor '", name, "' of type ", to_string(encoding)));
    }
    return *found;
  }

  void expect_shape(const StoredTensor& tensor, const Shape& expected) const {
    if (tensor.shape != expected) {
      fail(message("tensor '", tensor.name, "': expected shape ", expected.to_string(), ", found ",
                   tensor.shape.to_string()));
    }
  }

  [[noreturn]] void fail(const std::string& reason) const {
    throw FormatError(file_.string() + ": " + reason);
  }

 private:
  void expect_value(const std::string& key, std::string_view expected) const {
    if (value(key) != expected) {
      fail(
          message("metadata key '", key, "': expected '", expected, "', found '", value(key), "'"));
    }
  }

  const std::filesystem::path& file_;
  SafetensorsContents contents_;
};

template <class T>
std::vector<T> elements(const StoredTensor& tensor) {
  std::vector<T> result(tensor.bytes.size() / sizeof(T));
  if (!result.empty()) {
    std::memcpy(result.data(), tensor.bytes.data(), tensor.bytes.size());
  }
  return result;
}

constexpr std::size_t kTritsPerWord = 16;

Shape code_shape(std::size_t rows, std::size_t columns) {
  return {rows, columns / kTritsPerWord + (columns % kTritsPerWord != 0 ? 1 : 0)};
}

Shape scale_shape(Granularity granularity, std::size_t rows, std::size_t groups) {
  switch (granularity) {
    case Granularity::tensor:
      return {1};
    case Granularity::row:
      return {rows};
    case Granularity::group:
      break;
  }
  return {rows, groups};
}

/// The fields behind the last trit of each row stay zero.
void check_padding(const Reader& reader, std::span<const std::uint32_t> words,
                   const Shape& words_shape, std::size_t columns) {
  const std::size_t used = columns % kTritsPerWord;
  for (std::size_t row = 0; used != 0 && row < words_shape[0]; ++row) {
    if (words[(row + 1) * words_shape[1] - 1] >> (2 * used) != 0) {
      reader.fail(
          message("tensor 'codes': expected zeros behind column ", columns, " of row ", row));
    }
  }
}

TernaryWeight read_ternary_weight(std::span<const std::byte> bytes,
                                  const std::filesystem::path& file) {
  const Reader reader(bytes, file, kTernaryWeight);
  const auto granularity = reader.choice("bitnet.granularity", kGranularities);
  const auto layout = reader.choice("bitnet.layout", kLayouts);
  const std::size_t columns = reader.number("bitnet.in_features");
  const std::size_t group_size = reader.number("bitnet.group_size");
  const StoredTensor& codes = reader.tensor("codes", Encoding::u32);
  const StoredTensor& scales = reader.tensor("scales", Encoding::f32);
  const std::size_t rows = codes.shape.rank() == 2 ? codes.shape[0] : 0;
  if (rows == 0 || columns == 0) {
    reader.fail("tensor 'codes': expected at least one row and one column");
  }
  reader.expect_shape(codes, code_shape(rows, columns));
  if ((granularity == Granularity::group) != (group_size != 0)) {
    reader.fail(message("metadata key 'bitnet.group_size': ", group_size,
                        " does not go with granularity '", name_of(kGranularities, granularity),
                        "'"));
  }
  const std::size_t groups = group_size == 0 ? 1 : columns / group_size;
  reader.expect_shape(scales, scale_shape(granularity, rows, groups));
  const auto words = elements<std::uint32_t>(codes);
  check_padding(reader, words, codes.shape, columns);
  const auto trits = unpack_2bit(words, rows, columns);
  try {
    return TernaryWeight::pack(trits, rows, columns, elements<float>(scales), granularity,
                               group_size, layout);
  } catch (const QuantizationError&) {
    throw;  // a bad scale keeps its own type
  } catch (const Error& error) {
    reader.fail(error.what());  // a geometry that no TernaryWeight has
  }
}

QuantizedActivations read_quantized_activations(std::span<const std::byte> bytes,
                                                const std::filesystem::path& file) {
  const Reader reader(bytes, file, kQuantizedActivations);
  const StoredTensor& codes = reader.tensor("codes", Encoding::i8);
  const StoredTensor& scales = reader.tensor("scales", Encoding::f32);
  QuantizedActivations activations;
  activations.per_token = reader.choice("bitnet.per_token", kBooleans);
  activations.shape = codes.shape;
  if (codes.shape.rank() != 2 && codes.shape.rank() != 3) {
    reader.fail("tensor 'codes': expected 2 or 3 dimensions, found " + codes.shape.to_string());
  }
  reader.expect_shape(scales, {activations.per_token ? activations.tokens() : 1});
  activations.data = elements<std::int8_t>(codes);
  activations.scales = elements<float>(scales);
  for (std::size_t token = 0; token < activations.scales.size(); ++token) {
    const float scale = activations.scales[token];
    if (!(scale > 0.0F) || !std::isfinite(scale)) {
      throw QuantizationError(message(file.string(), ": tensor 'scales': expected positive finite ",
                                      "numbers, found ", scale, " at ", token));
    }
  }
  return activations;
}

}  // namespace

std::vector<std::byte> to_bytes(const TernaryWeight& weight) {
  // Files travel: t16p would be slow on most CPUs that read it.
  const bool dense = weight.layout() != TileLayout::t2;
  const std::size_t rows = weight.out_features();
  const std::size_t columns = weight.in_features();
  const std::map<std::string, std::string> metadata = {
      {"bitnet.version", std::string(kVersion)},
      {"bitnet.type", std::string(kTernaryWeight)},
      {"bitnet.granularity", name_of(kGranularities, weight.granularity())},
      {"bitnet.layout", name_of(kLayouts, dense ? TileLayout::t16 : TileLayout::t2)},
      {"bitnet.in_features", std::to_string(columns)},
      {"bitnet.group_size", std::to_string(weight.group_size())},
  };
  const auto words = pack_2bit(weight.trits(), rows, columns);
  return write(metadata, scale_shape(weight.granularity(), rows, weight.groups()), weight.scales(),
               Encoding::u32, code_shape(rows, columns), std::as_bytes(std::span(words)));
}

std::vector<std::byte> to_bytes(const QuantizedActivations& activations) {
  const std::size_t scales = activations.per_token ? activations.tokens() : 1;
  if (activations.data.size() != activations.shape.numel() || activations.scales.size() != scales) {
    throw ShapeMismatch(message("quantized activations ", activations.shape.to_string(),
                                ": expected ", activations.shape.numel(), " codes and ", scales,
                                " scales, found ", activations.data.size(), " and ",
                                activations.scales.size()));
  }
  const std::map<std::string, std::string> metadata = {
      {"bitnet.version", std::string(kVersion)},
      {"bitnet.type", std::string(kQuantizedActivations)},
      {"bitnet.per_token", name_of(kBooleans, activations.per_token)},
  };
  return write(metadata, {scales}, activations.scales, Encoding::i8, activations.shape,
               std::as_bytes(std::span(activations.data)));
}

TernaryWeight ternary_weight_from_bytes(std::span<const std::byte> bytes) {
  return read_ternary_weight(bytes, "bytes");
}
QuantizedActivations quantized_activations_from_bytes(std::span<const std::byte> bytes) {
  return read_quantized_activations(bytes, "bytes");
}

void save(const TernaryWeight& weight, const std::filesystem::path& path) {
  write_file(path, to_bytes(weight));
}
void save(const QuantizedActivations& activations, const std::filesystem::path& path) {
  write_file(path, to_bytes(activations));
}
TernaryWeight load_ternary_weight(const std::filesystem::path& path) {
  return read_ternary_weight(MappedFile(path).bytes(), path);
}
QuantizedActivations load_quantized_activations(const std::filesystem::path& path) {
  return read_quantized_activations(MappedFile(path).bytes(), path);
}

}  // namespace bitnet
