// SPDX-License-Identifier: MIT
#include "model/tensor_scan.h"

#include <bitnet/error.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/aligned_vector.h"
#include "formats/encoding.h"
#include "formats/hf_packed.h"
#include "formats/ternary_encodings.h"
#include "model/row_blocks.h"

namespace bitnet {
namespace {

TritCounts count_row(const SourceWeight& weight, std::size_t row, std::span<std::int8_t> trits) {
  TritCounts counts;
  try {
    if (weight.hf_packed) {
      decode_hf_packed(weight.tensor, weight.name.rows, row, 1, trits);
    } else {
      decode_trits(weight.tensor, row, 1, trits);
    }
  } catch (const TernaryError& error) {
    counts.bad_code = error.what();
    return counts;
  }
  counts.minus = static_cast<std::uint64_t>(std::count(trits.begin(), trits.end(), -1));
  counts.plus = static_cast<std::uint64_t>(std::count(trits.begin(), trits.end(), 1));
  counts.zero = trits.size() - counts.minus - counts.plus;
  return counts;
}

FloatScan scan_row(std::span<const float> values) {
  FloatScan scan;
  for (const float value : values) {
    scan.nan += std::isnan(value) ? 1 : 0;
    scan.infinite += std::isinf(value) ? 1 : 0;
    scan.absmax = std::isfinite(value) ? std::max(scan.absmax, std::abs(value)) : scan.absmax;
  }
  return scan;
}

}  // namespace

double TritCounts::sparsity() const {
  return total() == 0 ? 0 : static_cast<double>(zero) / static_cast<double>(total());
}

TritCounts count_trits(const Checkpoint& checkpoint, const SourceWeight& weight,
                       const Runtime& runtime) {
  const std::size_t columns = weight.name.columns;
  TritCounts total;
  AlignedVector<std::int8_t> trits;
  std::vector<TritCounts> rows;
  for_each_row_block(weight.name.rows, columns, [&](std::size_t first, std::size_t count) {
    trits.resize(count * columns);
    rows.assign(count, {});
    parallel_rows(runtime, count, [&](std::size_t i) {
      rows[i] = count_row(weight, first + i, std::span(trits.data() + i * columns, columns));
    });
    for (const TritCounts& row : rows) {
      total.minus += row.minus;
      total.zero += row.zero;
      total.plus += row.plus;
      if (total.bad_code.empty()) {
        total.bad_code = row.bad_code;
      }
    }
    checkpoint.release(weight.tensor);
  });
  return total;
}

std::optional<FloatScan> scan_floats(const Checkpoint& checkpoint, const StoredTensor& tensor,
                                     const Runtime& runtime) {
  const MatrixExtent extent = matrix_extent(tensor.shape);
  FloatScan total;
  if (extent.rows == 0 || extent.columns == 0) {
    return total;
  }
  AlignedVector<float> values;
  std::vector<FloatScan> rows;
  try {
    for_each_row_block(extent.rows, extent.columns, [&](std::size_t first, std::size_t count) {
      values.resize(count * extent.columns);
      rows.assign(count, {});
      parallel_rows(runtime, count, [&](std::size_t i) {
        const std::span row(values.data() + i * extent.columns, extent.columns);
        decode_to_float(tensor, first + i, 1, row);
        rows[i] = scan_row(row);
      });
      for (const FloatScan& row : rows) {
        total.nan += row.nan;
        total.infinite += row.infinite;
        total.absmax = std::max(total.absmax, row.absmax);
      }
      checkpoint.release(tensor);
    });
  } catch (const UnsupportedError&) {
    return std::nullopt;
  }
  return total;
}

}  // namespace bitnet
