// SPDX-License-Identifier: MIT
// How a TernaryWeight comes to be: geometry first, then tiles panel by panel, scales, zero count.
#pragma once

#include <bitnet/ternary_weight.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/aligned_vector.h"
#include "ternary/tile_arena.h"
#include "ternary/tile_layout.h"

namespace bitnet {

struct TernaryWeight::Storage {
  std::size_t out_features = 0;
  std::size_t in_features = 0;
  TileLayout layout = TileLayout::t16;
  Granularity granularity = Granularity::tensor;
  std::size_t group_size = 0;
  std::size_t zeros = 0;             // among out_features * in_features
  TileMemory tiles;                  // [panels, steps, 128]
  AlignedVector<float> tile_scales;  // [1], [panels * 32] or [panels, groups, 32]; padding 0
};

/// Fills the storage of a weight; the caller writes each panel once (threads may share the panels
/// among them), then calls finish.
class TernaryWeightBuilder {
 public:
  /// Throws ShapeMismatch, InvalidConfig or InvalidArgument for what no TernaryWeight can be.
  /// nullptr: memory of its own.
  TernaryWeightBuilder(std::size_t out_features, std::size_t in_features, Granularity granularity,
                       std::size_t group_size, std::optional<TileLayout> layout,
                       TileArena* arena = nullptr);

  TileLayout layout() const { return storage_->layout; }
  std::size_t panels() const { return panel_count(storage_->out_features); }
  std::size_t steps() const { return step_count(storage_->layout, storage_->in_features); }
  std::uint8_t* panel(std::size_t index) {
    return storage_->tiles.bytes.data() + index * steps() * kPanelStepBytes;
  }
  /// Throws QuantizationError unless positive and finite.
  void set_scale(std::size_t row, std::size_t group, float scale);
  TernaryWeight finish(std::size_t zeros);

 private:
  std::shared_ptr<TernaryWeight::Storage> storage_;
};

/// Position in tile_scales of the scale of (row, group).
std::size_t tile_scale_index(Granularity granularity, std::size_t groups, std::size_t row,
                             std::size_t group);

}  // namespace bitnet
