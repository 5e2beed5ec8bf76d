// SPDX-License-Identifier: MIT
// Float outputs of the ternary products: scales and bias applied to exact sums. Oracle: the order
// of operations that kernel_table.h states, an output at a time; equal in every bit.
#include "kernels/each_table.h"
#include "kernels/gemm_problem.h"
#include "reference/float_distance.h"
#include "reference/random_data.h"

namespace bitnet {
namespace {

using reference::GuardedBuffer;
using reference::kTile16;
using reference::kTile16p;
using reference::kTile2;
using reference::normal_floats;

/// Which of the optional operands a call has.
struct Epilogue {
  bool scale_per_token;
  bool scale_per_row;
  bool bias;
};
constexpr Epilogue kEpilogues[] = {{true, false, false},  {true, true, true},  {false, false, true},
                                   {false, true, false},  {true, false, true}, {true, true, false},
                                   {false, false, false}, {false, true, true}};

/// Scales in tile order: [panels * 32] per row, zero in padding; grouped [panels, groups, 32].
std::vector<float> tile_order(const std::vector<float>& scales, std::size_t rows,
                              std::size_t groups) {
  std::vector<float> ordered((rows + 31) / 32 * groups * 32, 0.0F);
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t group = 0; group < groups; ++group) {
      ordered[(row / 32 * groups + group) * 32 + row % 32] = scales[row * groups + group];
    }
  }
  return ordered;
}

class GemmFloats : public EachTable {
 protected:
  /// y = (float(S) * activation_scale) * weight_scale + bias
  void expect_outputs(const Gemm& gemm, const GemmProblem& problem, const Epilogue& epilogue) {
    const auto activation_scales = normal_floats(epilogue.scale_per_token ? problem.tokens : 1, 11);
    const auto scales = normal_floats(epilogue.scale_per_row ? problem.rows : 1, 12);
    const auto bias = normal_floats(problem.rows, 13, 100.0F);
    const GuardedBuffer<float> guarded_bias(bias);
    const GuardedBuffer<float> guarded_scales(
        epilogue.scale_per_row ? tile_order(scales, problem.rows, 1) : scales);
    const GuardedBuffer<float> guarded_activation_scales(activation_scales);
    GuardedBuffer<float> out(problem.tokens * problem.rows);

    kernels::TernaryGemm call = problem.describe();
    call.out = out.data();
    call.activation_scales = guarded_activation_scales.data();
    call.activation_scale_step = epilogue.scale_per_token ? 1 : 0;
    call.weight_scales = guarded_scales.data();
    call.weight_scale_step = epilogue.scale_per_row ? 1 : 0;
    call.bias = epilogue.bias ? guarded_bias.data() : nullptr;
    gemm(call, problem.first_tokens(problem.tokens));

    for (std::size_t i = 0; i < out.size(); ++i) {
      const std::size_t token = epilogue.scale_per_token ? i / problem.rows : 0;
      const std::size_t row = i % problem.rows;
      const auto sum = static_cast<float>(static_cast<std::int32_t>(problem.expected[i]));
      float y = sum * activation_scales[token];
      y = y * scales[epilogue.scale_per_row ? row : 0];
      y = epilogue.bias ? y + bias[row] : y;
      ASSERT_TRUE(reference::same_bits(out[i], y))
          << out[i] << " for " << y << ", token " << i / problem.rows << ", row " << row;
    }
  }

  /// y = (Σ_g float(S_g) * weight_scale_g, g ascending from 0.0) * activation_scale + bias
  void expect_grouped_outputs(const Gemm& gemm, const GemmProblem& problem,
                              const Epilogue& epilogue) {
    const auto activation_scales = normal_floats(epilogue.scale_per_token ? problem.tokens : 1, 14);
    const auto scales = normal_floats(problem.rows * problem.groups, 15);
    const auto bias = normal_floats(problem.rows, 16, 100.0F);
    const GuardedBuffer<float> guarded_bias(bias);
    const GuardedBuffer<float> guarded_scales(tile_order(scales, problem.rows, problem.groups));
    const GuardedBuffer<float> guarded_activation_scales(activation_scales);
    GuardedBuffer<float> out(problem.tokens * problem.rows);

    kernels::TernaryGemm call = problem.describe();
    call.out = out.data();
    call.activation_scales = guarded_activation_scales.data();
    call.activation_scale_step = epilogue.scale_per_token ? 1 : 0;
    call.weight_scales = guarded_scales.data();
    call.weight_scale_step = 1;
    call.bias = epilogue.bias ? guarded_bias.data() : nullptr;
    gemm(call, problem.first_tokens(problem.tokens));

    for (std::size_t t = 0; t < problem.tokens; ++t) {
      for (std::size_t n = 0; n < problem.rows; ++n) {
        float total = 0.0F;
        for (std::size_t g = 0; g < problem.groups; ++g) {
          const std::int64_t sum = problem.expected[(t * problem.groups + g) * problem.rows + n];
          const float term =
              static_cast<float>(static_cast<std::int32_t>(sum)) * scales[n * problem.groups + g];
          total = total + term;
        }
        float y = total * activation_scales[epilogue.scale_per_token ? t : 0];
        y = epilogue.bias ? y + bias[n] : y;
        ASSERT_TRUE(reference::same_bits(out[t * problem.rows + n], y))
            << out[t * problem.rows + n] << " for " << y << ", token " << t << ", row " << n;
      }
    }
  }
};

TEST_P(GemmFloats, ScalesAndBiasInTheStatedOrder) {
  for (const std::size_t rows : {1, 15, 16, 17, 32, 33, 65}) {
    for (const std::size_t tokens : {1, 2, 5, 8, 9}) {
      const auto codes = reference::random_int8(tokens * 70, -127, 127, 1);
      const auto trits = reference::random_trits(rows * 70, 2);
      for (const auto format : {kTile16, kTile2, kTile16p}) {
        const GemmProblem problem(codes, trits, 70, format);
        for (const Epilogue& epilogue : kEpilogues) {
          for (const Gemm& gemm : ungrouped_products(kernels(), format)) {
            ASSERT_NO_FATAL_FAILURE(expect_outputs(gemm, problem, epilogue));
          }
        }
      }
    }
  }
}

TEST_P(GemmFloats, GroupsAddInAscendingOrder) {
  for (const std::size_t rows : {1, 16, 33, 65}) {
    for (const std::size_t tokens : {1, 3, 8, 9}) {
      for (const std::size_t group : {16, 64}) {
        const std::size_t inputs = group * 5;
        const GemmProblem problem(reference::random_int8(tokens * inputs, -127, 127, 3),
                                  reference::random_trits(rows * inputs, 4), inputs, kTile2, group);
        for (const Epilogue& epilogue : kEpilogues) {
          ASSERT_NO_FATAL_FAILURE(
              expect_grouped_outputs(kernels().gemm_t2_grouped, problem, epilogue));
        }
      }
    }
  }
}

// Beyond 2^24 float(S) itself rounds.
TEST_P(GemmFloats, LargeSumsRoundOnceToFloat) {
  constexpr std::size_t kInputs = 200'003;
  auto trits = reference::random_int8(3 * kInputs, 0, 1, 5);
  std::fill(trits.begin(), trits.begin() + kInputs, std::int8_t{1});
  const auto codes = reference::random_int8(2 * kInputs, 90, 127, 6);
  for (const auto format : {kTile16, kTile2, kTile16p}) {
    const GemmProblem problem(codes, trits, kInputs, format);
    for (const Gemm& gemm : ungrouped_products(kernels(), format)) {
      expect_outputs(gemm, problem, kEpilogues[1]);
    }
  }
}

BITNET_FOR_EACH_TABLE(GemmFloats);

}  // namespace
}  // namespace bitnet
