// SPDX-License-Identifier: MIT
// The fused loops. Oracle: the same formulas in float64 tensor operations with libtorch's own
// gradients, from the definition in the header.
#include <bitnet/train/batches.h>
#include <bitnet/train/functional.h>
#include <gtest/gtest.h>

#include <limits>
#include <tuple>

#include "train/golden_tensor.h"

namespace bitnet::train {
namespace {

// Sums of up to some hundred float32 products, relative to the largest element of a tensor.
constexpr double kTolerance = 1e-5;

torch::Tensor random(at::IntArrayRef shape) {
  return torch::randn(shape, torch::kFloat32).requires_grad_();
}

torch::Tensor as_double(const torch::Tensor& x) {
  return x.detach().to(torch::kFloat64).requires_grad_();
}

/// y and the gradients of its product with a random tensor, both ways.
template <class Subject, class Oracle>
void expect_same(const std::vector<torch::Tensor>& inputs, const Subject& subject,
                 const Oracle& oracle) {
  std::vector<torch::Tensor> doubles;
  for (const torch::Tensor& input : inputs) doubles.push_back(as_double(input));
  const torch::Tensor found = subject(inputs);
  const torch::Tensor expected = oracle(doubles);
  expect_close(found, expected, kTolerance, "value");
  const torch::Tensor direction = torch::randn(found.sizes());
  (found * direction).sum().backward();
  (expected * direction.to(torch::kFloat64)).sum().backward();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    SCOPED_TRACE(i);
    expect_close(inputs[i].grad(), doubles[i].grad(), kTolerance, "gradient");
  }
}

TEST(RmsNorm, WithAndWithoutGain) {
  torch::manual_seed(1);
  // Short rows are left out: their gradients are small differences of large numbers.
  for (const std::int64_t columns : {15, 16, 17, 96, 256}) {
    for (const std::int64_t rows : {1, 5, 600}) {
      const auto formula = [](const std::vector<torch::Tensor>& in) {
        const torch::Tensor normed = in[0] / (in[0].square().mean(-1, true) + 1e-5).sqrt();
        return in.size() == 2 ? normed * in[1] : normed;
      };
      expect_same(
          {random({rows, columns}), random({columns})},
          [](const auto& in) { return rms_norm(in[0], in[1], 1e-5); }, formula);
      expect_same(
          {random({2, rows, columns})}, [](const auto& in) { return rms_norm(in[0], {}, 1e-5); },
          formula);
    }
  }
}

TEST(GatedActivation, EveryActivation) {
  torch::manual_seed(2);
  const auto expect_gate = [](const char* name, const auto& f) {
    expect_same(
        {random({3, 70}), random({3, 70})},
        [&](const auto& in) { return gated_activation(in[0], in[1], name); },
        [&](const auto& in) { return f(in[0]) * in[1]; });
  };
  expect_gate("relu2", [](const torch::Tensor& g) { return g.clamp_min(0).square(); });
  expect_gate("silu", [](const torch::Tensor& g) { return g / (1 + (-g).exp()); });
  expect_gate("gelu",
              [](const torch::Tensor& g) { return g * (1 + (g / std::sqrt(2)).erf()) / 2; });
  expect_gate("gelu_pytorch_tanh", [](const torch::Tensor& g) {
    return g / (1 + (-2 * std::sqrt(2 / M_PI) * (g + 0.044715 * g.pow(3))).exp());
  });
}

/// One query at a time, from the definition.
torch::Tensor naive_attention(const torch::Tensor& q, const torch::Tensor& k,
                              const torch::Tensor& v, double theta,
                              const AttentionOptions& options) {
  const std::int64_t d = q.size(2) / options.heads;
  const auto rotated = [&](const torch::Tensor& row, std::int64_t position) {
    const torch::Tensor angle =
        position * torch::pow(theta, -2 * torch::arange(d / 2, torch::kFloat64) / d);
    const torch::Tensor a = row.narrow(0, 0, d / 2);
    const torch::Tensor b = row.narrow(0, d / 2, d / 2);
    return torch::cat({a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()});
  };
  std::vector<torch::Tensor> texts;
  for (std::int64_t t = 0; t < q.size(0); ++t) {
    std::vector<torch::Tensor> rows;
    for (std::int64_t i = 0; i < q.size(1); ++i) {
      std::vector<torch::Tensor> heads;
      for (std::int64_t h = 0; h < options.heads; ++h) {
        const std::int64_t g = h / (options.heads / options.kv_heads);
        const std::int64_t from =
            options.window == 0 ? 0 : std::max<std::int64_t>(0, i - options.window + 1);
        std::vector<torch::Tensor> scores, values;
        const torch::Tensor query = rotated(q[t][i].narrow(0, h * d, d), i);
        for (std::int64_t j = from; j <= i; ++j) {
          scores.push_back(query.dot(rotated(k[t][j].narrow(0, g * d, d), j)) *
                           options.score_scale);
          values.push_back(v[t][j].narrow(0, g * d, d));
        }
        heads.push_back(
            torch::matmul(torch::softmax(torch::stack(scores), 0), torch::stack(values)));
      }
      rows.push_back(torch::cat(heads));
    }
    texts.push_back(torch::stack(rows));
  }
  return torch::stack(texts);
}

TEST(CausalAttention, HeadsBlocksAndWindows) {
  torch::manual_seed(3);
  constexpr double kTheta = 10000;
  // heads, KV heads, head_dim, positions (around the edges of a block of queries), window
  for (const auto& [heads, kv_heads, d, positions, window] :
       {std::tuple{2, 1, 8, 1, 0}, std::tuple{4, 2, 8, 7, 0}, std::tuple{1, 1, 4, 65, 0},
        std::tuple{2, 2, 4, 70, 5}, std::tuple{2, 1, 4, 64, 3}, std::tuple{1, 1, 2, 66, 100}}) {
    SCOPED_TRACE(positions);
    const AttentionOptions options{heads, kv_heads, 1 / std::sqrt(d), window};
    const RotaryTable rotary(d, kTheta, 1, 80);
    expect_same(
        {random({2, positions, heads * d}), random({2, positions, kv_heads * d}),
         random({2, positions, kv_heads * d})},
        [&](const auto& in) { return causal_attention(in[0], in[1], in[2], rotary, options); },
        [&](const auto& in) { return naive_attention(in[0], in[1], in[2], kTheta, options); });
    // float64 takes the way of other types and devices.
    expect_same(
        {random({1, positions, heads * d})},
        [&](const auto& in) {
          const torch::Tensor x = in[0].to(torch::kFloat64);
          const torch::Tensor keys = x.narrow(2, 0, kv_heads * d).contiguous();
          return causal_attention(x, keys, keys, rotary, options);
        },
        [&](const auto& in) {
          const torch::Tensor keys = in[0].narrow(2, 0, kv_heads * d);
          return naive_attention(in[0], keys, keys, kTheta, options);
        });
  }
}

TEST(LinearCrossEntropy, PartsAndIgnoredTargets) {
  torch::manual_seed(4);
  for (const std::int64_t tokens : {1, 255, 256, 257, 600}) {
    torch::Tensor targets = torch::randint(0, 50, {tokens}, torch::kInt64);
    if (tokens > 2) targets.narrow(0, tokens / 2, tokens / 3).fill_(kIgnoredTarget);
    expect_same(
        {random({tokens, 24}), random({50, 24})},
        [&](const auto& in) { return linear_cross_entropy(in[0], in[1], targets, 100); },
        [&](const auto& in) {
          torch::Tensor loss = torch::zeros({}, torch::kFloat64);
          const torch::Tensor logits = torch::matmul(in[0], in[1].t());
          for (std::int64_t t = 0; t < tokens; ++t) {
            const auto target = targets[t].template item<std::int64_t>();
            if (target == kIgnoredTarget) continue;
            loss = loss + logits[t].exp().sum().log() - logits[t][target];
          }
          return loss / 100;
        });
  }
}

}  // namespace
}  // namespace bitnet::train
