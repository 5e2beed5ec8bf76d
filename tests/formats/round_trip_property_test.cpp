// SPDX-License-Identifier: MIT
// Round trips. Oracle: the input itself.
#include <bitnet/serialization.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "formats/gguf_reader.h"
#include "formats/gguf_writer.h"
#include "formats/hf_packed.h"
#include "formats/safetensors.h"
#include "formats/stored_tensor.h"
#include "formats/temporary_folder.h"
#include "formats/ternary_encodings.h"

namespace bitnet {
namespace {

std::vector<std::int8_t> any_trits(std::size_t count) {
  return *rc::gen::container<std::vector<std::int8_t>>(
      count, rc::gen::map(rc::gen::inRange(-1, 2), [](int t) { return std::int8_t(t); }));
}

RC_GTEST_PROP(RoundTrip, BlockEncodings, ()) {
  const Encoding encoding = *rc::gen::element(Encoding::i2_s, Encoding::tq1_0, Encoding::tq2_0,
                                              Encoding::q2_0, Encoding::q4_0);
  const auto rows = *rc::gen::inRange<std::size_t>(1, 5);
  const auto columns = required_multiple(encoding) * *rc::gen::inRange<std::size_t>(1, 4);
  const auto trits = any_trits(rows * columns);
  std::vector<std::byte> bytes(rows * encoded_row_bytes(encoding, columns));
  encode_ternary_rows(encoding, trits, columns, 0.25F, bytes);
  if (encoding == Encoding::i2_s) {
    const auto tail = i2_s_tail(0.25F);
    bytes.insert(bytes.end(), tail.begin(), tail.end());
  }
  const StoredTensor tensor = test::stored_tensor(encoding, {rows, columns}, bytes);
  const auto first = *rc::gen::inRange<std::size_t>(0, rows);
  std::vector<std::int8_t> decoded((rows - first) * columns);
  decode_trits(tensor, first, rows - first, decoded);
  RC_ASSERT(std::equal(decoded.begin(), decoded.end(),
                       trits.begin() + std::ptrdiff_t(first * columns), trits.end()));
  std::vector<float> floats(trits.size());
  decode_to_float(tensor, 0, rows, floats);
  for (std::size_t i = 0; i < trits.size(); ++i) {
    RC_ASSERT(floats[i] == 0.25F * static_cast<float>(trits[i]));
  }
}

RC_GTEST_PROP(RoundTrip, HuggingFacePacking, ()) {
  const auto rows = 4 * *rc::gen::inRange<std::size_t>(1, 6);
  const auto columns = *rc::gen::inRange<std::size_t>(1, 40);
  const auto trits = any_trits(rows * columns);
  const auto bytes = encode_hf_packed(trits, rows, columns);
  std::vector<std::int8_t> decoded(trits.size());
  decode_hf_packed(test::stored_tensor(Encoding::u8, {rows / 4, columns}, bytes), rows, 0, rows,
                   decoded);
  RC_ASSERT(decoded == trits);
}

RC_GTEST_PROP(RoundTrip, TernaryWeights, ()) {
  const auto rows = *rc::gen::inRange<std::size_t>(1, 40);
  const auto columns = *rc::gen::inRange<std::size_t>(1, 70);
  const auto trits = any_trits(rows * columns);
  const std::vector<float> scales(rows, 0.5F);
  const auto weight = TernaryWeight::pack(trits, rows, columns, scales, Granularity::row);
  const auto read = ternary_weight_from_bytes(to_bytes(weight));
  RC_ASSERT(read.trits() == trits);
  RC_ASSERT(read.scales() == scales);
}

/// Tensors and their bytes.
struct AnyTensors {
  std::vector<TensorDeclaration> declarations;
  std::vector<std::vector<std::byte>> bytes;
};

AnyTensors any_tensors() {
  AnyTensors tensors;
  const int count = *rc::gen::inRange(0, 10);
  for (int i = 0; i < count; ++i) {
    const Shape shape{*rc::gen::inRange<std::size_t>(1, 4), *rc::gen::inRange<std::size_t>(2, 9)};
    const Encoding encoding = *rc::gen::element(Encoding::i8, Encoding::f16, Encoding::f32);
    tensors.declarations.push_back({"t" + std::to_string(i), encoding, shape});
    const std::string bytes = *rc::gen::container<std::string>(
        declared_size(tensors.declarations.back()), rc::gen::arbitrary<char>());
    const auto view = std::as_bytes(std::span(bytes));
    tensors.bytes.emplace_back(view.begin(), view.end());
  }
  return tensors;
}

void assert_equal(const std::vector<StoredTensor>& found, const AnyTensors& expected) {
  RC_ASSERT(found.size() == expected.declarations.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    RC_ASSERT(found[i].name == expected.declarations[i].name);
    RC_ASSERT(found[i].encoding == expected.declarations[i].encoding);
    RC_ASSERT(found[i].shape == expected.declarations[i].shape);
    RC_ASSERT(std::equal(found[i].bytes.begin(), found[i].bytes.end(), expected.bytes[i].begin(),
                         expected.bytes[i].end()));
  }
}

RC_GTEST_PROP(RoundTrip, Gguf, ()) {
  const AnyTensors tensors = any_tensors();
  const auto text = *rc::gen::string<std::string>();
  const test::TemporaryFolder folder;
  GgufWriter writer(folder / "out", std::vector<GgufKeyValue>{{"text", text}},
                    tensors.declarations);
  for (const auto& bytes : tensors.bytes) {
    writer.append(bytes);
  }
  writer.commit();
  const auto bytes = test::read_file(folder / "out");
  const GgufContents contents = parse_gguf(bytes, "out");
  AnyTensors trimmed = tensors;
  for (auto& [name, encoding, shape] : trimmed.declarations) {
    if (shape[0] == 1) {
      shape = Shape{shape[1]};  // GGUF drops slowest dimensions of 1
    }
  }
  assert_equal(contents.tensors, trimmed);
  RC_ASSERT(std::get<std::string>(contents.metadata.at("text")) == text);
}

RC_GTEST_PROP(RoundTrip, Safetensors, ()) {
  const AnyTensors tensors = any_tensors();
  auto bytes = safetensors_header(tensors.declarations, {{"key", "value"}});
  for (const auto& tensor : tensors.bytes) {
    bytes.insert(bytes.end(), tensor.begin(), tensor.end());
  }
  const SafetensorsContents contents = parse_safetensors(bytes, "out");
  assert_equal(contents.tensors, tensors);
  RC_ASSERT(contents.metadata.at("key") == "value");
}

}  // namespace
}  // namespace bitnet
