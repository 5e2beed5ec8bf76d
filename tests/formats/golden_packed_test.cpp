// SPDX-License-Identifier: MIT
// The same trits as bytes of four formats. Oracle: golden/quantize/packed.safetensors, computed by
// an independent implementation. Bytes must agree exactly.
#include <bitnet/error.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "formats/encoding.h"
#include "formats/hf_packed.h"
#include "formats/stored_tensor.h"
#include "formats/ternary_encodings.h"
#include "reference/golden_file.h"

namespace bitnet {
namespace {

using reference::GoldenTensor;
using test::stored_tensor;

struct Case {
  std::string id;
  std::size_t rows = 0;
  std::size_t columns = 0;
  float scale = 0;
  nlohmann::json json;

  bool has(const std::string& format) const {
    const auto& formats = json["formats"];
    return std::find(formats.begin(), formats.end(), format) != formats.end();
  }
};

class GoldenPacked : public testing::Test {
 protected:
  GoldenPacked() : file_("quantize/packed.safetensors") {
    const nlohmann::json index = reference::read_golden_json("quantize/cases.json");
    for (const auto& json : index["packed"]["cases"]) {
      if (json.contains("formats")) {
        cases_.push_back({json["id"], json["shape"][0], json["shape"][1],
                          static_cast<float>(json["scale"].get<double>()), json});
      } else if (json["expect"] == "error") {
        corrupt_.push_back(json);
      }
    }
  }

  std::vector<std::int8_t> trits(const Case& c) const {
    return file_.at("trits/" + c.id).values<std::int8_t>();
  }

  const reference::GoldenFile file_;
  std::vector<Case> cases_;
  std::vector<nlohmann::json> corrupt_;
};

StoredTensor view(Encoding encoding, const Shape& shape, const GoldenTensor& tensor) {
  return stored_tensor(encoding, shape, tensor.bytes);
}

StoredTensor view_as_stored(Encoding encoding, const GoldenTensor& tensor) {
  return stored_tensor(encoding, Shape(tensor.shape), tensor.bytes);
}

std::vector<std::int8_t> decode_all(const StoredTensor& tensor) {
  std::vector<std::int8_t> out(tensor.shape.numel());
  decode_trits(tensor, 0, tensor.shape.rows(), out);
  return out;
}

TEST_F(GoldenPacked, HuggingFace) {
  std::size_t encoded = 0;
  for (const Case& c : cases_) {
    const GoldenTensor& golden = file_.at("hf/" + c.id + "/weight");
    std::vector<std::int8_t> decoded(c.rows * c.columns);
    decode_hf_packed(view_as_stored(Encoding::u8, golden), c.rows, 0, c.rows, decoded);
    EXPECT_EQ(decoded, trits(c)) << c.id;
    if (c.rows % 4 == 0) {
      EXPECT_EQ(encode_hf_packed(trits(c), c.rows, c.columns), golden.bytes) << c.id;
      ++encoded;
    }
  }
  EXPECT_EQ(cases_.size(), 18U);
  EXPECT_EQ(encoded, 9U);
}

TEST_F(GoldenPacked, HuggingFaceScales) {
  for (const Case& c : cases_) {
    for (const auto& [key, meaning] : {std::pair{"multiply", HfScaleMeaning::multiplier},
                                       std::pair{"divide", HfScaleMeaning::divisor}}) {
      const GoldenTensor& golden = file_.at("hf/" + c.id + "/weight_scale_" + key);
      EXPECT_EQ(read_hf_scale(view_as_stored(Encoding::bf16, golden), meaning),
                static_cast<float>(c.json["hf_scale_as_loaded"][key].get<double>()))
          << c.id << " " << key;
    }
  }
}

TEST_F(GoldenPacked, I2S) {
  std::size_t count = 0;
  for (const Case& c : cases_) {
    if (!c.has("i2_s")) {
      continue;
    }
    const GoldenTensor& golden = file_.at("i2_s/" + c.id);
    std::vector<std::byte> bytes(c.rows * encoded_row_bytes(Encoding::i2_s, c.columns));
    encode_ternary_rows(Encoding::i2_s, trits(c), c.columns, c.scale, bytes);
    const auto tail = i2_s_tail(c.scale);
    bytes.insert(bytes.end(), tail.begin(), tail.end());
    EXPECT_EQ(bytes, golden.bytes) << c.id;
    const StoredTensor tensor = view(Encoding::i2_s, {c.rows, c.columns}, golden);
    EXPECT_EQ(decode_all(tensor), trits(c)) << c.id;
    EXPECT_EQ(common_scale(tensor), c.scale) << c.id;
    ++count;
  }
  EXPECT_EQ(count, 14U);
}

/// Encodes block by block: the scale of an all-zero block is not compared.
void expect_blocks(Encoding encoding, const Case& c, const std::vector<std::int8_t>& trits,
                   float scale, const std::vector<std::byte>& golden) {
  const BlockLayout layout = block_layout(encoding);
  std::vector<std::byte> bytes(golden.size());
  encode_ternary_rows(encoding, trits, c.columns, scale, bytes);
  for (std::size_t block = 0; block < golden.size() / layout.bytes; ++block) {
    const auto* const first = trits.data() + block * layout.elements;
    const bool all_zero =
        std::all_of(first, first + layout.elements, [](std::int8_t trit) { return trit == 0; });
    const std::size_t compared = layout.bytes - (all_zero ? 2 : 0);
    const auto* const found = bytes.data() + block * layout.bytes;
    EXPECT_TRUE(std::equal(found, found + compared, golden.data() + block * layout.bytes))
        << to_string(encoding) << " " << c.id << " block " << block;
  }
}

TEST_F(GoldenPacked, Tq) {
  std::size_t count = 0;
  for (const Case& c : cases_) {
    if (!c.has("tq1_0")) {
      continue;
    }
    for (const auto& [name, encoding] :
         {std::pair{"tq1_0", Encoding::tq1_0}, std::pair{"tq2_0", Encoding::tq2_0}}) {
      const auto block_scale = static_cast<float>(c.json["tq_block_scale"].get<double>());
      const bool all_zero = c.id == "all_zero";
      const GoldenTensor& scaled = file_.at(std::string(name) + "/" + c.id);
      expect_blocks(encoding, c, trits(c), c.scale, scaled.bytes);
      const StoredTensor tensor = view(encoding, {c.rows, c.columns}, scaled);
      EXPECT_EQ(decode_all(tensor), trits(c)) << name << " " << c.id;
      EXPECT_EQ(common_scale(tensor), all_zero ? std::nullopt : std::optional(block_scale))
          << name << " " << c.id;

      const GoldenTensor& unit = file_.at(std::string(name) + "_unit/" + c.id);
      expect_blocks(encoding, c, trits(c), 1.0F, unit.bytes);
      EXPECT_EQ(decode_all(view(encoding, {c.rows, c.columns}, unit)), trits(c)) << c.id;
      ++count;
    }
  }
  EXPECT_EQ(count, 24U);
}

TEST_F(GoldenPacked, EveryByteOfTq1DecodesAlsoThoseThatNoEncoderWrites) {
  const GoldenTensor& blocks = file_.at("decode/tq1_0_every_byte/blocks");
  EXPECT_EQ(decode_all(view(Encoding::tq1_0, {256, 256}, blocks)),
            file_.at("decode/tq1_0_every_byte/trits").values<std::int8_t>());
}

TEST_F(GoldenPacked, CorruptCodesAreRefusedWithTheirPlace) {
  std::size_t count = 0;
  for (const auto& c : corrupt_) {
    if (c["error"]["kind"] != "code3") {
      continue;
    }
    const std::string id = c["id"];
    const GoldenTensor& golden = file_.at(c["bytes"]);
    const Shape shape{c["shape"][0].get<std::size_t>(), c["shape"][1].get<std::size_t>()};
    try {
      if (id == "corrupt_hf") {
        std::vector<std::int8_t> out(shape.numel());
        decode_hf_packed(view_as_stored(Encoding::u8, golden), shape[0], 0, shape[0], out);
      } else {
        const Encoding encoding = id == "corrupt_i2_s" ? Encoding::i2_s : Encoding::tq2_0;
        decode_all(view(encoding, shape, golden));
      }
      ADD_FAILURE() << id << ": expected an error";
    } catch (const TernaryError& error) {
      EXPECT_EQ(error.row, c["error"]["row"].get<std::size_t>()) << id;
      EXPECT_EQ(error.column, c["error"]["column"].get<std::size_t>()) << id;
      EXPECT_EQ(error.code, 3) << id;
    }
    ++count;
  }
  EXPECT_EQ(count, 3U);
}

TEST_F(GoldenPacked, CorruptScalesAreRefused) {
  std::size_t count = 0;
  for (const auto& c : corrupt_) {
    if (c["error"]["kind"] == "scale") {
      const StoredTensor scale =
          view_as_stored(Encoding::bf16, file_.at(c["weight_scale"].get<std::string>()));
      EXPECT_THROW(read_hf_scale(scale, HfScaleMeaning::multiplier), QuantizationError) << c["id"];
      EXPECT_THROW(read_hf_scale(scale, HfScaleMeaning::divisor), QuantizationError) << c["id"];
      ++count;
    }
  }
  EXPECT_EQ(count, 4U);
}

}  // namespace
}  // namespace bitnet
