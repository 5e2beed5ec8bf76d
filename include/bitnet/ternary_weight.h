// SPDX-License-Identifier: MIT
// TernaryWeight: a packed matrix of {-1, 0, +1} with its scales.
#pragma once

#include <bitnet/config.h>
#include <bitnet/tensor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace bitnet {

/// Packed layouts, the same bytes on every ISA (docs/formats/packed_ternary.md).
enum class TileLayout {
  t16,   ///< five trits per byte, 1.6 bits per weight; tensor and row scales
  t2,    ///< four 2-bit codes per byte; any granularity
  t16p,  ///< t16 in a byte code for AVX-512 VBMI; elsewhere plain, slow loops multiply it
};

/// "t16", "t2", "t16p".
std::string_view to_string(TileLayout layout);

/// W[n, k] ≈ scale(n, k) * trit[n, k]; N out_features, K in_features. Immutable; copies share
/// storage.
class TernaryWeight {
 public:
  /// int32 sums stay exact up to here on every path (src/ternary/tile_layout.h has the bound).
  static constexpr std::size_t kMaxInFeatures = std::size_t{1} << 18;

  /// Packs trits [N, K], row-major. `scales` is [1], [N] or [N, K / group_size] as `granularity`
  /// says; every scale must be positive and finite (QuantizationError). A value outside -1..1 is a
  /// TernaryError. nullopt picks t16, or t2 for group scales.
  static TernaryWeight pack(std::span<const std::int8_t> trits, std::size_t out_features,
                            std::size_t in_features, std::span<const float> scales,
                            Granularity granularity = Granularity::tensor,
                            std::size_t group_size = 0,
                            std::optional<TileLayout> layout = std::nullopt);

  std::size_t out_features() const;
  std::size_t in_features() const;
  TileLayout layout() const;
  Granularity granularity() const;
  std::size_t group_size() const;  ///< 0 unless Granularity::group
  std::size_t groups() const;      ///< scales per row: 1 unless Granularity::group

  std::vector<std::int8_t> trits() const;  ///< [N, K]
  std::vector<float> scales() const;       ///< [1], [N] or [N, K / group_size]

  double sparsity() const;           ///< fraction of zeros among the N * K weights
  std::size_t memory_bytes() const;  ///< packed tiles (with padding) and scales
  double compression_ratio() const;  ///< 4 N K / memory_bytes(): against float32

  /// The packed storage, for kernels. Scales lie in tile order (src/ternary/tile_layout.h).
  std::span<const std::uint8_t> tiles() const;
  std::span<const float> tile_scales() const;

 private:
  friend class TernaryWeightBuilder;
  struct Storage;
  explicit TernaryWeight(std::shared_ptr<const Storage> storage);
  std::shared_ptr<const Storage> storage_;
};

/// The interchange form of the Rust crate: 00 = 0, 01 = +1, 10 = -1, sixteen per word, lowest bits
/// first, each row padded to whole words: [N, ceil(K / 16)].
std::vector<std::uint32_t> pack_2bit(std::span<const std::int8_t> trits, std::size_t rows,
                                     std::size_t columns);
/// Throws TernaryError for code 11, naming row and column; ShapeMismatch if the word count is
/// wrong.
std::vector<std::int8_t> unpack_2bit(std::span<const std::uint32_t> words, std::size_t rows,
                                     std::size_t columns);

}  // namespace bitnet
