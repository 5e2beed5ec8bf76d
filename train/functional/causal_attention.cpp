// SPDX-License-Identifier: MIT
#include <ATen/Parallel.h>
#include <bitnet/runtime.h>
#include <bitnet/train/functional.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "functional/matrix_product.h"
#include "kernels/kernel_table.h"
#include "layers/rotary_embedding.h"

namespace bitnet::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Queries that share a block of scores: what they cannot see behind it is not computed.
constexpr std::int64_t kBlock = 64;

/// Sizes of one call, and where the heads lie.
struct Geometry {
  std::int64_t texts, positions, head_dim, query_stride, key_stride;

  Geometry(const torch::Tensor& q, const torch::Tensor& k, const AttentionOptions& options)
      : texts(q.size(0)),
        positions(q.size(1)),
        head_dim(q.size(2) / options.heads),
        query_stride(q.size(2)),
        key_stride(k.size(2)) {}
};

/// Turns each head of x [B, S, heads D] by its position, or back.
void rotate(torch::Tensor& x, std::int64_t head_dim, const RotaryTable& rotary, bool back) {
  const kernels::KernelTable& kernels = Runtime::serial().kernels();
  const std::int64_t half = head_dim / 2;
  const std::int64_t positions = x.size(1);
  const std::int64_t width = x.size(2);
  const torch::Tensor sines = back ? -rotary.sines : rotary.sines;
  at::parallel_for(0, x.size(0) * positions, 64, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t t = first; t < last; ++t) {
      const std::int64_t at = (t % positions) * half;
      for (std::int64_t d = 0; d < width; d += head_dim) {
        kernels.rotate(x.data_ptr<float>() + t * width + d, rotary.cosines.data_ptr<float>() + at,
                       sines.data_ptr<float>() + at, half);
      }
    }
  });
}

/// Queries first .. first + count of one head, and the keys that any of them sees.
struct Block {
  std::int64_t first, count, first_key, keys;
};

template <class Body>
void for_each_block(const Geometry& shape, const AttentionOptions& options, const Body& body) {
  for (std::int64_t first = 0; first < shape.positions; first += kBlock) {
    const std::int64_t count = std::min(kBlock, shape.positions - first);
    const std::int64_t first_key =
        options.window == 0 ? 0 : std::max<std::int64_t>(0, first - options.window + 1);
    body(Block{first, count, first_key, first + count - first_key});
  }
}

/// One head's part of the tensors; strides are those of Geometry.
struct Head {
  const float *q, *k, *v;
};

/// x := softmax(x)
void softmax(float* x, std::int64_t n) {
  const kernels::KernelTable& kernels = Runtime::serial().kernels();
  float most = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : most)
  for (std::int64_t i = 0; i < n; ++i) {
    most = std::max(most, x[i]);
  }
  kernels.exponentials(x, n, most, x);
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) {
    sum += x[i];
  }
  const float factor = 1 / sum;
  for (std::int64_t i = 0; i < n; ++i) {
    x[i] *= factor;
  }
}

/// dp := p ⊙ (dp - ⟨p ⊙ dp⟩), the gradient in front of a softmax.
void softmax_backward(const float* p, float* dp, std::int64_t n) {
  float mean = 0;
  Runtime::serial().kernels().dots(p, 1, dp, 1, static_cast<std::size_t>(n), &mean, 1);
  for (std::int64_t i = 0; i < n; ++i) {
    dp[i] = p[i] * (dp[i] - mean);
  }
}

/// softmax(scale q kᵀ) of a block: p [count, keys], zero where a query does not look.
void probabilities(const Head& head, const Geometry& shape, const Block& block,
                   const AttentionOptions& options, std::vector<float>& p) {
  p.resize(block.count * block.keys);
  sgemm(block.count, block.keys, shape.head_dim, static_cast<float>(options.score_scale),
        {head.q + block.first * shape.query_stride, shape.query_stride},
        {head.k + block.first_key * shape.key_stride, shape.key_stride, true}, 0, p.data(),
        block.keys);
  for (std::int64_t i = 0; i < block.count; ++i) {
    float* const row = p.data() + i * block.keys;
    const std::int64_t position = block.first + i;
    const std::int64_t sees_from = options.window == 0 ? 0 : position - options.window + 1;
    const std::int64_t hidden = std::max<std::int64_t>(0, sees_from - block.first_key);
    const std::int64_t end = position + 1 - block.first_key;
    std::fill(row, row + hidden, 0.0F);
    softmax(row + hidden, end - hidden);
    std::fill(row + end, row + block.keys, 0.0F);
  }
}

/// Of one block, [count, keys] each; a thread keeps their memory.
struct BlockScores {
  std::vector<float> p;   ///< probabilities
  std::vector<float> ds;  ///< gradient by the scores
};

/// Calls body(text, kv head, scores) on all threads: the query heads of a KV head stay together, so
/// that gradients of keys and values are added up by one thread.
template <class Body>
void for_each_kv_head(const Geometry& shape, const AttentionOptions& options, const Body& body) {
  at::parallel_for(0, shape.texts * options.kv_heads, 1,
                   [&](std::int64_t first, std::int64_t last) {
                     BlockScores scores;
                     for (std::int64_t i = first; i < last; ++i) {
                       body(i / options.kv_heads, i % options.kv_heads, scores);
                     }
                   });
}

struct CausalAttention : torch::autograd::Function<CausalAttention> {
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& q_in,
                               const torch::Tensor& k_in, const torch::Tensor& v_in,
                               const RotaryTable& rotary, const AttentionOptions& options) {
    const Geometry shape(q_in, k_in, options);
    torch::Tensor q = q_in.clone(torch::MemoryFormat::Contiguous);
    torch::Tensor k = k_in.clone(torch::MemoryFormat::Contiguous);
    const torch::Tensor v = v_in.contiguous();
    rotate(q, shape.head_dim, rotary, false);
    rotate(k, shape.head_dim, rotary, false);
    torch::Tensor out = torch::empty_like(q);
    const std::int64_t group = options.heads / options.kv_heads;
    for_each_kv_head(shape, options, [&](std::int64_t text, std::int64_t kv_head, auto& scores) {
      const std::int64_t key_at =
          text * shape.positions * shape.key_stride + kv_head * shape.head_dim;
      for (std::int64_t h = kv_head * group; h < (kv_head + 1) * group; ++h) {
        const std::int64_t query_at =
            text * shape.positions * shape.query_stride + h * shape.head_dim;
        const Head head{q.data_ptr<float>() + query_at, k.data_ptr<float>() + key_at,
                        v.data_ptr<float>() + key_at};
        for_each_block(shape, options, [&](const Block& block) {
          probabilities(head, shape, block, options, scores.p);
          sgemm(block.count, shape.head_dim, block.keys, 1, {scores.p.data(), block.keys},
                {head.v + block.first_key * shape.key_stride, shape.key_stride}, 0,
                out.data_ptr<float>() + query_at + block.first * shape.query_stride,
                shape.query_stride);
        });
      }
    });
    context->save_for_backward({q, k, v, rotary.cosines, rotary.sines});
    context->saved_data["options"] = std::vector<double>{
        static_cast<double>(options.heads), static_cast<double>(options.kv_heads),
        options.score_scale, static_cast<double>(options.window)};
    return out;
  }

  /// With P the probabilities and ⟨·⟩ the sum over a row:
  ///   dV = Pᵀ dO,  dP = dO Vᵀ,  dS = P ⊙ (dP - ⟨P ⊙ dP⟩),  dQ = scale dS K,  dK = scale dSᵀ Q.
  static variable_list backward(AutogradContext* context, const variable_list& output_gradients) {
    const variable_list saved = context->get_saved_variables();
    const std::vector<double> numbers = context->saved_data["options"].toDoubleVector();
    const AttentionOptions options{static_cast<std::int64_t>(numbers[0]),
                                   static_cast<std::int64_t>(numbers[1]), numbers[2],
                                   static_cast<std::int64_t>(numbers[3])};
    const torch::Tensor &q = saved[0], &k = saved[1], &v = saved[2];
    const torch::Tensor d_out = output_gradients[0].contiguous();
    const Geometry shape(q, k, options);
    torch::Tensor dq = torch::empty_like(q);
    torch::Tensor dk = torch::zeros_like(k);
    torch::Tensor dv = torch::zeros_like(v);
    const std::int64_t group = options.heads / options.kv_heads;
    const auto scale = static_cast<float>(options.score_scale);
    const std::int64_t d = shape.head_dim;
    for_each_kv_head(shape, options, [&](std::int64_t text, std::int64_t kv_head, auto& scores) {
      const std::int64_t key_at = text * shape.positions * shape.key_stride + kv_head * d;
      for (std::int64_t h = kv_head * group; h < (kv_head + 1) * group; ++h) {
        const std::int64_t query_at = text * shape.positions * shape.query_stride + h * d;
        const Head head{q.data_ptr<float>() + query_at, k.data_ptr<float>() + key_at,
                        v.data_ptr<float>() + key_at};
        for_each_block(shape, options, [&](const Block& block) {
          const std::int64_t rows_at = query_at + block.first * shape.query_stride;
          const std::int64_t keys_at = key_at + block.first_key * shape.key_stride;
          const FloatOperand d_rows{d_out.data_ptr<float>() + rows_at, shape.query_stride};
          std::vector<float>& p = scores.p;
          std::vector<float>& ds = scores.ds;
          probabilities(head, shape, block, options, p);
          ds.resize(p.size());
          sgemm(block.count, block.keys, d, 1, d_rows,
                {v.data_ptr<float>() + keys_at, shape.key_stride, true}, 0, ds.data(), block.keys);
          sgemm(block.keys, d, block.count, 1, {p.data(), block.keys, true}, d_rows, 1,
                dv.data_ptr<float>() + keys_at, shape.key_stride);
          for (std::int64_t i = 0; i < block.count; ++i) {
            softmax_backward(p.data() + i * block.keys, ds.data() + i * block.keys, block.keys);
          }
          sgemm(block.count, d, block.keys, scale, {ds.data(), block.keys},
                {k.data_ptr<float>() + keys_at, shape.key_stride}, 0,
                dq.data_ptr<float>() + rows_at, shape.query_stride);
          sgemm(block.keys, d, block.count, scale, {ds.data(), block.keys, true},
                {q.data_ptr<float>() + rows_at, shape.query_stride}, 1,
                dk.data_ptr<float>() + keys_at, shape.key_stride);
        });
      }
    });
    RotaryTable rotary;
    rotary.cosines = saved[3];
    rotary.sines = saved[4];
    rotate(dq, d, rotary, true);
    rotate(dk, d, rotary, true);
    return {dq, dk, dv, {}, {}};
  }
};

/// x [B, S, heads D] -> rotated, [B, heads, S, D]
torch::Tensor rotated_heads(const torch::Tensor& x, std::int64_t heads, const RotaryTable& rotary) {
  const torch::Tensor split =
      x.view({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
  const std::int64_t half = split.size(3) / 2;
  const auto table = [&](const torch::Tensor& values) {
    return values.narrow(0, 0, x.size(1)).to(x.device(), x.scalar_type());
  };
  const torch::Tensor cosines = table(rotary.cosines);
  const torch::Tensor sines = table(rotary.sines);
  const torch::Tensor a = split.narrow(3, 0, half);
  const torch::Tensor b = split.narrow(3, half, half);
  return torch::cat({a * cosines - b * sines, b * cosines + a * sines}, 3);
}

torch::Tensor attention_in_tensor_operations(const torch::Tensor& q, const torch::Tensor& k,
                                             const torch::Tensor& v, const RotaryTable& rotary,
                                             const AttentionOptions& options) {
  const std::int64_t group = options.heads / options.kv_heads;
  const std::int64_t positions = q.size(1);
  const torch::Tensor queries = rotated_heads(q, options.heads, rotary);
  const torch::Tensor keys = rotated_heads(k, options.kv_heads, rotary).repeat_interleave(group, 1);
  const torch::Tensor values = v.view({v.size(0), positions, options.kv_heads, -1})
                                   .transpose(1, 2)
                                   .repeat_interleave(group, 1);
  const torch::Tensor all =
      torch::ones({positions, positions}, torch::dtype(torch::kBool).device(q.device()));
  torch::Tensor hidden = all.triu(1);
  if (options.window != 0) {
    hidden = hidden.logical_or(all.tril(-options.window));
  }
  const torch::Tensor scores =
      product(queries, keys.transpose(2, 3), options.precision) * options.score_scale;
  const torch::Tensor p =
      torch::softmax(scores.masked_fill(hidden, -std::numeric_limits<double>::infinity()), 3);
  return product(p, values, options.precision).transpose(1, 2).reshape(q.sizes());
}

}  // namespace

RotaryTable::RotaryTable(std::int64_t head_dim, double theta, double scaling_factor,
                         std::int64_t positions)
    : cosines(torch::empty({positions, head_dim / 2})),
      sines(torch::empty({positions, head_dim / 2})) {
  const RotaryEmbedding rotary(head_dim, theta, scaling_factor, positions);
  const std::int64_t half = head_dim / 2;
  std::vector<float> turned(head_dim);
  for (std::int64_t position = 0; position < positions; ++position) {
    // Turning (1, 0) gives (cos, sin).
    std::fill_n(turned.begin(), half, 1.0F);
    std::fill_n(turned.begin() + half, half, 0.0F);
    rotary.apply(turned.data(), position, Runtime::serial().kernels());
    std::copy_n(turned.begin(), half, cosines.data_ptr<float>() + position * half);
    std::copy_n(turned.begin() + half, half, sines.data_ptr<float>() + position * half);
  }
}

torch::Tensor causal_attention(const torch::Tensor& q, const torch::Tensor& k,
                               const torch::Tensor& v, const RotaryTable& rotary,
                               const AttentionOptions& options) {
  return runs_fused(q) ? CausalAttention::apply(q, k, v, rotary, options)
                       : attention_in_tensor_operations(q, k, v, rotary, options);
}

}  // namespace bitnet::train
