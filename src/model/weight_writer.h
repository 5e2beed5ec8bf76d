// SPDX-License-Identifier: MIT
// WeightWriter: carries out a conversion plan, tensor by tensor and block of rows by block.
#pragma once

#include <bitnet/convert_checkpoint.h>

#include <cstddef>
#include <functional>
#include <optional>
#include <span>

#include "base/aligned_vector.h"
#include "model/conversion_plan.h"
#include "model/projection_reader.h"

namespace bitnet {

/// Takes the encoded bytes of the tensor that is being written, in order.
using AppendBytes = std::function<void(std::span<const std::byte>)>;

class WeightWriter {
 public:
  WeightWriter(const ModelSource& source, ScalePlacement scales, const Runtime& runtime,
               AppendBytes append, BytesRead on_read);

  /// Appends the tensor, I2_S with its scale behind the codes. What PlannedTensor::scale_name
  /// should hold is the report's scale.
  TensorReport write(const PlannedTensor& tensor);

 private:
  void write_trits(const PlannedTensor& tensor, TensorReport& report);
  void write_floats(const PlannedTensor& tensor);
  void copy(const PlannedTensor& tensor);
  std::size_t source_row(const PlannedTensor& tensor, std::size_t output_row) const;
  void report_read(const PlannedTensor& tensor, std::size_t first, std::size_t count,
                   std::size_t rows);

  /// What a row adds to the report of its matrix.
  struct RowSums {
    SquareSums squares;  // zeros when nothing was rounded
    std::size_t zeros = 0;
  };

  const ModelSource& source_;
  ScalePlacement scales_;
  const Runtime& runtime_;
  AppendBytes append_;
  BytesRead on_read_;
  // Buffers of one block of rows, reused.
  AlignedVector<float> floats_;
  AlignedVector<std::int8_t> trits_;
  AlignedVector<std::byte> encoded_;
  std::vector<RowSums> row_sums_;
};

/// Bytes of the input that writing the tensor reads: matrices without a known scale twice.
std::uint64_t bytes_to_read(const PlannedTensor& tensor);

}  // namespace bitnet
