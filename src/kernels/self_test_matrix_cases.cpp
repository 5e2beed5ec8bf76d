// SPDX-License-Identifier: MIT
// Cases for packing and for the ternary products.
#include <algorithm>
#include <functional>
#include <memory>
#include <numeric>

#include "base/message.h"
#include "kernels/naive_kernels.h"
#include "kernels/self_test_cases.h"
#include "kernels/table_scratch.h"
#include "ternary/tile_layout.h"

namespace bitnet::kernels {
namespace {

constexpr std::size_t kPackedSteps[] = {1, 2, 7, 33};

template <TileLayout layout, auto kernel>
void pack(const KernelTable& table, Record& record) {
  for (const std::size_t steps : kPackedSteps) {
    const std::size_t stride = steps * step_inputs(layout) + 3;
    Random random(1);
    std::vector<std::uint8_t> digits(kShift + kPanelRows * stride);
    std::generate(digits.begin(), digits.end(),
                  [&] { return static_cast<std::uint8_t>(random() % 3); });
    auto panel = output_buffer<std::uint8_t>(steps * kPanelStepBytes);
    (table.*kernel)(digits.data() + kShift, stride, steps, panel.data() + kShift);
    add_case(record, message(steps, " steps"), panel);
  }
}

template <TileLayout layout, auto kernel>
void unpack(const KernelTable& table, Record& record) {
  for (const std::size_t steps : kPackedSteps) {
    Random random(2);
    std::vector<std::uint8_t> panel(kShift + steps * kPanelStepBytes);
    for (std::uint8_t& byte : panel) {
      for (std::size_t field = 0; field < TileGeometry<layout>::kFields; ++field) {
        byte = static_cast<std::uint8_t>(byte * TileGeometry<layout>::kBase + random() % 3);
      }
    }
    const std::size_t stride = steps * step_inputs(layout) + 3;
    auto digits = output_buffer<std::uint8_t>(kPanelRows * stride);
    (table.*kernel)(panel.data() + kShift, steps, digits.data() + kShift, stride);
    add_case(record, message(steps, " steps"), digits);
  }
}

/// How digits and codes are chosen; the extremes reach every sum's bound.
struct Fill {
  std::string_view name;
  std::uint8_t (*digit)(Random&);
  std::int8_t (*code)(Random&);
};
constexpr Fill kFills[] = {
    {"random", [](Random& random) { return static_cast<std::uint8_t>(random() % 3); },
     [](Random& random) { return static_cast<std::int8_t>(random() % 255 - 127); }},
    {"all +1 times all 127", [](Random&) { return std::uint8_t{2}; },
     [](Random&) { return std::int8_t{127}; }},
    {"all +1 times all -127", [](Random&) { return std::uint8_t{2}; },
     [](Random&) { return std::int8_t{-127}; }},
    {"all -1 times +-127", [](Random&) { return std::uint8_t{0}; },
     [](Random& random) { return static_cast<std::int8_t>(random() % 2 == 0 ? 127 : -127); }},
};

struct ProductShape {
  std::size_t tokens, rows, inputs;
  std::size_t groups;  // 1: without group scales
};
// Around the edges of panels (32 rows), steps (20 and 16 inputs) and token blocks of any size; the
// largest K of published models, where narrower sums than int32 overflow.
constexpr ProductShape kShapes[] = {
    {1, 1, 1, 1},    {2, 33, 21, 1},   {3, 31, 40, 1},   {4, 32, 16, 1},  {5, 70, 19, 1},
    {6, 64, 80, 1},  {7, 65, 130, 1},  {8, 33, 1000, 1}, {9, 70, 333, 1}, {17, 40, 65, 1},
    {1, 96, 640, 1}, {1, 2, 14340, 1}, {2, 1, 14340, 1},
};
// Around the edges of products by table lookup: 32 tokens, 1280 rows, 240 inputs between widenings.
constexpr ProductShape kTableShapes[] = {
    {1, 1, 1, 1},    {31, 33, 241, 1}, {32, 31, 239, 1}, {33, 64, 240, 1},
    {65, 33, 19, 1}, {97, 70, 40, 1},  {3, 1313, 21, 1}, {2, 33, 14340, 1},
};
constexpr ProductShape kGroupedShapes[] = {
    {1, 1, 16, 1},   {1, 70, 192, 3}, {2, 33, 64, 4},  {3, 31, 256, 2},
    {5, 64, 320, 5}, {8, 65, 128, 2}, {9, 32, 512, 1}, {17, 40, 192, 12},
};

/// A product's operands, packed by the naive formula, and the TernaryGemm that describes them.
class Product {
 public:
  Product(TileLayout layout, const ProductShape& shape, const Fill& fill);

  const TernaryGemm& description() const { return gemm_; }
  std::size_t panels() const { return panel_count(gemm_.rows); }

 private:
  void make_tiles(TileLayout layout, const ProductShape& shape, const Fill& fill);
  void make_codes(const ProductShape& shape, const Fill& fill);

  Random random_{3};
  TernaryGemm gemm_{};
  std::vector<std::uint8_t> tiles_;
  std::vector<std::int8_t> codes_;
  std::vector<std::int32_t> code_sums_;
  std::vector<float> activation_scales_, weight_scales_, bias_;
};

Product::Product(TileLayout layout, const ProductShape& shape, const Fill& fill) {
  gemm_.rows = shape.rows;
  gemm_.steps = step_count(layout, shape.inputs);
  gemm_.groups = shape.groups;
  gemm_.group_inputs = shape.inputs / shape.groups;
  gemm_.code_stride = gemm_.steps * step_inputs(layout);
  gemm_.prefetch = 256;  // a wish: it changes nothing
  make_tiles(layout, shape, fill);
  make_codes(shape, fill);
  const auto positive = [this] { return static_cast<float>(random_() % 1000 + 1) * 0.0123F; };
  activation_scales_.resize(shape.tokens);
  weight_scales_.resize(panels() * shape.groups * kPanelRows);
  bias_.resize(shape.rows);
  for (auto* values : {&activation_scales_, &weight_scales_, &bias_}) {
    std::generate(values->begin(), values->end(), positive);
  }
  gemm_.activation_scales = activation_scales_.data();
  gemm_.weight_scales = weight_scales_.data();
  gemm_.bias = bias_.data();
}

void Product::make_tiles(TileLayout layout, const ProductShape& shape, const Fill& fill) {
  const std::size_t columns = gemm_.code_stride;
  std::vector<std::uint8_t> digits(panels() * kPanelRows * columns, 1);
  for (std::size_t row = 0; row < shape.rows; ++row) {
    std::generate_n(digits.begin() + static_cast<std::ptrdiff_t>(row * columns), shape.inputs,
                    [&] { return fill.digit(random_); });
  }
  const std::size_t bytes = panel_bytes(layout, shape.inputs);
  tiles_.resize(kShift + panels() * bytes);
  const auto pack = pack_kernel(kNaiveTable, layout);
  for (std::size_t panel = 0; panel < panels(); ++panel) {
    pack(digits.data() + panel * kPanelRows * columns, columns, gemm_.steps,
         tiles_.data() + kShift + panel * bytes);
  }
  gemm_.tiles = tiles_.data() + kShift;
}

void Product::make_codes(const ProductShape& shape, const Fill& fill) {
  codes_.resize(kShift + shape.tokens * gemm_.code_stride);
  for (std::size_t token = 0; token < shape.tokens; ++token) {
    const auto row =
        codes_.begin() + static_cast<std::ptrdiff_t>(kShift + token * gemm_.code_stride);
    std::generate_n(row, shape.inputs, [&] { return fill.code(random_); });
    for (std::size_t group = 0; group < shape.groups; ++group) {
      const auto first = row + static_cast<std::ptrdiff_t>(group * gemm_.group_inputs);
      code_sums_.push_back(
          std::accumulate(first, first + static_cast<std::ptrdiff_t>(gemm_.group_inputs), 0));
    }
  }
  gemm_.codes = codes_.data() + kShift;
  gemm_.code_sums = code_sums_.data();
}

using ProductKernel = std::function<void(const TernaryGemm&, const GemmBlock&)>;
using TableProductKernel = void (*)(const TernaryGemm&, const GemmBlock&, TableScratch&);

/// Four blocks, so that panels and tokens start in the middle too.
void multiply(const ProductKernel& kernel, const TernaryGemm& gemm, std::size_t panels,
              std::size_t tokens) {
  const std::size_t middle_panel = panels / 2;
  const std::size_t middle_token = tokens / 3;
  kernel(gemm, {0, middle_panel, 0, middle_token});
  kernel(gemm, {0, middle_panel, middle_token, tokens});
  kernel(gemm, {middle_panel, panels, 0, middle_token});
  kernel(gemm, {middle_panel, panels, middle_token, tokens});
}

void record_sums(const ProductKernel& kernel, const Product& product, const ProductShape& shape,
                 std::size_t unpack_once, const std::string& name, Record& record) {
  TernaryGemm gemm = product.description();
  gemm.unpack_once = unpack_once;
  auto sums = output_buffer<std::int32_t>(shape.tokens * shape.groups * shape.rows);
  gemm.sums = sums.data() + kShift;
  multiply(kernel, gemm, product.panels(), shape.tokens);
  add_case(record, message(name, ", sums, unpacked once from ", unpack_once), sums);
}

/// scale_step 0: one scale for all tokens and, ungrouped, one for all rows; and no bias.
void record_outputs(const ProductKernel& kernel, const Product& product, const ProductShape& shape,
                    std::size_t scale_step, const std::string& name, Record& record) {
  TernaryGemm gemm = product.description();
  auto out = output_buffer<float>(shape.tokens * shape.rows);
  gemm.out = out.data() + kShift;
  gemm.activation_scale_step = scale_step;
  gemm.weight_scale_step = scale_step;
  if (scale_step == 0) {
    gemm.bias = nullptr;
  }
  multiply(kernel, gemm, product.panels(), shape.tokens);
  add_case(record, message(name, ", scale step ", scale_step), out);
}

template <TileLayout layout, auto& shapes>
void record_product(const ProductKernel& kernel, Record& record) {
  for (const ProductShape& shape : shapes) {
    for (const Fill& fill : kFills) {
      const Product operands(layout, shape, fill);
      const std::string name = message("T ", shape.tokens, ", N ", shape.rows, ", K ", shape.inputs,
                                       ", groups ", shape.groups, ", ", fill.name);
      for (const std::size_t unpack_once : {0, 4}) {  // where a table has both ways
        record_sums(kernel, operands, shape, unpack_once, name, record);
      }
      record_outputs(kernel, operands, shape, 0, name, record);
      record_outputs(kernel, operands, shape, 1, name, record);
    }
  }
}

/// Random codes and digits, then the extremes of both.
void nibble_dot(const KernelTable& table, Record& record) {
  for (const std::size_t steps : {1, 2, 7, 33, 320}) {
    for (const bool extreme : {false, true}) {
      Random random(4);
      std::vector<std::uint8_t> panel(kShift + steps * kPanelStepBytes);
      std::vector<std::int8_t> high(kShift + steps * kNibbleStepInputs);
      std::vector<std::int8_t> low(high.size());
      std::generate(panel.begin(), panel.end(),
                    [&] { return static_cast<std::uint8_t>(extreme ? 255 : random()); });
      std::generate(high.begin(), high.end(),
                    [&] { return static_cast<std::int8_t>(extreme ? 127 : random()); });
      std::generate(low.begin(), low.end(),
                    [&] { return static_cast<std::int8_t>(extreme ? -128 : random()); });
      auto high_sums = output_buffer<std::int32_t>(kPanelRows);
      auto low_sums = output_buffer<std::int32_t>(kPanelRows);
      table.nibble_dot(panel.data() + kShift, steps, high.data() + kShift, low.data() + kShift,
                       kAhead, high_sums.data() + kShift, low_sums.data() + kShift);
      const std::string name = message(steps, " steps", extreme ? ", extremes" : "");
      add_case(record, name + ", high", high_sums);
      add_case(record, name + ", low", low_sums);
    }
  }
}

template <TileLayout layout>
void product(const KernelTable& table, Record& record) {
  record_product<layout, kShapes>(gemm_kernel(table, layout), record);
}

void grouped_product(const KernelTable& table, Record& record) {
  record_product<TileLayout::t2, kGroupedShapes>(table.gemm_t2_grouped, record);
}

/// Where a kernel table has no product by table lookup, its other one stands in, as in use.
template <TileLayout layout, auto table_kernel>
void table_product(const KernelTable& table, Record& record) {
  const TableProductKernel by_tables = table.*table_kernel;
  if (by_tables == nullptr) {
    record_product<layout, kTableShapes>(gemm_kernel(table, layout), record);
    return;
  }
  const auto scratch = std::make_unique<TableScratch>();
  record_product<layout, kTableShapes>(
      [&](const TernaryGemm& gemm, const GemmBlock& block) { by_tables(gemm, block, *scratch); },
      record);
}

}  // namespace

std::span<const KernelUnderTest> matrix_kernels() {
  static constexpr KernelUnderTest kKernels[] = {
      {"pack_t16", pack<TileLayout::t16, &KernelTable::pack_t16>},
      {"pack_t2", pack<TileLayout::t2, &KernelTable::pack_t2>},
      {"pack_t16p", pack<TileLayout::t16p, &KernelTable::pack_t16p>},
      {"unpack_t16", unpack<TileLayout::t16, &KernelTable::unpack_t16>},
      {"unpack_t2", unpack<TileLayout::t2, &KernelTable::unpack_t2>},
      {"gemm_t16", product<TileLayout::t16>},
      {"gemm_t2", product<TileLayout::t2>},
      {"gemm_t16p", product<TileLayout::t16p>},
      {"table_gemm_t16", table_product<TileLayout::t16, &KernelTable::table_gemm_t16>},
      {"table_gemm_t2", table_product<TileLayout::t2, &KernelTable::table_gemm_t2>},
      {"table_gemm_t16p", table_product<TileLayout::t16p, &KernelTable::table_gemm_t16p>},
      {"gemm_t2_grouped", grouped_product},
      {"nibble_dot", nibble_dot},
  };
  return kKernels;
}

}  // namespace bitnet::kernels
