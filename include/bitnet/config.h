// SPDX-License-Identifier: MIT
// BitNetConfig: every choice of the quantization arithmetic, as data.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bitnet {

/// How many weights share one scale.
enum class Granularity {
  tensor,  ///< one scale for the matrix (every published BitNet b1.58 model)
  row,     ///< one per output feature
  group,   ///< one per `group_size` consecutive inputs of an output feature (the Rust crate's
           ///< default)
};

/// What happens at k + 1/2.
enum class Rounding {
  half_away_from_zero,  ///< 2.5 -> 3, -2.5 -> -3 (C's round)
  half_to_even,         ///< 2.5 -> 2, 3.5 -> 4 (torch.round)
};

/// How a real number meets its scale before rounding. The two differ by one code next to a tie.
enum class Scaling {
  divide,    ///< q = round(x / scale)
  multiply,  ///< q = round(x * inverse_scale), inverse_scale = qmax / max|x| formed first
};

/// A plain struct: set fields directly, or chain the with_* setters, then pass it on. Functions
/// that take a config call validate() themselves. docs/numerics.md states each formula with its
/// test.
struct BitNetConfig {
  // Weights.
  Granularity weight_granularity = Granularity::group;
  std::size_t group_size = 64;  ///< inputs per scale with Granularity::group; power of two

  // Activations.
  int activation_bits = 8;           ///< 2..8: codes lie in ±(2^(bits-1) - 1)
  bool per_token_activation = true;  ///< false: one scale for the whole tensor

  // Arithmetic of both.
  Rounding rounding = Rounding::half_away_from_zero;
  Scaling scaling = Scaling::divide;
  /// Lower bound of max|x| and mean|w|. With 0, a zero magnitude gives the scale 1.0 instead.
  float magnitude_floor = 0.0F;

  // Layer.
  bool use_rms_norm = true;  ///< BitLinear::forward normalizes its input before quantizing
  float eps = 1e-5F;         ///< added to mean(x²) inside the norm
  bool enable_ste = true;    ///< a trainer passes gradients straight through; inference ignores it

  /// The arithmetic of the Rust crate bitnet-quantize, STE off / on. BitNetConfig{} equals
  /// training().
  static BitNetConfig inference();
  static BitNetConfig training();
  /// The arithmetic of published models (arXiv 2402.17764; Hugging Face and Microsoft code): one
  /// weight scale per tensor, half to even, multiply, magnitudes floored at 1e-5. No norm inside
  /// the layer, because those checkpoints carry their norms as layers of their own.
  static BitNetConfig b158();

  BitNetConfig with_weight_granularity(Granularity value) const;
  BitNetConfig with_group_size(std::size_t value) const;
  BitNetConfig with_activation_bits(int value) const;
  BitNetConfig with_per_token_activation(bool value) const;
  BitNetConfig with_rounding(Rounding value) const;
  BitNetConfig with_scaling(Scaling value) const;
  BitNetConfig with_magnitude_floor(float value) const;
  BitNetConfig with_rms_norm(bool value) const;
  BitNetConfig with_eps(float value) const;
  BitNetConfig with_ste(bool value) const;

  /// Largest code: 2^(activation_bits - 1) - 1.
  int qmax() const { return (1 << (activation_bits - 1)) - 1; }

  /// Throws InvalidConfig naming field, value and what is allowed.
  void validate() const;

  /// JSON object with one key per field. from_json takes missing keys from BitNetConfig{}, rejects
  /// unknown keys and wrong types (FormatError), and validates.
  std::string to_json() const;
  static BitNetConfig from_json(std::string_view text);

  friend bool operator==(const BitNetConfig&, const BitNetConfig&) = default;
};

}  // namespace bitnet
