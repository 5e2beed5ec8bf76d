// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/ternary_weight.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "base/message.h"
#include "ternary/ternary_storage.h"
#include "ternary/tile_packing-inl.h"

static_assert(std::endian::native == std::endian::little, "tiles are little-endian dwords");

namespace bitnet {
namespace {

void check_geometry(std::size_t out_features, std::size_t in_features, Granularity granularity,
                    std::size_t group_size, TileLayout layout) {
  if (out_features == 0 || in_features == 0 || in_features > TernaryWeight::kMaxInFeatures) {
    throw ShapeMismatch(message("ternary weight: expected out_features >= 1 and in_features in 1..",
                                TernaryWeight::kMaxInFeatures, ", found [", out_features, ", ",
                                in_features, "]"));
  }
  if (granularity != Granularity::group) {
    if (group_size != 0) {
      throw InvalidArgument(
          message("ternary weight: group_size belongs to group granularity; expected 0, found ",
                  group_size));
    }
    return;
  }
  if (!std::has_single_bit(group_size)) {
    throw InvalidConfig(message("group_size: expected a power of two, found ", group_size));
  }
  if (in_features % group_size != 0) {
    throw ShapeMismatch(message("ternary weight: expected in_features divisible by group_size ",
                                group_size, ", found ", in_features));
  }
  if (layout != TileLayout::t2) {
    throw InvalidArgument(
        message("ternary weight: group scales need the layout t2, found ", to_string(layout)));
  }
}

auto choose_pack(TileLayout layout) {
  return layout == TileLayout::t16  ? pack_panel<TileLayout::t16>
         : layout == TileLayout::t2 ? pack_panel<TileLayout::t2>
                                    : pack_panel<TileLayout::t16p>;
}
auto choose_unpack(TileLayout layout) {
  return layout == TileLayout::t16  ? unpack_panel<TileLayout::t16>
         : layout == TileLayout::t2 ? unpack_panel<TileLayout::t2>
                                    : unpack_panel<TileLayout::t16p>;
}

std::size_t scale_count(Granularity granularity, std::size_t rows, std::size_t groups) {
  return granularity == Granularity::tensor ? 1 : rows * groups;
}

}  // namespace

std::string_view to_string(TileLayout layout) {
  switch (layout) {
    case TileLayout::t16:
      return "t16";
    case TileLayout::t2:
      return "t2";
    case TileLayout::t16p:
      break;
  }
  return "t16p";
}

std::size_t tile_scale_index(Granularity granularity, std::size_t groups, std::size_t row,
                             std::size_t group) {
  switch (granularity) {
    case Granularity::tensor:
      return 0;
    case Granularity::row:
      return row;
    case Granularity::group:
      break;
  }
  return (row / kPanelRows * groups + group) * kPanelRows + row % kPanelRows;
}

TernaryWeightBuilder::TernaryWeightBuilder(std::size_t out_features, std::size_t in_features,
                                           Granularity granularity, std::size_t group_size,
                                           std::optional<TileLayout> layout, TileArena* arena)
    : storage_(std::make_shared<TernaryWeight::Storage>()) {
  const TileLayout chosen =
      layout.value_or(granularity == Granularity::group ? TileLayout::t2 : TileLayout::t16);
  check_geometry(out_features, in_features, granularity, group_size, chosen);
  storage_->out_features = out_features;
  storage_->in_features = in_features;
  storage_->layout = chosen;
  storage_->granularity = granularity;
  storage_->group_size = group_size;
  const std::size_t tile_bytes = panels() * steps() * kPanelStepBytes;
  storage_->tiles = arena == nullptr ? own_tile_memory(tile_bytes) : arena->allocate(tile_bytes);
  const std::size_t groups = granularity == Granularity::group ? in_features / group_size : 1;
  storage_->tile_scales.assign(scale_count(granularity, panels() * kPanelRows, groups), 0.0F);
}

void TernaryWeightBuilder::set_scale(std::size_t row, std::size_t group, float scale) {
  if (!(scale > 0.0F) || !std::isfinite(scale)) {
    throw QuantizationError(message("ternary weight: expected a positive finite scale, found ",
                                    scale, " at row ", row, ", group ", group));
  }
  const std::size_t groups = storage_->granularity == Granularity::group
                                 ? storage_->in_features / storage_->group_size
                                 : 1;
  storage_->tile_scales[tile_scale_index(storage_->granularity, groups, row, group)] = scale;
}

TernaryWeight TernaryWeightBuilder::finish(std::size_t zeros) {
  storage_->zeros = zeros;
  return TernaryWeight(std::move(storage_));
}

TernaryWeight::TernaryWeight(std::shared_ptr<const Storage> storage)
    : storage_(std::move(storage)) {}

TernaryWeight TernaryWeight::pack(std::span<const std::int8_t> trits, std::size_t out_features,
                                  std::size_t in_features, std::span<const float> scales,
                                  Granularity granularity, std::size_t group_size,
                                  std::optional<TileLayout> layout) {
  if (trits.size() != Shape{out_features, in_features}.numel()) {
    throw ShapeMismatch(message("ternary weight: expected ", out_features, " x ", in_features,
                                " trits, found ", trits.size()));
  }
  TernaryWeightBuilder builder(out_features, in_features, granularity, group_size, layout);
  const std::size_t groups = granularity == Granularity::group ? in_features / group_size : 1;
  const std::size_t scale_rows = granularity == Granularity::tensor ? 1 : out_features;
  if (scales.size() != scale_rows * groups) {
    throw ShapeMismatch(message("ternary weight: expected ", scale_rows * groups, " scales, found ",
                                scales.size()));
  }
  for (std::size_t i = 0; i < scales.size(); ++i) {
    builder.set_scale(i / groups, i % groups, scales[i]);
  }

  const std::size_t columns = builder.steps() * step_inputs(builder.layout());
  std::vector<std::uint8_t> digits(kPanelRows * columns);
  std::size_t zeros = 0;
  for (std::size_t panel = 0; panel < builder.panels(); ++panel) {
    std::fill(digits.begin(), digits.end(), std::uint8_t{1});
    const std::size_t first_row = panel * kPanelRows;
    for (std::size_t row = first_row; row < std::min(first_row + kPanelRows, out_features); ++row) {
      for (std::size_t k = 0; k < in_features; ++k) {
        const int trit = trits[row * in_features + k];
        if (trit < -1 || trit > 1) {
          throw TernaryError("ternary weight", row, k, trit);
        }
        zeros += trit == 0 ? 1 : 0;
        digits[(row - first_row) * columns + k] = static_cast<std::uint8_t>(trit + 1);
      }
    }
    choose_pack(builder.layout())(digits.data(), columns, builder.steps(), builder.panel(panel));
  }
  return builder.finish(zeros);
}

std::size_t TernaryWeight::out_features() const { return storage_->out_features; }
std::size_t TernaryWeight::in_features() const { return storage_->in_features; }
TileLayout TernaryWeight::layout() const { return storage_->layout; }
Granularity TernaryWeight::granularity() const { return storage_->granularity; }
std::size_t TernaryWeight::group_size() const { return storage_->group_size; }
std::size_t TernaryWeight::groups() const {
  return granularity() == Granularity::group ? in_features() / group_size() : 1;
}

std::vector<std::int8_t> TernaryWeight::trits() const {
  const std::size_t steps = step_count(layout(), in_features());
  const std::size_t columns = steps * step_inputs(layout());
  const auto unpack = choose_unpack(layout());
  std::vector<std::uint8_t> digits(kPanelRows * columns);
  std::vector<std::int8_t> result;
  result.reserve(out_features() * in_features());
  for (std::size_t row = 0; row < out_features(); ++row) {
    if (row % kPanelRows == 0) {
      unpack(tiles().data() + row / kPanelRows * steps * kPanelStepBytes, steps, digits.data(),
             columns);
    }
    const std::uint8_t* row_digits = digits.data() + row % kPanelRows * columns;
    std::transform(row_digits, row_digits + in_features(), std::back_inserter(result),
                   [](std::uint8_t digit) { return static_cast<std::int8_t>(digit - 1); });
  }
  return result;
}

std::vector<float> TernaryWeight::scales() const {
  const std::size_t rows = granularity() == Granularity::tensor ? 1 : out_features();
  std::vector<float> result;
  result.reserve(rows * groups());
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t group = 0; group < groups(); ++group) {
      result.push_back(tile_scales()[tile_scale_index(granularity(), groups(), row, group)]);
    }
  }
  return result;
}

double TernaryWeight::sparsity() const {
  return static_cast<double>(storage_->zeros) /
         (static_cast<double>(out_features()) * static_cast<double>(in_features()));
}

std::size_t TernaryWeight::memory_bytes() const {
  return tiles().size() + tile_scales().size() * sizeof(float);
}

double TernaryWeight::compression_ratio() const {
  return 4.0 * static_cast<double>(out_features()) * static_cast<double>(in_features()) /
         static_cast<double>(memory_bytes());
}

std::span<const std::uint8_t> TernaryWeight::tiles() const { return storage_->tiles.bytes; }
std::span<const float> TernaryWeight::tile_scales() const { return storage_->tile_scales; }

}  // namespace bitnet
