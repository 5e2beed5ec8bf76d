// SPDX-License-Identifier: MIT
// Attention in the shape of BitNet b1.58 2B-4T over 4096 positions: one token against streaming
// reads, as each reads all keys and values; a prompt's last tokens against the peak of dot
// products.
#include <cmath>
#include <memory>
#include <vector>

#include "base/message.h"
#include "contest.h"
#include "layers/attention.h"
#include "random_inputs.h"

namespace bitnet::bench {
namespace {

constexpr std::size_t kHeads = 20;
constexpr std::size_t kKvHeads = 5;
constexpr std::size_t kHeadDim = 128;
constexpr std::size_t kPositions = 4096;
constexpr std::size_t kPromptTokens = 512;

/// A full cache of some layers; each run attends in the next one.
class Attention {
 public:
  Attention(std::size_t tokens, std::size_t layers, CacheType type, const Runtime& runtime)
      : layout_(layers, kKvHeads, kHeadDim, type),
        layers_(layers),
        cache_(std::make_shared<KvPagePool>(layout_), kPositions),
        queries_(random_tensor({tokens, kHeads * kHeadDim}).data),
        out_(tokens * kHeads * kHeadDim) {
    const std::vector<float> head = random_tensor({kPositions, kKvHeads * kHeadDim}).data;
    cache_.extend(kPositions);
    for (std::size_t layer = 0; layer < layers; ++layer) {
      for (std::size_t j = 0; j < kPositions; ++j) {
        const float* const row = head.data() + j * kKvHeads * kHeadDim;
        cache_.write(layer, j, row, row, runtime.kernels());
      }
    }
    for (std::size_t t = 0; t < tokens; ++t) {
      tokens_.push_back({&cache_, kPositions - tokens + t});
    }
  }

  void run(const Runtime& runtime) {
    attend(tokens_, next_, {kHeads, 1 / std::sqrt(float{kHeadDim}), 0}, queries_.data(),
           out_.data(), runtime);
    next_ = (next_ + 1) % layers_;
  }
  double layer_gigabytes() const {
    return static_cast<double>(layout_.page_bytes() / layers_ * (kPositions / 64)) * 1e-9;
  }
  /// Of scores and values, over the positions that each token sees.
  double giga_multiply_adds() const {
    double positions = 0;
    for (const AttentionToken& token : tokens_) {
      positions += static_cast<double>(token.position + 1);
    }
    return 2 * positions * kHeads * kHeadDim * 1e-9;
  }

 private:
  KvLayout layout_;
  std::size_t layers_;
  PagedKvCache cache_;
  std::vector<float> queries_, out_;
  std::vector<AttentionToken> tokens_;
  std::size_t next_ = 0;
};

/// Over more bytes of keys and values than a last-level cache holds.
Contender one_token(CacheType type, const Runtime& runtime) {
  return {message(to_string(type), " ", runtime.kernels().name), [=, &runtime] {
            const std::size_t layers = type == CacheType::f16 ? 30 : 60;
            const auto attention = std::make_shared<Attention>(1, layers, type, runtime);
            return Task{attention->layer_gigabytes(), [=, &runtime] { attention->run(runtime); }};
          }};
}

Contender prompt(CacheType type, const Runtime& runtime) {
  return {
      message(to_string(type), " ", runtime.kernels().name), [=, &runtime] {
        const auto attention = std::make_shared<Attention>(kPromptTokens, 1, type, runtime);
        return Task{attention->giga_multiply_adds(), [=, &runtime] { attention->run(runtime); }};
      }};
}

}  // namespace

std::vector<Contest> attention_contests(const Runtime& runtime) {
  return {{.title = message("attention 2B, 1 token at ", kPositions),
           .unit = "GB/s",
           .runtime = &runtime,
           .ours = {one_token(CacheType::f16, runtime), one_token(CacheType::q8_0, runtime)},
           .references = {memory_reads(runtime)}},
          {.title = message("attention 2B, ", kPromptTokens, " tokens at ", kPositions),
           .unit = "GMAC/s",
           .runtime = &runtime,
           .ours = {prompt(CacheType::f16, runtime), prompt(CacheType::q8_0, runtime)},
           .references = {dot_products(runtime)}}};
}

}  // namespace bitnet::bench
