// SPDX-License-Identifier: MIT
// Ternary products in the shapes of real models, against what the machine can do: one token against
// streaming reads, many tokens against the peak of int8 dot products.
#include <memory>

#include "base/message.h"
#include "contest.h"
#include "kernels/kernel_table.h"
#include "kernels/ternary_matmul.h"
#include "random_inputs.h"

namespace bitnet::bench {
namespace {

struct MatrixShape {
  std::string_view name;
  std::size_t out_features, in_features;
};
constexpr MatrixShape kShapes[] = {
    {"2B qkv", 3840, 2560},  {"2B o", 2560, 2560},        {"2B gate+up", 13824, 2560},
    {"2B down", 2560, 6912}, {"2B head", 128256, 2560},   {"8B qkv", 6144, 4096},
    {"8B o", 4096, 4096},    {"8B gate+up", 28672, 4096}, {"8B down", 4096, 14336},
};
constexpr std::size_t kTokenCounts[] = {8, 128, 512};

// One token reads every weight once, so its matrices must come from memory: distinct ones of this
// size together, several times a last-level cache, are walked in turn.
constexpr std::size_t kStreamBytes = std::size_t{300} << 20;

/// A product with everything it needs; each run takes the next matrix.
class Product {
 public:
  Product(const MatrixShape& shape, TileLayout layout, std::size_t tokens, std::size_t matrices)
      : codes_(random_codes(tokens, shape.in_features)), y_(tokens * shape.out_features) {
    TileArena arena;  // as in a model
    for (std::size_t i = 0; i < matrices; ++i) {
      weights_.push_back(random_weight(shape.out_features, shape.in_features, layout, arena));
    }
    panel_.assign(codes_.data, tokens, weights_.front(), Runtime::serial());
  }

  void run(const Runtime& runtime) {
    const TernaryProduct product{&weights_[next_], y_};
    ternary_matmul({&product, 1}, panel_, codes_.scales, runtime);
    next_ = (next_ + 1) % weights_.size();
  }
  std::size_t bytes() const { return weights_.front().tiles().size(); }

 private:
  QuantizedActivations codes_;
  ActivationPanel panel_;
  std::vector<float> y_;
  std::vector<TernaryWeight> weights_;
  std::size_t next_ = 0;
};

/// Those that the kernels have a fast product for.
std::vector<TileLayout> fast_layouts(const Runtime& runtime) {
  std::vector<TileLayout> layouts = {TileLayout::t16, TileLayout::t2};
  if (runtime.kernels().preferred_layout == TileLayout::t16p) {
    layouts.push_back(TileLayout::t16p);
  }
  return layouts;
}

Contender gemv(const MatrixShape& shape, TileLayout layout, const Runtime& runtime) {
  return {message(to_string(layout), " ", runtime.kernels().name), [=, &runtime] {
            const std::size_t bytes = shape.out_features * shape.in_features / 5;
            const auto product =
                std::make_shared<Product>(shape, layout, 1, kStreamBytes / bytes + 1);
            return Task{static_cast<double>(product->bytes()) * 1e-9,
                        [=, &runtime] { product->run(runtime); }};
          }};
}

Contender gemm(const MatrixShape& shape, TileLayout layout, std::size_t tokens,
               const Runtime& runtime) {
  return {message(to_string(layout), " ", runtime.kernels().name), [=, &runtime] {
            const auto product = std::make_shared<Product>(shape, layout, tokens, 1);
            const auto multiply_adds =
                static_cast<double>(tokens * shape.out_features * shape.in_features);
            return Task{multiply_adds * 1e-9, [=, &runtime] { product->run(runtime); }};
          }};
}

std::string title(std::string_view kind, const MatrixShape& shape, std::size_t tokens) {
  return message(kind, " ", shape.name, " ", shape.out_features, "x", shape.in_features, ", T ",
                 tokens);
}

}  // namespace

std::vector<Contest> kernel_contests(const Runtime& runtime) {
  std::vector<Contest> contests;
  for (const MatrixShape& shape : kShapes) {
    std::vector<Contender> ours;
    for (const TileLayout layout : fast_layouts(runtime)) {
      ours.push_back(gemv(shape, layout, runtime));
    }
    contests.push_back({.title = title("GEMV", shape, 1),
                        .unit = "GB/s",
                        .runtime = &runtime,
                        .ours = std::move(ours),
                        .references = {memory_reads(runtime)}});
  }
  for (const MatrixShape& shape : {kShapes[1], kShapes[2], kShapes[3]}) {
    for (const std::size_t tokens : kTokenCounts) {
      std::vector<Contender> ours;
      for (const TileLayout layout : fast_layouts(runtime)) {
        ours.push_back(gemm(shape, layout, tokens, runtime));
      }
      contests.push_back({.title = title("GEMM", shape, tokens),
                          .unit = "GMAC/s",
                          .runtime = &runtime,
                          .ours = std::move(ours),
                          .references = {dot_products(runtime)}});
    }
  }
  return contests;
}

}  // namespace bitnet::bench
