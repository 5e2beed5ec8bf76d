// SPDX-License-Identifier: MIT
#include "kernels/ternary_matmul.h"

#include <bitnet/error.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/aligned_vector.h"
#include "base/message.h"
#include "base/thread_pool.h"
#include "kernels/kernel_table.h"
#include "kernels/table_scratch.h"
#include "ternary/tile_layout.h"

namespace bitnet {
namespace {

// Codes of a token block stay in the second-level cache while panels stream by: 128 * 2560 = 320
// KB.
constexpr std::size_t kBlockTokens = 128;
// Of a token block's panels each thread first takes one long stretch, seven eighths of its share,
// which keeps memory streaming; the rest goes out in pieces, so that threads end together although
// the machine slows some of them down.
constexpr std::size_t kPiecesPerThread = 4;
// Multiply-adds worth a piece: about a microsecond, more than handing it to a thread costs.
constexpr std::size_t kMinPieceMacs = std::size_t{1} << 17;

constexpr std::size_t kTableBlocksPerThread = 2;

/// q, k and v share an input.
constexpr std::size_t kMostProducts = 3;

using kernels::kTableTokens;
using Kernel = void (*)(const kernels::TernaryGemm&, const kernels::GemmBlock&);
using TableKernel = void (*)(const kernels::TernaryGemm&, const kernels::GemmBlock&,
                             kernels::TableScratch&);

constexpr std::size_t divide_up(std::size_t n, std::size_t by) { return (n + by - 1) / by; }

Kernel choose_kernel(const TernaryWeight& weight, const Runtime& runtime) {
  if (weight.granularity() == Granularity::group) {
    const bool whole_steps = weight.group_size() % step_inputs(TileLayout::t2) == 0;
    return whole_steps ? runtime.kernels().gemm_t2_grouped : kernels::kScalarTable.gemm_t2_grouped;
  }
  return kernels::gemm_kernel(runtime.kernels(), weight.layout());
}

TableKernel choose_table_kernel(const TernaryWeight& weight, const Runtime& runtime) {
  return weight.granularity() == Granularity::group
             ? nullptr
             : kernels::table_gemm_kernel(runtime.kernels(), weight.layout());
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
  gemm.unpack_once = kernels::tokens_to_unpack_once();
  return gemm;
}

/// A weight's product, described once for all of its blocks.
struct Product {
  kernels::TernaryGemm gemm;
  Kernel kernel;
  TableKernel table_kernel;  // or nullptr
  std::size_t panels;
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
    stretch_ = 7 * panels / (8 * threads);
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

/// Calls body(block) on all threads, for blocks that together are all panels times the tokens from
/// first_token on.
template <class Body>
void for_each_block(std::size_t panels, std::size_t steps, std::size_t first_token,
                    std::size_t tokens, const Runtime& runtime, const Body& body) {
  constexpr std::size_t kStepMacs = kPanelRows * 16;  // of either layout, nearly
  const std::size_t count = tokens - first_token;
  const PanelCuts cuts(panels, steps * kStepMacs * std::min(count, kBlockTokens),
                       static_cast<std::size_t>(runtime.threads()));
  runtime.pool().parallel_for(divide_up(count, kBlockTokens) * cuts.count(), [&](std::size_t i) {
    const std::size_t cut = i % cuts.count();
    const std::size_t token = first_token + i / cuts.count() * kBlockTokens;
    body(kernels::GemmBlock{.first_panel = cuts.begin(cut),
                            .last_panel = cuts.begin(cut + 1),
                            .first_token = token,
                            .last_token = std::min(token + kBlockTokens, tokens)});
  });
}

/// How many tokens, from the first on, the product serves faster by tables.
std::size_t tokens_for_tables(const Product& product, std::size_t tokens, const Runtime& runtime) {
  if (product.table_kernel == nullptr) return 0;
  const kernels::KernelTable& table = runtime.kernels();
  const std::size_t remainder = tokens % kTableTokens;
  const bool remainder_too = remainder >= table.table_gemm_least_tokens;
  const std::size_t served = remainder_too ? tokens : tokens - remainder;
  const std::size_t most_chunks = product.panels / table.table_gemm_panels.least;
  const bool all_threads_busy =
      divide_up(served, kTableTokens) * most_chunks >= static_cast<std::size_t>(runtime.threads());
  return all_threads_busy ? served : 0;
}

/// A table's memory, kept by each thread that ever multiplied by tables.
kernels::TableScratch& scratch_of_this_thread() {
  thread_local AlignedVector<kernels::TableScratch> scratch(1);
  return scratch.front();
}

/// Calls body(block) on all threads, for blocks that a product by tables takes well and that
/// together are all panels times the first `tokens` tokens.
template <class Body>
void for_each_table_block(std::size_t panels, std::size_t tokens, const Runtime& runtime,
                          const Body& body) {
  const std::size_t token_blocks = divide_up(tokens, kTableTokens);
  const auto threads = static_cast<std::size_t>(runtime.threads());
  const auto limits = runtime.kernels().table_gemm_panels;
  const std::size_t wanted_chunks =
      threads == 1 ? 1 : divide_up(threads * kTableBlocksPerThread, token_blocks);
  const std::size_t panel_chunks =
      std::clamp(wanted_chunks, divide_up(panels, limits.most), panels / limits.least);
  // All tokens pass by a chunk before the next one: its tiles stay in the second-level cache.
  runtime.pool().parallel_for(panel_chunks * token_blocks, [&](std::size_t i) {
    const std::size_t chunk = i / token_blocks;
    const std::size_t token = i % token_blocks * kTableTokens;
    body(kernels::GemmBlock{.first_panel = panels * chunk / panel_chunks,
                            .last_panel = panels * (chunk + 1) / panel_chunks,
                            .first_token = token,
                            .last_token = std::min(token + kTableTokens, tokens)});
  });
}

/// A block by table lookup.
void look_up(const Product& product, const kernels::GemmBlock& block) {
  product.table_kernel(product.gemm, block, scratch_of_this_thread());
}

/// The tokens from first_token on by multiplying, products side by side: their panels are numbered
/// through.
void multiply_side_by_side(std::span<const Product> products, std::size_t first_token,
                           std::size_t tokens, const Runtime& runtime) {
  std::size_t panels = 0;
  for (const Product& product : products) {
    panels += product.panels;
  }
  for_each_block(panels, products.front().gemm.steps, first_token, tokens, runtime,
                 [&](const kernels::GemmBlock& block) {
                   std::size_t before = 0;  // panels of the products in front
                   for (const Product& product : products) {
                     kernels::GemmBlock own = block;
                     own.first_panel = std::max(block.first_panel, before) - before;
                     own.last_panel =
                         std::min(std::max(block.last_panel, before) - before, product.panels);
                     if (own.first_panel < own.last_panel) {
                       product.kernel(product.gemm, own);
                     }
                     before += product.panels;
                   }
                 });
}

/// Tables serve the tokens that they serve faster. Products that all do without them are side by
/// side.
void multiply(std::span<const Product> products, std::size_t tokens, const Runtime& runtime) {
  const bool without_tables = std::ranges::all_of(products, [&](const Product& product) {
    return tokens_for_tables(product, tokens, runtime) == 0;
  });
  if (without_tables) {
    multiply_side_by_side(products, 0, tokens, runtime);
    return;
  }
  for (const Product& product : products) {
    const std::size_t served = tokens_for_tables(product, tokens, runtime);
    if (served != 0) {
      for_each_table_block(product.panels, served, runtime,
                           [&](const kernels::GemmBlock& block) { look_up(product, block); });
    }
    if (served != tokens) multiply_side_by_side({&product, 1}, served, tokens, runtime);
  }
}

Product describe_product(const TernaryWeight& weight, const ActivationPanel& x,
                         const Runtime& runtime) {
  return {describe(weight, x), choose_kernel(weight, runtime), choose_table_kernel(weight, runtime),
          panel_count(weight.out_features())};
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
                             const TernaryWeight& weight, const Runtime& runtime) {
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
  runtime.pool().parallel_for_runs(tokens, [&](std::size_t t) {
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
  });
}

void ternary_matmul(std::span<const TernaryProduct> products, const ActivationPanel& x,
                    std::span<const float> activation_scales, const Runtime& runtime) {
  std::array<Product, kMostProducts> described;
  std::size_t count = 0;
  for (const TernaryProduct& product : products) {
    described.at(count++) = describe_product(product, x, activation_scales, runtime);
  }
  multiply({described.data(), count}, x.tokens, runtime);
}

void ternary_matmul(const TernaryWeight& weight, const ActivationPanel& x,
                    std::span<std::int32_t> sums, const Runtime& runtime) {
  Product product = describe_product(weight, x, runtime);
  product.gemm.sums = sums.data();
  multiply({&product, 1}, x.tokens, runtime);
}

void gated_ternary_matmul(const TernaryProduct& gate, const TernaryProduct& up, Gate gate_function,
                          const ActivationPanel& x, std::span<const float> activation_scales,
                          const Runtime& runtime) {
  const std::array products = {describe_product(gate, x, activation_scales, runtime),
                               describe_product(up, x, activation_scales, runtime)};
  const auto apply_gate = [&, rows = products[0].gemm.rows](const kernels::GemmBlock& block) {
    const std::size_t first = std::min(block.first_panel * kPanelRows, rows);
    const std::size_t last = std::min(block.last_panel * kPanelRows, rows);
    for (std::size_t t = block.first_token; t < block.last_token; ++t) {
      float* const values = gate.y.data() + t * rows;
      gate_function(values + first, up.y.data() + t * rows + first, last - first, values + first);
    }
  };
  const std::size_t served = std::min(tokens_for_tables(products[0], x.tokens, runtime),
                                      tokens_for_tables(products[1], x.tokens, runtime));
  if (served != 0) {
    for_each_table_block(products[0].panels, served, runtime, [&](const kernels::GemmBlock& block) {
      for (const Product& product : products) look_up(product, block);
      apply_gate(block);
    });
  }
  for_each_block(products[0].panels, 2 * products[0].gemm.steps, served, x.tokens, runtime,
                 [&](const kernels::GemmBlock& block) {
                   for (const Product& product : products) product.kernel(product.gemm, block);
                   apply_gate(block);
                 });
}

}  // namespace bitnet
