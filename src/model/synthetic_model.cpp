// SPDX-License-Identifier: MIT
// Models of random weights, for measurements: no file, no time to write one.
#include <bitnet/model.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <utility>

#include "base/message.h"
#include "formats/encoding.h"
#include "kernels/kernel_table.h"
#include "model/layer_assembly.h"
#include "model/row_blocks.h"
#include "model/transformer.h"
#include "model/weight_names.h"
#include "ternary/ternary_storage.h"

namespace bitnet {
namespace {

/// xorshift64 (G. Marsaglia): a gigabyte of weights in well under a second.
class ByteStream {
 public:
  explicit ByteStream(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15U + 1) {}
  /// 0 .. bound - 1, bound <= 256.
  std::uint8_t below(unsigned bound) {
    if (left_ == 0) {
      state_ ^= state_ << 13;
      state_ ^= state_ >> 7;
      state_ ^= state_ << 17;
      bytes_ = state_;
      left_ = sizeof bytes_;
    }
    const auto byte = static_cast<unsigned>(bytes_ & 0xffU);
    bytes_ >>= 8;
    --left_;
    return static_cast<std::uint8_t>(byte * bound >> 8);
  }

 private:
  std::uint64_t state_;
  std::uint64_t bytes_ = 0;
  std::size_t left_ = 0;
};

/// [81]: the bytes of four 2-bit fields that are trits + 1.
constexpr std::array<std::uint8_t, 81> kTwoBitBytes = [] {
  std::array<std::uint8_t, 81> bytes{};
  for (unsigned i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>(i % 3 | i / 3 % 3 << 2 | i / 9 % 3 << 4 | i / 27 % 3 << 6);
  }
  return bytes;
}();

Projection random_projection(const WeightName& name, std::uint64_t seed, TileArena& arena,
                             const Runtime& runtime) {
  const TileLayout layout = runtime.kernels().preferred_layout;
  TernaryWeightBuilder builder(name.rows, name.columns, Granularity::tensor, 0, layout, &arena);
  const std::size_t bytes = builder.steps() * kPanelStepBytes;
  parallel_rows(runtime, builder.panels(), [&](std::size_t panel) {
    ByteStream stream(seed * builder.panels() + panel);
    std::generate_n(builder.panel(panel), bytes, [&] {
      return layout == TileLayout::t2 ? kTwoBitBytes[stream.below(kTwoBitBytes.size())]
                                      : stream.below(layout == TileLayout::t16 ? 243 : 256);
    });
  });
  // About what makes the product's variance that of its input.
  builder.set_scale(0, 0, 1 / std::sqrt(static_cast<float>(name.columns) * 2 / 3));
  return {builder.finish(name.rows * name.columns / 3), {}};
}

/// Q6_K where rows are whole blocks of it, else Q8_0: random codes, scales that give them
/// deviations of about 0.06.
FloatMatrix random_embedding(std::size_t rows, std::size_t columns, const Runtime& runtime) {
  const bool fits_q6_k = columns % block_layout(Encoding::q6_k).elements == 0;
  const Encoding encoding = fits_q6_k ? Encoding::q6_k : Encoding::q8_0;
  const BlockLayout layout = block_layout(encoding);
  const std::size_t row_bytes = columns / layout.elements * layout.bytes;
  AlignedVector<std::byte> bytes(rows * row_bytes);
  parallel_rows(runtime, rows, [&](std::size_t row) {
    ByteStream stream(row);
    std::byte* block = bytes.data() + row * row_bytes;
    for (std::size_t i = 0; i < columns / layout.elements; ++i, block += layout.bytes) {
      std::generate_n(block, layout.bytes,
                      [&] { return static_cast<std::byte>(stream.below(256)); });
      // Both end or begin with a float16 scale; Q6_K has 16 int8 scales in front of it.
      constexpr std::array kScale = {std::byte{0x00}, std::byte{0x10}};  // 2^-11
      if (fits_q6_k) {
        std::fill_n(block + layout.bytes - 18, 16, std::byte{6});
        std::ranges::copy(kScale, block + layout.bytes - 2);
      } else {
        std::ranges::copy(kScale, block);
      }
    }
  });
  return FloatMatrix::from_bytes(std::move(bytes), encoding, rows, columns);
}

}  // namespace

std::unique_ptr<LanguageModel> synthetic_model(const ModelConfig& config, const Runtime& runtime,
                                               bool head_sketch) {
  const ModelFamily& family = find_model_family(config);
  std::map<std::string, WeightName> names;
  for (WeightName& name : weight_names(config, family)) {
    if (name.required) {
      names.emplace(name.gguf, name);
    }
  }
  const auto norm = [&](const std::string& name) {
    const auto found = names.find(name);
    return std::vector<float>(found == names.end() ? 0 : found->second.columns, 1.0F);
  };
  std::uint64_t seed = 1;
  TileArena arena;
  const auto linear = [&](const std::string& prefix, const char* name) {
    return random_projection(names.at(prefix + name + ".weight"), seed++, arena, runtime);
  };
  ModelWeights weights;
  weights.embedding = random_embedding(config.vocab_size, config.hidden_size, runtime);
  weights.embedding_scale = embedding_scale(config, family);
  if (family.has_head) {
    weights.head = config.tie_word_embeddings
                       ? weights.embedding
                       : random_embedding(config.vocab_size, config.hidden_size, runtime);
    if (head_sketch && HeadSketch::suits(*weights.head)) {
      weights.sketch.emplace(*weights.head, runtime);
    }
  }
  weights.norm = norm("output_norm.weight");
  for (std::size_t i = 0; i < config.num_hidden_layers; ++i) {
    weights.layers.push_back(assemble_layer(config, i, norm, linear));
  }
  return std::make_unique<Transformer>(config, std::move(weights), std::vector<std::string>{},
                                       runtime);
}

}  // namespace bitnet
