// SPDX-License-Identifier: MIT
// Errors thrown at the public boundary. Every message says what, where, expected, found.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>

namespace bitnet {

/// Base of everything this library throws on purpose (allocation failure stays std::bad_alloc).
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A BitNetConfig that no arithmetic could follow (bits outside 2..8, group that is no power of
/// two...).
struct InvalidConfig : Error {
  using Error::Error;
};

/// An argument other than a shape or a config broke a documented requirement.
struct InvalidArgument : Error {
  using Error::Error;
};

/// A tensor of the wrong rank or size.
struct ShapeMismatch : Error {
  using Error::Error;
};

/// Numbers that cannot be quantized or a scale that cannot multiply.
struct QuantizationError : Error {
  using Error::Error;
};

/// NaN or infinity in the input: the first offender in row-major order.
struct NonFiniteError : QuantizationError {
  NonFiniteError(const std::string& what_tensor, std::size_t row, std::size_t column, float value);
  std::size_t row;     ///< flattened row (token, or output feature)
  std::size_t column;  ///< position within the row
  float value;         ///< NaN, +inf or -inf
};

/// A code that is no trit (the fourth value of a 2-bit field, or a number outside -1..1).
struct TernaryError : Error {
  TernaryError(const std::string& what_tensor, std::size_t row, std::size_t column, int code);
  std::size_t row;
  std::size_t column;
  int code;
};

/// The operating system refused: open, read, map, write, sync, rename.
struct IoError : Error {
  using Error::Error;
};

/// A file or byte string is malformed; the message names file, tensor or key, and byte offset.
struct FormatError : Error {
  using Error::Error;
};

/// Well-formed, but not implemented or not built in.
struct UnsupportedError : Error {
  using Error::Error;
};

}  // namespace bitnet
