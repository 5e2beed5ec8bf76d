// SPDX-License-Identifier: MIT
#include "kernels/ternary_matmul.h"

#include <bitnet/error.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/message.h"
#include "base/thread_pool.h"
#include "kernels/kernel_table.h"
#include "ternary/tile_layout.h"

namespace bitnet {
namespace {

// Codes of a token block stay in the second-level cache while panels stream by: 128 * 2560 = 320
// KB.
constexpr std::size_t kBlockTokens = 128;
// Of a token block's panels each thread first takes one long stretch, half of its share, which
// keeps memory streaming; the rest goes out in pieces, so that threads end together although the
// machine slows some of them down.
constexpr std::size_t kPiecesPerThread = 8;
// Multiply-adds worth a piece: about a microsecond, more than handing it to a thread costs.
constexpr std::size_t kMinPieceMacs = std::size_t{1} << 17;

/// q, k and v share an input.
constexpr std::size_t kMostProducts = 3;

using Kernel = void (*)(const kernels::TernaryGemm&, const kernels::GemmBlock&);

Kernel choose_kernel(const TernaryWeight& weight, const Runtime& runtime) {
  if (weight.granularity() == Granularity::group) {
    const bool whole_steps = weight.group_size() % step_inputs(TileLayout::t2) == 0;
    return whole_steps ? runtime.kernels().gemm_t2_grouped : kernels::kScalarTable.gemm_t2_grouped;
  }
  return weight.layout() == TileLayout::t16 ? runtime.kernels().gemm_t16
                                            : runtime.kernels().gemm_t2;
}

kernels::TernaryGemm describe(const TernaryWeight& weight, const ActivationPanel& x) {
  kernels::TernaryGemm gemm{};
  gemm.tiles = weight.tiles().data();
  gemm.rows = weight.out_features();
  gemm.steps = step_count(weight.layout(), weight.in_features());
  gemm.groups = weight.groups();
  gemm.group_inputs = weight.group_size();
  gemm.codes = x.codes.data();
  gemm.code_stride = x.stride;
  gemm.code_sums = x.code_sums.data();
  gemm.prefetch = kernels::tile_prefetch();
  return gemm;
}

/// A weight's product, described once for all of its blocks.
struct Product {
  kernels::TernaryGemm gemm;
  Kernel kernel;
  std::size_t panels;

  void run(std::size_t first, std::size_t last, std::size_t first_token,
           std::size_t last_token) const {
    kernel(gemm, {.first_panel = first,
                  .last_panel = last,
                  .first_token = first_token,
                  .last_token = last_token});
  }
};

/// How the panels of a token block are cut: a stretch for each thread, then pieces.
class PanelCuts {
 public:
  PanelCuts(std::size_t panels, std::size_t panel_macs, std::size_t threads) : panels_(panels) {
    if (threads == 1 || panels * panel_macs < 2 * kMinPieceMacs) {
      stretch_ = panels;
      return;
    }
    stretches_ = threads;
    stretch_ = panels / (2 * threads);
    pieces_ =
        std::min({rest(), threads * kPiecesPerThread, 1 + rest() * panel_macs / kMinPieceMacs});
  }

  std::size_t count() const { return stretches_ + pieces_; }
  /// First panel of cut i; that of cut count() is the number of panels.
  std::size_t begin(std::size_t i) const {
    return i <= stretches_ ? i * stretch_ : panels_ - rest() + rest() * (i - stretches_) / pieces_;
  }

 private:
  std::size_t rest() const { return panels_ - stretches_ * stretch_; }

  std::size_t panels_;
  std::size_t stretches_ = 1;
  std::size_t stretch_ = 0;
  std::size_t pieces_ = 0;
};

/// Calls body(first panel, last panel, first token, last token) on all threads.
template <class Body>
void for_each_block(std::size_t panels, std::size_t steps, std::size_t tokens,
                    const Runtime& runtime, const Body& body) {
  constexpr std::size_t kStepMacs = kPanelRows * 16;  // of either layout, nearly
  const PanelCuts cuts(panels, steps * kStepMacs * std::min(tokens, kBlockTokens),
                       static_cast<std::size_t>(runtime.threads()));
  const std::size_t token_blocks = (tokens + kBlockTokens - 1) / kBlockTokens;
  runtime.pool().parallel_for(token_blocks * cuts.count(), [&](std::size_t i) {
    const std::size_t cut = i % cuts.count();
    const std::size_t first_token = i / cuts.count() * kBlockTokens;
    body(cuts.begin(cut), cuts.begin(cut + 1), first_token,
         std::min(first_token + kBlockTokens, tokens));
  });
}

Product describe_product(const TernaryWeight& weight, const ActivationPanel& x,
                         const Runtime& runtime) {
  return {describe(weight, x), choose_kernel(weight, runtime), panel_count(weight.out_features())};
}

/// A product of floats, [T, N].
Product describe_product(const TernaryProduct& product, const ActivationPanel& x,
                         std::span<const float> activation_scales, const Runtime& runtime) {
  const TernaryWeight& weight = *product.weight;
  Product result = describe_product(weight, x, runtime);
  kernels::TernaryGemm& gemm = result.gemm;
  gemm.out = product.y.data();
  gemm.activation_scales = activation_scales.data();
  gemm.activation_scale_step = activation_scales.size() == 1 ? 0 : 1;
  gemm.weight_scales = weight.tile_scales().data();
  gemm.weight_scale_step = weight.granularity() == Granularity::tensor ? 0 : 1;
  gemm.bias = product.bias.empty() ? nullptr : product.bias.data();
  return result;
}

}  // namespace

void ActivationPanel::assign(std::span<const std::int8_t> values, std::size_t token_count,
                             const TernaryWeight& weight) {
  const std::size_t columns = weight.in_features();
  if (values.size() != token_count * columns) {
    throw ShapeMismatch(message("activations: expected ", token_count, " tokens of ", columns,
                                " codes, found ", values.size(), " codes"));
  }
  tokens = token_count;
  stride = step_count(weight.layout(), columns) * step_inputs(weight.layout());
  const std::size_t groups = weight.groups();
  const std::size_t group_inputs = columns / groups;
  codes.resize(tokens * stride);
  code_sums.resize(tokens * groups);
  for (std::size_t t = 0; t < tokens; ++t) {
    const std::int8_t* source = values.data() + t * columns;
    std::int8_t* target = codes.data() + t * stride;
    std::memcpy(target, source, columns);
    std::memset(target + columns, 0, stride - columns);
    for (std::size_t g = 0; g < groups; ++g) {
      std::int32_t sum = 0;
      for (std::size_t k = 0; k < group_inputs; ++k) {
        sum += source[g * group_inputs + k];
      }
      code_sums[t * groups + g] = sum;
    }
  }
}

void ternary_matmul(std::span<const TernaryProduct> products, const ActivationPanel& x,
                    std::span<const float> activation_scales, const Runtime& runtime) {
  std::array<Product, kMostProducts> described;
  std::size_t count = 0;
  std::size_t panels = 0;
  for (const TernaryProduct& product : products) {
    described.at(count) = describe_product(product, x, activation_scales, runtime);
    panels += described[count++].panels;
  }
  const std::span<const Product> all(described.data(), count);
  for_each_block(
      panels, all.front().gemm.steps, x.tokens, runtime,
      [&](std::size_t first, std::size_t last, std::size_t first_token, std::size_t last_token) {
        std::size_t before = 0;  // panels of the products in front
        for (const Product& product : all) {
          const std::size_t begin = std::max(first, before);
          const std::size_t end = std::min(last, before + product.panels);
          if (begin < end) {
            product.run(begin - before, end - before, first_token, last_token);
          }
          before += product.panels;
        }
      });
}

void ternary_matmul(const TernaryWeight& weight, const ActivationPanel& x,
                    std::span<std::int32_t> sums, const Runtime& runtime) {
  Product product = describe_product(weight, x, runtime);
  product.gemm.sums = sums.data();
  for_each_block(
      product.panels, product.gemm.steps, x.tokens, runtime,
      [&](std::size_t first, std::size_t last, std::size_t first_token, std::size_t last_token) {
        product.run(first, last, first_token, last_token);
      });
}

void gated_ternary_matmul(const TernaryProduct& gate, const TernaryProduct& up, Gate gate_function,
                          const ActivationPanel& x, std::span<const float> activation_scales,
                          const Runtime& runtime) {
  const Product gate_product = describe_product(gate, x, activation_scales, runtime);
  const Product up_product = describe_product(up, x, activation_scales, runtime);
  const std::size_t rows = gate_product.gemm.rows;
  for_each_block(
      gate_product.panels, 2 * gate_product.gemm.steps, x.tokens, runtime,
      [&](std::size_t first, std::size_t last, std::size_t first_token, std::size_t last_token) {
        gate_product.run(first, last, first_token, last_token);
        up_product.run(first, last, first_token, last_token);
        const std::size_t row = first * kPanelRows;
        const std::size_t count = std::min(last * kPanelRows, rows) - row;
        for (std::size_t t = first_token; t < last_token; ++t) {
          float* const values = gate.y.data() + t * rows + row;
          gate_function(values, up.y.data() + t * rows + row, count, values);
        }
      });
}

}  // namespace bitnet
