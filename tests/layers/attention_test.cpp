// SPDX-License-Identifier: MIT
// Oracle: softmax attention in double over the keys and values as they were, before any cache
// rounded them. The bounds are derived in docs/numerics.md, "Smaller caches".
#include "layers/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "layers/kv_cache.h"
#include "reference/random_data.h"

namespace bitnet {
namespace {

constexpr double kUnit = 0x1p-24;  // half a float ulp of 1

/// One layer of H query heads over G KV heads of size D, S positions; the last one asks.
struct Problem {
  std::size_t heads, kv_heads, head_dim, positions, window;
  std::vector<float> queries;  // [H, D]
  std::vector<float> keys;     // [S, G, D]
  std::vector<float> values;   // [S, G, D]

  AttentionShape shape() const {
    return {heads, 1 / std::sqrt(static_cast<float>(head_dim)), window};
  }
  std::size_t begin() const { return window == 0 || window > positions ? 0 : positions - window; }
  std::span<const float> query(std::size_t head) const {
    return std::span(queries).subspan(head * head_dim, head_dim);
  }
  /// Of `keys` or `values`, what query head `head` reads at a position.
  std::span<const float> read(const std::vector<float>& from, std::size_t position,
                              std::size_t head) const {
    const std::size_t g = head / (heads / kv_heads);
    return std::span(from).subspan((position * kv_heads + g) * head_dim, head_dim);
  }
};

double absmax(std::span<const float> x) {
  double result = 0;
  for (const float element : x) result = std::max(result, std::abs(double{element}));
  return result;
}

/// What storing can move an element of this head and position by.
double storage_error(std::span<const float> x, CacheType type) {
  switch (type) {
    case CacheType::f32:
      return 0;
    case CacheType::f16:
      return absmax(x) * 0x1p-11 + 0x1p-25;
    // Half a step; the quotient that is rounded to a code is off by up to 127 * 2^-24, scale and
    // product by less.
    case CacheType::q8_0:
      return absmax(x) / 127 * (0.5 + 0x1p-16);
  }
  return 0;
}

std::vector<double> exact_attention(const Problem& problem, std::size_t head) {
  std::vector<double> out(problem.head_dim);
  double total = 0;
  for (std::size_t j = problem.begin(); j < problem.positions; ++j) {
    double score = 0;
    for (std::size_t d = 0; d < problem.head_dim; ++d) {
      score += double{problem.query(head)[d]} * problem.read(problem.keys, j, head)[d];
    }
    const double weight = std::exp(score * problem.shape().score_scale);
    total += weight;
    for (std::size_t d = 0; d < problem.head_dim; ++d) {
      out[d] += weight * problem.read(problem.values, j, head)[d];
    }
  }
  for (double& x : out) x /= total;
  return out;
}

/// The bound of docs/numerics.md for one head: of scores e, of element d tanh(e / 2) spread[d] +
/// value, to which float arithmetic adds its roundings.
struct Bound {
  double score = 0;
  double value = 0;
  std::vector<double> spread;  // [D]
  double rounding = 0;

  double of(std::size_t d) const { return std::tanh(score / 2) * spread[d] + value + rounding; }
};

Bound bound_of(const Problem& problem, std::size_t head, CacheType type) {
  Bound bound;
  double query_sum = 0;
  for (const float q : problem.query(head)) query_sum += std::abs(double{q});
  query_sum *= problem.shape().score_scale;
  std::vector<double> least(problem.head_dim, INFINITY);
  std::vector<double> greatest(problem.head_dim, -INFINITY);
  double largest_score = 0;
  double largest_value = 0;
  for (std::size_t j = problem.begin(); j < problem.positions; ++j) {
    const auto key = problem.read(problem.keys, j, head);
    const auto value = problem.read(problem.values, j, head);
    bound.score = std::max(bound.score, query_sum * storage_error(key, type));
    bound.value = std::max(bound.value, storage_error(value, type));
    largest_score = std::max(largest_score, query_sum * absmax(key));
    largest_value = std::max(largest_value, absmax(value));
    for (std::size_t d = 0; d < problem.head_dim; ++d) {
      least[d] = std::min(least[d], double{value[d]});
      greatest[d] = std::max(greatest[d], double{value[d]});
    }
  }
  for (std::size_t d = 0; d < problem.head_dim; ++d) bound.spread.push_back(greatest[d] - least[d]);
  // Scores: at most D + 4 roundings of what is below largest_score, differences to two maxima, two
  // exponentials of 2 ulp each and their products on every page. Then sums of runs and pages.
  const auto pages = static_cast<double>(problem.positions / 64 + 1);
  const auto head_dim = static_cast<double>(problem.head_dim);
  bound.score += kUnit * ((head_dim + 8 + 2 * pages) * largest_score + 8 * pages);
  bound.rounding = kUnit * (64 + 8 * pages) * largest_value;
  return bound;
}

void fill(const Problem& problem, const Runtime& runtime, PagedKvCache& cache) {
  cache.extend(problem.positions);
  const std::size_t width = problem.kv_heads * problem.head_dim;
  for (std::size_t j = 0; j < problem.positions; ++j) {
    cache.write(0, j, problem.keys.data() + j * width, problem.values.data() + j * width,
                runtime.kernels());
  }
}

std::vector<float> attention_over_cache(const Problem& problem, CacheType type,
                                        const Runtime& runtime = Runtime::serial()) {
  const auto pool =
      std::make_shared<KvPagePool>(KvLayout(1, problem.kv_heads, problem.head_dim, type));
  PagedKvCache cache(pool, problem.positions);
  fill(problem, runtime, cache);
  std::vector<float> out(problem.queries.size());
  const AttentionToken token{&cache, problem.positions - 1};
  attend({&token, 1}, 0, problem.shape(), problem.queries.data(), out.data(), runtime);
  return out;
}

/// The largest part of its bound that an element's error makes up.
double largest_part_of_bound(const Problem& problem, CacheType type) {
  const std::vector<float> out = attention_over_cache(problem, type);
  double largest = 0;
  for (std::size_t h = 0; h < problem.heads; ++h) {
    const std::vector<double> exact = exact_attention(problem, h);
    const Bound bound = bound_of(problem, h, type);
    for (std::size_t d = 0; d < problem.head_dim; ++d) {
      const double error = std::abs(out[h * problem.head_dim + d] - exact[d]);
      EXPECT_LE(error, bound.of(d)) << to_string(type) << ", head " << h << ", element " << d;
      largest = std::max(largest, error / bound.of(d));
    }
  }
  return largest;
}

/// Positions of very different sizes, one of them zeros.
Problem random_problem(std::size_t head_dim, std::size_t positions, std::size_t window) {
  Problem problem{4, 2, head_dim, positions, window, {}, {}, {}};
  problem.queries = reference::normal_floats(4 * head_dim, 1);
  problem.keys = reference::normal_floats(positions * 2 * head_dim, 2);
  problem.values = reference::normal_floats(positions * 2 * head_dim, 3);
  for (std::size_t i = 0; i < problem.keys.size(); ++i) {
    const std::size_t position = i / (2 * head_dim);
    problem.keys[i] *= static_cast<float>(position % 7) / 3;
    problem.values[i] *= static_cast<float>(position % 5);
  }
  return problem;
}

TEST(AttentionCaches, ErrorsStayWithinTheBound) {
  for (const CacheType type : {CacheType::f32, CacheType::f16, CacheType::q8_0}) {
    for (const std::size_t head_dim : {2, 16, 48, 128}) {
      for (const std::size_t positions : {1, 63, 64, 200, 1100}) {
        for (const std::size_t window : {0, 70, 600}) {
          SCOPED_TRACE(std::to_string(head_dim) + " " + std::to_string(positions));
          largest_part_of_bound(random_problem(head_dim, positions, window), type);
        }
      }
    }
  }
}

/// Long texts are cut into segments, which threads share. Oracle: one thread that takes them in
/// turn.
TEST(AttentionSegments, ThreadsChangeNothing) {
  for (const std::size_t positions : {512, 513, 1024, 1025, 1600}) {
    for (const std::size_t window : {0, 100, 600, 1100}) {
      const Problem problem = random_problem(40, positions, window);
      for (const CacheType type : {CacheType::f32, CacheType::q8_0}) {
        const std::vector<float> expected = attention_over_cache(problem, type);
        for (const int threads : {2, 3, 8}) {
          const Runtime runtime(RuntimeOptions{.threads = threads});
          EXPECT_EQ(attention_over_cache(problem, type, runtime), expected)
              << positions << " positions, window " << window << ", threads " << threads;
        }
      }
    }
  }
}

/// Tokens of a prompt share what they read of the cache, in tiles. Oracle: each of them alone. Two
/// texts in one batch, of lengths and beginnings around the ends of tiles, pages and segments.
TEST(AttentionTiles, PromptsGiveTheBitsOfEachTokenAlone) {
  struct Text {
    std::size_t begin, end;
  };
  const Text texts[][2] = {{{0, 1}, {0, 70}},      {{60, 69}, {63, 64}},
                           {{5, 36}, {0, 33}},     {{500, 530}, {0, 129}},
                           {{511, 513}, {40, 47}}, {{1000, 1060}, {1023, 1025}}};
  for (const std::size_t kv_heads : {1, 2, 4}) {  // 4, 2 and 1 heads to a group
    for (const auto& [one, other] : texts) {
      for (const std::size_t window : {0, 20, 600}) {
        for (const int threads : {1, 3}) {
          Problem problem{4, kv_heads, 24, std::max(one.end, other.end), window, {}, {}, {}};
          const Runtime runtime(RuntimeOptions{.threads = threads});
          problem.queries = reference::normal_floats(4 * 24 * 200, 1);
          problem.keys = reference::normal_floats(problem.positions * kv_heads * 24, 2);
          problem.values = reference::normal_floats(problem.positions * kv_heads * 24, 3);
          const auto pool = std::make_shared<KvPagePool>(KvLayout(1, kv_heads, 24, CacheType::f16));
          PagedKvCache cache(pool, problem.positions);
          PagedKvCache other_cache(pool, problem.positions);
          fill(problem, runtime, cache);
          std::ranges::reverse(problem.values);
          fill(problem, runtime, other_cache);
          std::vector<AttentionToken> tokens;
          for (std::size_t j = one.begin; j < one.end; ++j) tokens.push_back({&cache, j});
          for (std::size_t j = other.begin; j < other.end; ++j) tokens.push_back({&other_cache, j});
          constexpr std::size_t kWidth = std::size_t{4} * 24;
          std::vector<float> together(tokens.size() * kWidth);
          std::vector<float> alone(together.size());
          attend(tokens, 0, problem.shape(), problem.queries.data(), together.data(), runtime);
          for (std::size_t t = 0; t < tokens.size(); ++t) {
            attend({&tokens[t], 1}, 0, problem.shape(), problem.queries.data() + t * kWidth,
                   alone.data() + t * kWidth, Runtime::serial());
          }
          EXPECT_EQ(together, alone) << "positions " << one.begin << ".." << one.end << " and "
                                     << other.begin << ".." << other.end << ", window " << window
                                     << ", KV heads " << kv_heads << ", threads " << threads;
        }
      }
    }
  }
}

/// The bound is no idle one: keys half a step away from their codes, upwards where the value is 1
/// and downwards where it is -1, come as close as first order allows.
TEST(AttentionCaches, AnErrorAsLargeAsTheBoundExists) {
  constexpr std::size_t kHead = 32;
  constexpr std::size_t kCount = 64;
  Problem problem{1, 1, kHead, kCount, 0, {}, {}, {}};
  problem.queries.assign(kHead, 0.01F);
  problem.queries[0] = 0;  // reads no element that fixes the scale
  for (std::size_t j = 0; j < kCount; ++j) {
    const bool is_up = j % 2 == 0;
    for (std::size_t d = 0; d < kHead; ++d) {
      problem.keys.push_back(d == 0 ? 127.0F : is_up ? 0.501F : 0.499F);  // codes 127, 1, 0
      problem.values.push_back(is_up ? 1.0F : -1.0F);                     // codes +-127: exact
    }
  }
  // The values' allowance of half a step is not used, and is all but the size of the scores'.
  const std::vector<float> out = attention_over_cache(problem, CacheType::q8_0);
  const Bound bound = bound_of(problem, 0, CacheType::q8_0);
  const double error = std::abs(out[0] - exact_attention(problem, 0)[0]);
  EXPECT_LE(error, bound.of(0));
  EXPECT_GE(error, 0.95 * std::tanh(bound.score / 2) * bound.spread[0]);
}

}  // namespace
}  // namespace bitnet
