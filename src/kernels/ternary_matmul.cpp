// SPDX-License-Identifier: MIT
#include "kernels/ternary_matmul.h"

#include <bitnet/error.h>

#include <algorithm>
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
// Chunks per thread: enough to even out threads that the machine slows down, few enough that each
// reads a long sequential stretch of tiles.
constexpr std::size_t kChunksPerThread = 8;
// Multiply-adds worth a chunk: one or two microseconds, about what handing it to a thread costs.
constexpr std::size_t kMinChunkMacs = std::size_t{1} << 18;

// Rows that pay for the tables of a step: at 128 they take half as long to build as to use.
constexpr std::size_t kTableLeastPanels = 4;
constexpr std::size_t kTableBlocksPerThread = 4;

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
  return gemm;
}

/// The tokens from first_token to last_token by multiplication.
void multiply(const TernaryWeight& weight, const kernels::TernaryGemm& gemm,
              std::size_t first_token, std::size_t last_token, const Runtime& runtime) {
  const Kernel kernel = choose_kernel(weight, runtime);
  const std::size_t tokens = last_token - first_token;
  const std::size_t panels = panel_count(weight.out_features());
  const std::size_t token_blocks = divide_up(tokens, kBlockTokens);
  const std::size_t block_macs =
      weight.out_features() * weight.in_features() * std::min(tokens, kBlockTokens);
  const std::size_t panel_chunks =
      runtime.threads() == 1
          ? 1
          : std::min({panels, static_cast<std::size_t>(runtime.threads()) * kChunksPerThread,
                      1 + block_macs / kMinChunkMacs});
  runtime.pool().parallel_for(token_blocks * panel_chunks, [&](std::size_t i) {
    const std::size_t chunk = i % panel_chunks;
    const std::size_t token = first_token + i / panel_chunks * kBlockTokens;
    kernel(gemm, {.first_panel = panels * chunk / panel_chunks,
                  .last_panel = panels * (chunk + 1) / panel_chunks,
                  .first_token = token,
                  .last_token = std::min(token + kBlockTokens, last_token)});
  });
}

TableKernel choose_table_kernel(const TernaryWeight& weight, const Runtime& runtime) {
  if (weight.granularity() == Granularity::group) {
    return nullptr;
  }
  return weight.layout() == TileLayout::t16 ? runtime.kernels().table_gemm_t16
                                            : runtime.kernels().table_gemm_t2;
}

/// How many of the tokens, from the first on, are served faster by tables than by multiplication.
std::size_t tokens_for_tables(const TernaryWeight& weight, std::size_t tokens,
                              const Runtime& runtime) {
  const std::size_t most_chunks = panel_count(weight.out_features()) / kTableLeastPanels;
  const std::size_t remainder = tokens % kTableTokens;
  const bool remainder_too = remainder >= runtime.kernels().table_gemm_least_tokens;
  const std::size_t served = remainder_too ? tokens : tokens - remainder;
  const bool all_threads_busy =
      divide_up(served, kTableTokens) * most_chunks >= static_cast<std::size_t>(runtime.threads());
  return choose_table_kernel(weight, runtime) != nullptr && all_threads_busy ? served : 0;
}

/// A table's memory, kept by each thread that ever multiplied by tables.
kernels::TableScratch& scratch_of_this_thread() {
  thread_local AlignedVector<kernels::TableScratch> scratch(1);
  return scratch.front();
}

/// The first `tokens` tokens by table lookup.
void multiply_by_tables(const TernaryWeight& weight, const kernels::TernaryGemm& gemm,
                        std::size_t tokens, const Runtime& runtime) {
  const TableKernel kernel = choose_table_kernel(weight, runtime);
  const std::size_t panels = panel_count(weight.out_features());
  const std::size_t token_blocks = divide_up(tokens, kTableTokens);
  const std::size_t threads = static_cast<std::size_t>(runtime.threads());
  const std::size_t wanted_chunks =
      threads == 1 ? 1 : divide_up(threads * kTableBlocksPerThread, token_blocks);
  const std::size_t panel_chunks = std::clamp(
      wanted_chunks, divide_up(panels, kernels::kTablePanels), panels / kTableLeastPanels);
  // All tokens pass by a chunk before the next one: its tiles stay in the second-level cache.
  runtime.pool().parallel_for(panel_chunks * token_blocks, [&](std::size_t i) {
    const std::size_t chunk = i / token_blocks;
    const std::size_t token = i % token_blocks * kTableTokens;
    kernel(gemm,
           {.first_panel = panels * chunk / panel_chunks,
            .last_panel = panels * (chunk + 1) / panel_chunks,
            .first_token = token,
            .last_token = std::min(token + kTableTokens, tokens)},
           scratch_of_this_thread());
  });
}

void run(const TernaryWeight& weight, const kernels::TernaryGemm& gemm, std::size_t tokens,
         const Runtime& runtime) {
  const std::size_t by_tables = tokens_for_tables(weight, tokens, runtime);
  if (by_tables != 0) {
    multiply_by_tables(weight, gemm, by_tables, runtime);
  }
  if (by_tables != tokens) {
    multiply(weight, gemm, by_tables, tokens, runtime);
  }
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

void ternary_matmul(const TernaryWeight& weight, const ActivationPanel& x,
                    std::span<const float> activation_scales, std::span<const float> bias,
                    std::span<float> y, const Runtime& runtime) {
  kernels::TernaryGemm gemm = describe(weight, x);
  gemm.out = y.data();
  gemm.activation_scales = activation_scales.data();
  gemm.activation_scale_step = activation_scales.size() == 1 ? 0 : 1;
  gemm.weight_scales = weight.tile_scales().data();
  gemm.weight_scale_step = weight.granularity() == Granularity::tensor ? 0 : 1;
  gemm.bias = bias.empty() ? nullptr : bias.data();
  run(weight, gemm, x.tokens, runtime);
}

void ternary_matmul(const TernaryWeight& weight, const ActivationPanel& x,
                    std::span<std::int32_t> sums, const Runtime& runtime) {
  kernels::TernaryGemm gemm = describe(weight, x);
  gemm.sums = sums.data();
  run(weight, gemm, x.tokens, runtime);
}

}  // namespace bitnet
