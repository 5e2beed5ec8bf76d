// SPDX-License-Identifier: MIT
// The fused loops. Oracle: the same formulas in float64 tensor operations with libtorch's own
// gradients, from the definition in the header.
#include <bitnet/error.h>
#include <bitnet/train/batches.h>
#include <bitnet/train/bit_linear.h>
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

TEST(CausalAttention, InBfloat16StaysWithinItsRounding) {
  torch::manual_seed(5);
  const RotaryTable rotary(8, 10000, 1, 80);
  const torch::Tensor x = torch::rand({2, 20, 16}, torch::kFloat64) - 0.5;
  AttentionOptions options{2, 2, 1 / std::sqrt(8), 0};
  const torch::Tensor expected = causal_attention(x, x, x, rotary, options);
  options.precision = Precision::bfloat16;
  const torch::Tensor found = causal_attention(x, x, x, rotary, options);
  EXPECT_FALSE(found.equal(expected));
  // Scores of at most 8/4/√8 < 1 are off by 3 * 2^-9 (two operands, the sum), probabilities by
  // twice that and their own rounding, products by two roundings more: relative to values of 1/2.
  expect_close(found, expected, 9 * std::ldexp(1, -9), "value");
}

/// log Σ exp z of a row.
torch::Tensor log_sum(const torch::Tensor& z) { return z.exp().sum().log(); }

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
            loss = loss + log_sum(logits[t]) - logits[t][target];
          }
          return loss / 100;
        });
  }
}

TEST(LinearCrossEntropy, SmoothedTargetsGiveEveryTokenAShare) {
  torch::manual_seed(7);
  constexpr double kSmoothing = 0.3;
  constexpr std::int64_t kTokens = 300;
  torch::Tensor targets = torch::randint(0, 50, {kTokens}, torch::kInt64);
  targets.narrow(0, 200, 60).fill_(kIgnoredTarget);
  expect_same(
      {random({kTokens, 24}), random({50, 24})},
      [&](const auto& in) {
        return linear_cross_entropy(in[0], in[1], targets, 100, Precision::float32, {}, kSmoothing);
      },
      [&](const auto& in) {
        torch::Tensor loss = torch::zeros({}, torch::kFloat64);
        for (std::int64_t t = 0; t < kTokens; ++t) {
          const auto target = targets[t].template item<std::int64_t>();
          if (target == kIgnoredTarget) continue;
          const torch::Tensor z = torch::mv(in[1], in[0][t]);
          for (std::int64_t v = 0; v < 50; ++v) {
            const double share = kSmoothing / 50 + (v == target ? 1 - kSmoothing : 0);
            loss = loss + share * (log_sum(z) - z[v]);
          }
        }
        return loss / 100;
      });
}

TEST(LinearCrossEntropy, ATeacherOfAnotherWidthAddsItsDivergence) {
  torch::manual_seed(6);
  constexpr double kTemperature = 3;
  constexpr double kWeight = 0.7;
  constexpr std::int64_t kTokens = 300;
  torch::Tensor targets = torch::randint(0, 50, {kTokens}, torch::kInt64);
  targets.narrow(0, 200, 60).fill_(kIgnoredTarget);
  const TeacherLogits teacher{torch::randn({kTokens, 10}), torch::randn({50, 10}), kWeight,
                              kTemperature};
  const torch::Tensor teacher_logits =
      torch::matmul(as_double(teacher.states).detach(), as_double(teacher.head).detach().t());
  expect_same(
      {random({kTokens, 24}), random({50, 24})},
      [&](const auto& in) {
        return linear_cross_entropy(in[0], in[1], targets, 100, Precision::float32, teacher);
      },
      [&](const auto& in) {
        torch::Tensor loss = torch::zeros({}, torch::kFloat64);
        for (std::int64_t t = 0; t < kTokens; ++t) {
          const auto target = targets[t].template item<std::int64_t>();
          if (target == kIgnoredTarget) continue;
          const torch::Tensor z = torch::mv(in[1], in[0][t]);
          loss = loss + log_sum(z) - z[target];
          const torch::Tensor soft = z / kTemperature;
          const torch::Tensor soft_teacher = teacher_logits[t] / kTemperature;
          for (std::int64_t v = 0; v < 50; ++v) {
            const torch::Tensor log_p = soft[v] - log_sum(soft);
            const torch::Tensor log_q = soft_teacher[v] - log_sum(soft_teacher);
            loss = loss + kWeight * kTemperature * kTemperature * log_q.exp() * (log_q - log_p);
          }
        }
        return loss / 100;
      });
}

TEST(BitLinear, InBfloat16RoundsTheOperandsOfItsProducts) {
  torch::manual_seed(8);
  const auto rounded = [](const torch::Tensor& x) {
    return x.detach().to(torch::kBFloat16).to(torch::kFloat64);
  };
  const torch::Tensor x = random({5, 16});
  const torch::Tensor w = random({7, 16});
  const torch::Tensor dy = torch::randn({5, 7});
  const torch::Tensor y = bit_linear(x, {w}, BitNetConfig::b158(), 0, Precision::bfloat16)[0];
  y.backward(dy);
  // On the CPU libtorch 1.13 rounds each of up to 16 partial sums by 2^-9.
  constexpr double kRoundedSum = 16.0 / 512;
  expect_close(y, torch::matmul(rounded(x), rounded(w).t()), kRoundedSum, "y");
  expect_close(x.grad(), torch::matmul(rounded(dy), rounded(w)), kRoundedSum, "dx");
  expect_close(w.grad(), torch::matmul(rounded(dy).t(), rounded(x)), kRoundedSum, "dw");
  const torch::Tensor exact = torch::matmul(as_double(x).detach(), as_double(w).detach().t());
  EXPECT_GT((y.detach() - exact).abs().max().item<double>(), 1e-4);

  // Integer products stay exact.
  const torch::Tensor ternary = bit_linear(x, {w}, BitNetConfig::b158(), 1)[0];
  EXPECT_TRUE(ternary.equal(bit_linear(x, {w}, BitNetConfig::b158(), 1, Precision::bfloat16)[0]));
}

/// KL(softmax of the teacher's cosines ‖ the student's) for one head and one position.
torch::Tensor naive_relation(const torch::Tensor& student, const torch::Tensor& teacher,
                             std::int64_t position, std::int64_t positions) {
  const auto cosines = [&](const torch::Tensor& a) {
    std::vector<torch::Tensor> row;
    for (std::int64_t j = 0; j < positions; ++j) {
      row.push_back(a[position].dot(a[j]) / (a[position].norm() * a[j].norm()));
    }
    return torch::softmax(torch::stack(row), 0);
  };
  const torch::Tensor q = cosines(teacher);
  return (q * (q / cosines(student)).log()).sum();
}

TEST(AttentionRelationLoss, ModelsOfOtherWidthsAndPaddedTexts) {
  torch::manual_seed(7);
  constexpr std::int64_t kHeads = 2;
  const std::vector<std::int64_t> lengths = {6, 4};
  torch::Tensor counts = torch::zeros({2, 6}, torch::kBool);
  for (std::int64_t b = 0; b < 2; ++b) counts[b].narrow(0, 0, lengths[b]).fill_(true);
  const AttentionInputs teacher{torch::randn({2, 6, 12}), torch::randn({2, 6, 4}),
                                torch::randn({2, 6, 4})};
  expect_same(
      {random({2, 6, 8}), random({2, 6, 4}), random({2, 6, 4})},
      [&](const auto& in) {
        return attention_relation_loss({in[0], in[1], in[2]}, teacher, counts, kHeads);
      },
      [&](const auto& in) {
        torch::Tensor sum = torch::zeros({}, torch::kFloat64);
        const std::vector<torch::Tensor> others = {teacher.q, teacher.k, teacher.v};
        for (std::size_t a = 0; a < 3; ++a) {
          const std::int64_t width = in[a].size(2) / kHeads;
          const std::int64_t other_width = others[a].size(2) / kHeads;
          for (std::int64_t b = 0; b < 2; ++b) {
            for (std::int64_t h = 0; h < kHeads; ++h) {
              for (std::int64_t i = 0; i < lengths[b]; ++i) {
                sum = sum + naive_relation(in[a][b].narrow(1, h * width, width),
                                           as_double(others[a])[b].detach().narrow(
                                               1, h * other_width, other_width),
                                           i, lengths[b]);
              }
            }
          }
        }
        return sum / ((lengths[0] + lengths[1]) * kHeads);
      });
  EXPECT_THROW(attention_relation_loss(teacher, teacher, counts, 3), InvalidArgument);
}

}  // namespace
}  // namespace bitnet::train
