// SPDX-License-Identifier: MIT
// The searches try scales for every sub-block; sums run over its elements in order, as ggml's do,
// so that every bit agrees. The sub-blocks of a super-block lie side by side in lanes: that is what
// compilers turn into vectors.
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

/// Rounds half to even within two integers; NaN becomes `low`. Adding 1.5 * 2^23 leaves no bits for
/// fractions.
float round_within(float value, float low, float high) {
  constexpr float kNoFractions = 0x1.8p23F;
  const float bounded = value > low ? std::min(value, high) : low;
  return (bounded + kNoFractions) - kNoFractions;
}

/// The i-th elements of all sub-blocks side by side.
template <std::size_t lanes>
using Lanes = std::array<float, lanes>;
template <std::size_t lanes>
using Transposed = std::array<Lanes<lanes>, kElements / lanes>;

template <std::size_t lanes>
Transposed<lanes> transpose(const float* values) {
  Transposed<lanes> x;
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (std::size_t j = 0; j < lanes; ++j) {
      x[i][j] = values[j * x.size() + i];
    }
  }
  return x;
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

/// Finds x ~ scale * code + minimum, code in 0..15 and minimum <= 0, for each sub-block: codes by
/// rounding with 21 spreads in turn, scale and minimum by weighted least squares for these codes.
class AffineSearch {
 public:
  using Row = Lanes<kAffineBlocks>;

  explicit AffineSearch(const float* values) : x_(transpose<kAffineBlocks>(values)) {
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
    Row squares{};
    for (const Row& x : x_) {
      for (std::size_t j = 0; j < x.size(); ++j) {
        squares[j] += x[j] * x[j];
      }
    }
    for (std::size_t j = 0; j < squares.size(); ++j) {
      squares[j] = std::sqrt(squares[j] / static_cast<float>(kAffineSize));
    }
    for (std::size_t i = 0; i < x_.size(); ++i) {
      for (std::size_t j = 0; j < squares.size(); ++j) {
        w_[i][j] = squares[j] + std::abs(x_[i][j]);
        sum_w_[j] += w_[i][j];
        sum_wx_[j] += w_[i][j] * x_[i][j];
      }
    }
  }

  /// Codes that spread evenly from the minimum to the maximum.
  void start() {
    minimum_ = maximum_ = x_[0];
    for (const Row& x : x_) {
      for (std::size_t j = 0; j < x.size(); ++j) {
        minimum_[j] = std::min(minimum_[j], x[j]);
        maximum_[j] = std::max(maximum_[j], x[j]);
      }
    }
    for (std::size_t j = 0; j < minimum_.size(); ++j) {
      minimum_[j] = std::min(minimum_[j], 0.0F);
      code_factor_[j] = kMaxCode / (maximum_[j] - minimum_[j]);  // equal numbers: inf, so scale 0
      scale_[j] = 1 / code_factor_[j];
    }
    code_origin_ = minimum_;
    for (std::size_t i = 0; i < x_.size(); ++i) {
      for (std::size_t j = 0; j < kAffineBlocks; ++j) {
        codes_[i][j] = code(j, i);
      }
    }
    error_ = error(scale_, minimum_);
  }

  Row error(const Row& scale, const Row& minimum) const {
    Row sum{};
    for (std::size_t i = 0; i < x_.size(); ++i) {
      for (std::size_t j = 0; j < sum.size(); ++j) {
        const float difference = scale[j] * codes_[i][j] + minimum[j] - x_[i][j];
        sum[j] += w_[i][j] * (difference * difference);
      }
    }
    return sum;
  }

  /// `spread`: how many codes the range from the best minimum so far to the maximum takes.
  void try_spread(float spread) {
    Row factor;
    for (std::size_t j = 0; j < factor.size(); ++j) {
      factor[j] = spread / (maximum_[j] - minimum_[j]);
    }
    Row sum_l{};
    Row sum_ll{};
    Row sum_lx{};
    for (std::size_t i = 0; i < x_.size(); ++i) {
      for (std::size_t j = 0; j < factor.size(); ++j) {
        const float l = round_within(factor[j] * (x_[i][j] - minimum_[j]), 0, kMaxCode);
        const float wl = w_[i][j] * l;
        codes_[i][j] = l;
        sum_l[j] += wl;
        sum_ll[j] += wl * l;
        sum_lx[j] += wl * x_[i][j];
      }
    }
    Row determinant;
    Row scale;
    Row minimum;
    for (std::size_t j = 0; j < factor.size(); ++j) {
      determinant[j] = sum_w_[j] * sum_ll[j] - sum_l[j] * sum_l[j];
      scale[j] = (sum_w_[j] * sum_lx[j] - sum_wx_[j] * sum_l[j]) / determinant[j];
      minimum[j] = (sum_ll[j] * sum_wx_[j] - sum_l[j] * sum_lx[j]) / determinant[j];
      if (minimum[j] > 0) {
        minimum[j] = 0;
        scale[j] = sum_lx[j] / sum_ll[j];
      }
    }
    const Row found = error(scale, minimum);
    for (std::size_t j = 0; j < factor.size(); ++j) {
      if (determinant[j] > 0 && found[j] < error_[j]) {
        code_factor_[j] = factor[j];
        code_origin_[j] = minimum_[j];
        error_[j] = found[j];
        scale_[j] = scale[j];
        minimum_[j] = minimum[j];
      }
    }
  }

  Transposed<kAffineBlocks> x_;
  Transposed<kAffineBlocks> w_;
  Transposed<kAffineBlocks> codes_;
  Row sum_w_{};
  Row sum_wx_{};
  Row maximum_;
  Row minimum_;  // of the best fit so far, as are the members below
  Row scale_;
  Row error_;
  Row code_factor_;  // codes are round((x - code_origin) * code_factor)
  Row code_origin_;
};

bool encode_q4_k(const float* values, std::byte* block) {
  if (exceeds_any_scale(values)) {
    return false;
  }
  constexpr float kMaxSubScale = 63;
  const AffineSearch fit(values);
  float max_scale = 0;
  float max_minimum = 0;
  for (std::size_t j = 0; j < kAffineBlocks; ++j) {
    max_scale = std::max(max_scale, fit.scale(j));
    max_minimum = std::max(max_minimum, -fit.minimum(j));
  }
  const float d = store_half(max_scale / kMaxSubScale, block);
  const float dmin = store_half(max_minimum / kMaxSubScale, block + 2);
  const float scale_factor = max_scale > 0 ? kMaxSubScale / max_scale : 0;
  const float minimum_factor = max_minimum > 0 ? kMaxSubScale / max_minimum : 0;
  std::array<std::uint8_t, kElements> codes;
  SubScales sub;
  for (std::size_t j = 0; j < kAffineBlocks; ++j) {
    const float sub_scale = round_within(scale_factor * fit.scale(j), 0, kMaxSubScale);
    const float sub_minimum = round_within(minimum_factor * -fit.minimum(j), 0, kMaxSubScale);
    sub.scale[j] = static_cast<std::uint8_t>(sub_scale);
    sub.minimum[j] = static_cast<std::uint8_t>(sub_minimum);
    const float scale = d * sub_scale;
    const float minimum = dmin * sub_minimum;
    for (std::size_t i = j * kAffineSize; i < (j + 1) * kAffineSize; ++i) {
      const float code = scale != 0 ? round_within((values[i] + minimum) / scale, 0, 15)
                                    : fit.code(j, i % kAffineSize);
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

/// Finds x ~ scale * integer, integer in -32..31, for each sub-block: integers by rounding with 19
/// factors in turn, the scale by least squares weighted by x² for these integers.
class SymmetricSearch {
 public:
  using Row = Lanes<kSymmetricBlocks>;

  explicit SymmetricSearch(const float* values) : x_(transpose<kSymmetricBlocks>(values)) {
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
    for (const Row& x : x_) {
      for (std::size_t j = 0; j < x.size(); ++j) {
        extreme_[j] = std::abs(x[j]) > std::abs(extreme_[j]) ? x[j] : extreme_[j];
      }
    }
    for (float& extreme : extreme_) {
      extreme = std::abs(extreme) < kNothing ? 0 : extreme;
    }
    best_.fill(-1);  // less than any fit: the first one is taken
  }

  /// `range`: the extreme becomes -range.
  void try_range(float range) {
    Row factor;
    for (std::size_t j = 0; j < factor.size(); ++j) {
      factor[j] = -range / extreme_[j];
    }
    Row sum_lx{};
    Row sum_ll{};
    for (const Row& x : x_) {
      for (std::size_t j = 0; j < x.size(); ++j) {
        const float l = round_within(factor[j] * x[j], -kRange, kRange - 1);
        const float w = x[j] * x[j];
        sum_lx[j] += w * x[j] * l;
        sum_ll[j] += w * l * l;
      }
    }
    for (std::size_t j = 0; j < factor.size(); ++j) {
      if (extreme_[j] != 0 && sum_ll[j] > 0 && sum_lx[j] * sum_lx[j] > best_[j] * sum_ll[j]) {
        factor_[j] = factor[j];
        scale_[j] = sum_lx[j] / sum_ll[j];
        best_[j] = scale_[j] * sum_lx[j];
      }
    }
  }

  Transposed<kSymmetricBlocks> x_;
  Row extreme_{};
  Row factor_{};  // of the best fit so far, as are the members below
  Row scale_{};
  Row best_;  // by how much it reduces the weighted sum of squares
};

bool encode_q6_k(const float* values, std::byte* block) {
  if (exceeds_any_scale(values)) {
    return false;
  }
  const SymmetricSearch fit(values);
  float max_scale = 0;
  for (std::size_t j = 0; j < kSymmetricBlocks; ++j) {
    max_scale = std::abs(fit.scale(j)) > std::abs(max_scale) ? fit.scale(j) : max_scale;
  }
  if (std::abs(max_scale) < SymmetricSearch::kNothing) {
    std::fill_n(block, kQ6ScaleOffset + 2, std::byte{0});
    return true;
  }
  const float scale_factor = -128.0F / max_scale;
  const float d = store_half(1 / scale_factor, block + kQ6ScaleOffset);
  std::array<std::uint8_t, kElements> codes;
  for (std::size_t j = 0; j < kSymmetricBlocks; ++j) {
    const float sub_scale = round_within(scale_factor * fit.scale(j), -128, 127);
    block[kInt8ScalesOffset + j] = static_cast<std::byte>(static_cast<std::int8_t>(sub_scale));
    const float scale = d * sub_scale;
    for (std::size_t i = j * kSymmetricSize; i < (j + 1) * kSymmetricSize; ++i) {
      const float integer = scale != 0 ? round_within(values[i] / scale, -32, 31)
                                       : fit.integer(j, i % kSymmetricSize);
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
