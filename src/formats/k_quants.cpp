// SPDX-License-Identifier: MIT
// The searches try scales for every sub-block; sums run over its elements in order, as ggml's do,
// so that every bit agrees. Four sub-blocks at a time lie side by side in the lanes of vectors.
#include "formats/k_quants.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "base/half.h"

namespace bitnet {
namespace {

constexpr std::size_t kElements = KQuantCodec::kElements;

std::uint8_t byte_at(const std::byte* bytes, std::size_t i) {
  return std::to_integer<std::uint8_t>(bytes[i]);
}
float load_half(const std::byte* from) {
  std::uint16_t half = 0;
  std::memcpy(&half, from, sizeof half);
  return half_to_float(half);
}
/// Returns what the stored number says.
float store_half(float value, std::byte* to) {
  const std::uint16_t half = float_to_half(value);
  std::memcpy(to, &half, sizeof half);
  return half_to_float(half);
}

/// Adding it leaves no bits for fractions.
constexpr float kNoFractions = 0x1.8p23F;

/// Rounds half to even within two integers; NaN becomes `low`.
float round_within(float value, float low, float high) {
  const float bounded = value > low ? std::min(value, high) : low;
  return (bounded + kNoFractions) - kNoFractions;
}

/// Numbers of four neighbouring sub-blocks side by side; as wide as the vectors of every CPU.
using Lanes [[gnu::vector_size(16)]] = float;
constexpr std::size_t kLanes = 4;
/// The i-th elements of four sub-blocks of `size` elements.
template <std::size_t size>
using FourBlocks = std::array<Lanes, size>;

template <std::size_t size>
FourBlocks<size> transpose(const float* values) {
  FourBlocks<size> x;
  for (std::size_t i = 0; i < size; ++i) {
    for (std::size_t j = 0; j < kLanes; ++j) {
      x[i][j] = values[j * size + i];
    }
  }
  return x;
}

/// The same as round_within in every lane.
Lanes round_lanes(Lanes values, float low, float high) {
  const Lanes lowest = Lanes{} + low;
  const Lanes highest = Lanes{} + high;
  values = values > lowest ? values : lowest;
  values = values < highest ? values : highest;
  return (values + kNoFractions) - kNoFractions;
}

/// Beyond this no float16 scale reaches, and squares of the search may overflow.
bool exceeds_any_scale(const float* values) {
  return std::any_of(values, values + kElements, [](float x) { return std::abs(x) > 1e9F; });
}

// q4_k and q5_k: float16 d, float16 dmin, 12 bytes of 6-bit sub-scales, (q5_k: 32 bytes of fifth
// bits,) 128 bytes of low nibbles. Sub-block j of 32 elements is d * scale_j * code - dmin *
// minimum_j.
constexpr std::size_t kAffineBlocks = 8;
constexpr std::size_t kAffineSize = kElements / kAffineBlocks;
constexpr std::size_t kSubScalesOffset = 4;
constexpr std::size_t kBehindSubScales = 16;

struct SubScales {
  std::array<std::uint8_t, kAffineBlocks> scale;
  std::array<std::uint8_t, kAffineBlocks> minimum;
};

// Byte j < 4 holds scale j, byte j + 4 minimum j; their upper two bits are those of scale and
// minimum j + 4, whose lower four bits share byte j + 8.
SubScales unpack_sub_scales(const std::byte* bytes) {
  SubScales sub{};
  for (std::size_t j = 0; j < 4; ++j) {
    const unsigned scale = byte_at(bytes, j);
    const unsigned minimum = byte_at(bytes, j + 4);
    const unsigned low = byte_at(bytes, j + 8);
    sub.scale[j] = scale & 63U;
    sub.minimum[j] = minimum & 63U;
    sub.scale[j + 4] = static_cast<std::uint8_t>((low & 15U) | scale >> 6 << 4);
    sub.minimum[j + 4] = static_cast<std::uint8_t>(low >> 4 | minimum >> 6 << 4);
  }
  return sub;
}
void pack_sub_scales(const SubScales& sub, std::byte* bytes) {
  for (std::size_t j = 0; j < 4; ++j) {
    bytes[j] = static_cast<std::byte>(sub.scale[j] | sub.scale[j + 4] >> 4 << 6);
    bytes[j + 4] = static_cast<std::byte>(sub.minimum[j] | sub.minimum[j + 4] >> 4 << 6);
    bytes[j + 8] = static_cast<std::byte>((sub.scale[j + 4] & 15) | (sub.minimum[j + 4] & 15) << 4);
  }
}

template <bool has_fifth_bits>
void decode_affine(const std::byte* block, float* values) {
  const float d = load_half(block);
  const float dmin = load_half(block + 2);
  const SubScales sub = unpack_sub_scales(block + kSubScalesOffset);
  const std::byte* const fifth_bits = block + kBehindSubScales;
  const std::byte* const nibbles = fifth_bits + (has_fifth_bits ? kAffineSize : 0);
  for (std::size_t j = 0; j < kAffineBlocks; ++j) {
    const float scale = d * static_cast<float>(sub.scale[j]);
    const float minimum = dmin * static_cast<float>(sub.minimum[j]);
    const std::byte* const pair = nibbles + j / 2 * kAffineSize;
    for (std::size_t i = 0; i < kAffineSize; ++i) {
      int code = byte_at(pair, i) >> (j % 2 * 4) & 15;
      if constexpr (has_fifth_bits) {
        code |= (byte_at(fifth_bits, i) >> j & 1) << 4;
      }
      values[j * kAffineSize + i] = scale * static_cast<float>(code) - minimum;
    }
  }
}

/// Finds x ~ scale * code + minimum, code in 0..15 and minimum <= 0, for each of four sub-blocks:
/// codes by rounding with 21 spreads in turn, scale and minimum by weighted least squares for these
/// codes.
class AffineSearch {
 public:
  explicit AffineSearch(const float* values) : x_(transpose<kAffineSize>(values)) {
    weigh();
    start();
    for (int step = 0; step <= 20; ++step) {
      // In the arithmetic of the reference: float, left to right.
      try_spread(-1.0F + 0.1F * static_cast<float>(step) + kMaxCode);
    }
  }

  float scale(std::size_t j) const { return scale_[j]; }
  float minimum(std::size_t j) const { return minimum_[j]; }
  /// The code that the search gave element i of sub-block j.
  float code(std::size_t j, std::size_t i) const {
    return round_within(code_factor_[j] * (x_[i][j] - code_origin_[j]), 0, kMaxCode);
  }

 private:
  static constexpr float kMaxCode = 15;

  /// Root mean square plus magnitude: large weights count more.
  void weigh() {
    Lanes squares{};
    for (const Lanes& x : x_) {
      squares += x * x;
    }
    Lanes root_mean_square;
    for (std::size_t j = 0; j < kLanes; ++j) {
      root_mean_square[j] = std::sqrt(squares[j] / static_cast<float>(kAffineSize));
    }
    for (std::size_t i = 0; i < x_.size(); ++i) {
      w_[i] = root_mean_square + (x_[i] < 0 ? -x_[i] : x_[i]);
      sum_w_ += w_[i];
      sum_wx_ += w_[i] * x_[i];
    }
  }

  /// Codes that spread evenly from the minimum, or 0 if that is less, to the maximum.
  void start() {
    minimum_ = Lanes{};
    maximum_ = x_[0];
    for (const Lanes& x : x_) {
      minimum_ = x < minimum_ ? x : minimum_;
      maximum_ = x > maximum_ ? x : maximum_;
    }
    code_factor_ = kMaxCode / (maximum_ - minimum_);  // of equal numbers: inf, so that scale is 0
    code_origin_ = minimum_;
    scale_ = 1 / code_factor_;
    for (std::size_t i = 0; i < x_.size(); ++i) {
      codes_[i] = round_lanes(code_factor_ * (x_[i] - minimum_), 0, kMaxCode);
    }
    error_ = error(scale_, minimum_);
  }

  Lanes error(const Lanes& scale, const Lanes& minimum) const {
    Lanes sum{};
    for (std::size_t i = 0; i < x_.size(); ++i) {
      const Lanes difference = scale * codes_[i] + minimum - x_[i];
      sum += w_[i] * (difference * difference);
    }
    return sum;
  }

  /// `spread`: how many codes the range from the best minimum so far to the maximum takes.
  void try_spread(float spread) {
    const Lanes factor = spread / (maximum_ - minimum_);
    Lanes sum_l{};
    Lanes sum_ll{};
    Lanes sum_lx{};
    for (std::size_t i = 0; i < x_.size(); ++i) {
      const Lanes l = round_lanes(factor * (x_[i] - minimum_), 0, kMaxCode);
      codes_[i] = l;
      const Lanes wl = w_[i] * l;
      sum_l += wl;
      sum_ll += wl * l;
      sum_lx += wl * x_[i];
    }
    const Lanes determinant = sum_w_ * sum_ll - sum_l * sum_l;
    Lanes scale = (sum_w_ * sum_lx - sum_wx_ * sum_l) / determinant;
    Lanes minimum = (sum_ll * sum_wx_ - sum_l * sum_lx) / determinant;
    scale = minimum > 0 ? sum_lx / sum_ll : scale;
    minimum = minimum > 0 ? Lanes{} : minimum;
    const Lanes found = error(scale, minimum);
    const auto is_better = (determinant > 0) & (found < error_);
    code_factor_ = is_better ? factor : code_factor_;
    code_origin_ = is_better ? minimum_ : code_origin_;
    error_ = is_better ? found : error_;
    scale_ = is_better ? scale : scale_;
    minimum_ = is_better ? minimum : minimum_;
  }

  FourBlocks<kAffineSize> x_;
  FourBlocks<kAffineSize> w_;
  FourBlocks<kAffineSize> codes_;
  Lanes sum_w_{};
  Lanes sum_wx_{};
  Lanes maximum_;
  Lanes minimum_;  // of the best fit so far, as are the members below
  Lanes scale_;
  Lanes error_;
  Lanes code_factor_;  // codes are round((x - code_origin) * code_factor)
  Lanes code_origin_;
};

bool encode_q4_k(const float* values, std::byte* block) {
  if (exceeds_any_scale(values)) {
    return false;
  }
  constexpr float kMaxSubScale = 63;
  const std::array fits{AffineSearch(values), AffineSearch(values + kLanes * kAffineSize)};
  float max_scale = 0;
  float max_minimum = 0;
  for (std::size_t j = 0; j < kAffineBlocks; ++j) {
    max_scale = std::max(max_scale, fits[j / kLanes].scale(j % kLanes));
    max_minimum = std::max(max_minimum, -fits[j / kLanes].minimum(j % kLanes));
  }
  const float d = store_half(max_scale / kMaxSubScale, block);
  const float dmin = store_half(max_minimum / kMaxSubScale, block + 2);
  const float scale_factor = max_scale > 0 ? kMaxSubScale / max_scale : 0;
  const float minimum_factor = max_minimum > 0 ? kMaxSubScale / max_minimum : 0;
  std::array<std::uint8_t, kElements> codes;
  SubScales sub;
  for (std::size_t j = 0; j < kAffineBlocks; ++j) {
    const AffineSearch& fit = fits[j / kLanes];
    const std::size_t lane = j % kLanes;
    const float sub_scale = round_within(scale_factor * fit.scale(lane), 0, kMaxSubScale);
    const float sub_minimum = round_within(minimum_factor * -fit.minimum(lane), 0, kMaxSubScale);
    sub.scale[j] = static_cast<std::uint8_t>(sub_scale);
    sub.minimum[j] = static_cast<std::uint8_t>(sub_minimum);
    const float scale = d * sub_scale;
    const float minimum = dmin * sub_minimum;
    for (std::size_t i = j * kAffineSize; i < (j + 1) * kAffineSize; ++i) {
      const float code = scale != 0 ? round_within((values[i] + minimum) / scale, 0, 15)
                                    : fit.code(lane, i % kAffineSize);
      codes[i] = static_cast<std::uint8_t>(code);
    }
  }
  pack_sub_scales(sub, block + kSubScalesOffset);
  for (std::size_t i = 0; i < kElements / 2; ++i) {
    const std::size_t first = i / kAffineSize * 2 * kAffineSize + i % kAffineSize;
    block[kBehindSubScales + i] =
        static_cast<std::byte>(codes[first] | codes[first + kAffineSize] << 4);
  }
  return std::isfinite(d) && std::isfinite(dmin);
}

// q6_k: 128 bytes of low nibbles, 64 bytes of upper two bits, 16 int8 sub-scales, float16 d. Number
// i is d * sub_scale[i / 16] * (code - 32). In each half of 128 elements, nibble byte m holds m low
// and m + 64 high; bit pairs of byte m belong to m, m + 32, m + 64, m + 96, lowest bits first.
constexpr std::size_t kSymmetricBlocks = 16;
constexpr std::size_t kSymmetricSize = kElements / kSymmetricBlocks;
constexpr std::size_t kUpperBitsOffset = 128;
constexpr std::size_t kInt8ScalesOffset = 192;
constexpr std::size_t kQ6ScaleOffset = 208;

void decode_q6_k(const std::byte* block, float* values) {
  const float d = load_half(block + kQ6ScaleOffset);
  for (std::size_t i = 0; i < kElements; ++i) {
    const std::size_t half = i / 128;
    const std::size_t m = i % 128;
    const int low = byte_at(block, half * 64 + m % 64) >> (m / 64 * 4) & 15;
    const int upper = byte_at(block + kUpperBitsOffset, half * 32 + m % 32) >> (m / 32 * 2) & 3;
    const auto sub_scale = static_cast<std::int8_t>(block[kInt8ScalesOffset + i / kSymmetricSize]);
    values[i] = d * static_cast<float>(sub_scale) * static_cast<float>((low | upper << 4) - 32);
  }
}

void pack_q6_codes(const std::array<std::uint8_t, kElements>& codes, std::byte* block) {
  for (std::size_t half = 0; half < 2; ++half) {
    const std::uint8_t* const c = codes.data() + half * 128;
    for (std::size_t m = 0; m < 64; ++m) {
      block[half * 64 + m] = static_cast<std::byte>((c[m] & 15) | (c[m + 64] & 15) << 4);
    }
    for (std::size_t m = 0; m < 32; ++m) {
      block[kUpperBitsOffset + half * 32 + m] = static_cast<std::byte>(
          c[m] >> 4 | c[m + 32] >> 4 << 2 | c[m + 64] >> 4 << 4 | c[m + 96] >> 4 << 6);
    }
  }
}

/// Finds x ~ scale * integer, integer in -32..31, for each of four sub-blocks: integers by rounding
/// with 19 factors in turn, the scale by least squares weighted by x² for these integers.
class SymmetricSearch {
 public:
  explicit SymmetricSearch(const float* values) : x_(transpose<kSymmetricSize>(values)) {
    find_extremes();
    try_range(kRange);
    for (int step = -9; step <= 9; ++step) {
      if (step != 0) {
        try_range(kRange + 0.1F * static_cast<float>(step));
      }
    }
  }

  /// 0 for a sub-block of nothing but zeros.
  float scale(std::size_t j) const { return scale_[j]; }
  /// The integer that the search gave element i of sub-block j.
  float integer(std::size_t j, std::size_t i) const {
    return extreme_[j] == 0 ? -kRange : round_within(factor_[j] * x_[i][j], -kRange, kRange - 1);
  }

  static constexpr float kNothing = 1e-15F;
  static constexpr float kRange = 32;

 private:
  /// The first number of the largest magnitude, 0 when that is next to nothing.
  void find_extremes() {
    Lanes largest{};
    for (const Lanes& x : x_) {
      const Lanes magnitude = x < 0 ? -x : x;
      extreme_ = magnitude > largest ? x : extreme_;
      largest = magnitude > largest ? magnitude : largest;
    }
    extreme_ = largest < kNothing ? Lanes{} : extreme_;
  }

  /// `range`: the extreme becomes -range.
  void try_range(float range) {
    const Lanes factor = -range / extreme_;
    Lanes sum_lx{};
    Lanes sum_ll{};
    for (const Lanes& x : x_) {
      const Lanes l = round_lanes(factor * x, -kRange, kRange - 1);
      const Lanes w = x * x;
      sum_lx += w * x * l;
      sum_ll += w * l * l;
    }
    const auto is_better = (extreme_ != 0) & (sum_ll > 0) & (sum_lx * sum_lx > best_ * sum_ll);
    const Lanes scale = sum_lx / sum_ll;
    factor_ = is_better ? factor : factor_;
    scale_ = is_better ? scale : scale_;
    best_ = is_better ? scale * sum_lx : best_;
  }

  FourBlocks<kSymmetricSize> x_;
  Lanes extreme_{};
  Lanes factor_{};  // of the best fit so far, as are the members below
  Lanes scale_{};
  /// By how much it reduces the weighted sum of squares; at first less than any fit.
  Lanes best_ = Lanes{} - 1;
};

bool encode_q6_k(const float* values, std::byte* block) {
  if (exceeds_any_scale(values)) {
    return false;
  }
  constexpr std::size_t kStep = kLanes * kSymmetricSize;
  const std::array fits{SymmetricSearch(values), SymmetricSearch(values + kStep),
                        SymmetricSearch(values + 2 * kStep), SymmetricSearch(values + 3 * kStep)};
  float max_scale = 0;
  for (std::size_t j = 0; j < kSymmetricBlocks; ++j) {
    const float scale = fits[j / kLanes].scale(j % kLanes);
    max_scale = std::abs(scale) > std::abs(max_scale) ? scale : max_scale;
  }
  if (std::abs(max_scale) < SymmetricSearch::kNothing) {
    std::fill_n(block, kQ6ScaleOffset + 2, std::byte{0});
    return true;
  }
  const float scale_factor = -128.0F / max_scale;
  const float d = store_half(1 / scale_factor, block + kQ6ScaleOffset);
  std::array<std::uint8_t, kElements> codes;
  for (std::size_t j = 0; j < kSymmetricBlocks; ++j) {
    const SymmetricSearch& fit = fits[j / kLanes];
    const std::size_t lane = j % kLanes;
    const float sub_scale = round_within(scale_factor * fit.scale(lane), -128, 127);
    block[kInt8ScalesOffset + j] = static_cast<std::byte>(static_cast<std::int8_t>(sub_scale));
    const float scale = d * sub_scale;
    for (std::size_t i = j * kSymmetricSize; i < (j + 1) * kSymmetricSize; ++i) {
      const float integer = scale != 0 ? round_within(values[i] / scale, -32, 31)
                                       : fit.integer(lane, i % kSymmetricSize);
      codes[i] = static_cast<std::uint8_t>(integer + 32);
    }
  }
  pack_q6_codes(codes, block);
  return std::isfinite(d);
}

constexpr KQuantCodec kQ4K{decode_affine<false>, encode_q4_k};
constexpr KQuantCodec kQ5K{decode_affine<true>, nullptr};
constexpr KQuantCodec kQ6K{decode_q6_k, encode_q6_k};

}  // namespace

const KQuantCodec* find_k_quant(Encoding encoding) {
  switch (encoding) {
    case Encoding::q4_k:
      return &kQ4K;
    case Encoding::q5_k:
      return &kQ5K;
    case Encoding::q6_k:
      return &kQ6K;
    default:
      return nullptr;
  }
}

}  // namespace bitnet
