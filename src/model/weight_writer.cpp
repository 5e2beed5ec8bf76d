// SPDX-License-Identifier: MIT
#include "model/weight_writer.h"

#include <bitnet/error.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "base/message.h"
#include "formats/float_encodings.h"
#include "formats/hf_packed.h"
#include "formats/ternary_encodings.h"
#include "kernels/kernel_table.h"
#include "model/merge_loss.h"
#include "model/row_blocks.h"

namespace bitnet {
namespace {

constexpr std::size_t kCopyBytes = std::size_t{4} << 20;
constexpr std::size_t kRowsPerPackedRow = 4;

/// Whether the stored bytes are those of the output.
bool is_copy(const PlannedTensor& tensor) {
  const SourceWeight& source = *tensor.source;
  return !tensor.ternary && tensor.encoding == source.tensor.encoding && !source.hf_packed &&
         source.scale_tensor == nullptr && tensor.permuted_rows == source.rows_are_permuted &&
         tensor.adds_one == source.one_was_added && source.updates.empty();
}

/// The float that a scale becomes in an encoding's own numbers: float16 in blocks.
float stored_scale(Encoding encoding, float scale) {
  std::array<std::byte, sizeof(float)> bytes{};
  const Encoding number = is_float_type(encoding) ? encoding : Encoding::f16;
  encode_float_rows(number, {&scale, 1}, 1, std::span(bytes).first(block_layout(number).bytes));
  StoredTensor one;
  one.encoding = number;
  one.shape = Shape{1};
  one.bytes = bytes;
  float stored = 0;
  decode_to_float(one, 0, 1, {&stored, 1});
  return stored;
}

/// What multiplies trits inside the tensor's own bytes.
float inner_scale(const PlannedTensor& tensor, ScalePlacement placement, float scale) {
  if (!tensor.scale_name.empty() || tensor.encoding == Encoding::i2_s) {
    return 1;
  }
  const float stored = stored_scale(tensor.encoding, scale);
  if (stored != scale && placement != ScalePlacement::rounded) {
    throw UnsupportedError(
        message("tensor ", tensor.source->tensor.name, ": the scale ", scale, " is no number of ",
                is_float_type(tensor.encoding) ? to_string(tensor.encoding) : "F16", ", in which ",
                to_string(tensor.encoding), " keeps it: it would become ", stored,
                "; expected scales in tensors of their own, or leave to round them"));
  }
  return stored;
}

/// Encodes the trits [columns] of one output row; of a packed matrix the four rows [4, columns]
/// that share its bytes.
struct RowEncoder {
  const PlannedTensor& tensor;
  float scale;  // inner_scale

  void encode(std::span<const std::int8_t> trits, std::span<float> scratch,
              std::span<std::byte> out) const {
    const std::size_t columns = tensor.source->name.columns;
    if (tensor.encoding == Encoding::u8) {
      const std::vector<std::byte> bytes = encode_hf_packed(trits, kRowsPerPackedRow, columns);
      std::copy(bytes.begin(), bytes.end(), out.begin());
    } else if (is_float_type(tensor.encoding)) {
      std::transform(trits.begin(), trits.end(), scratch.begin(),
                     [this](std::int8_t trit) { return scale * static_cast<float>(trit); });
      encode_float_rows(tensor.encoding, scratch.first(columns), columns, out);
    } else {
      encode_ternary_rows(tensor.encoding, trits, columns, scale, out);
    }
  }
};

std::size_t output_row_bytes(const PlannedTensor& tensor) {
  const std::size_t columns = tensor.source->name.columns;
  const BlockLayout layout = block_layout(tensor.encoding);
  return columns / layout.elements * layout.bytes;
}

}  // namespace

WeightWriter::WeightWriter(const ModelSource& source, ScalePlacement scales, const Runtime& runtime,
                           AppendBytes append, BytesRead on_read)
    : source_(source),
      scales_(scales),
      runtime_(runtime),
      append_(std::move(append)),
      on_read_(std::move(on_read)) {}

TensorReport WeightWriter::write(const PlannedTensor& tensor) {
  TensorReport report;
  report.name = tensor.name;
  report.source_name = tensor.source->tensor.name;
  report.encoding = tensor.encoding;
  report.shape = weight_shape(*tensor.source);
  if (!tensor.source->updates.empty() && (tensor.ternary || is_ternary_model(source_))) {
    report.merge_loss = measure_merge(source_, *tensor.source, runtime_);
  }
  if (tensor.ternary) {
    write_trits(tensor, report);
  } else if (is_copy(tensor)) {
    copy(tensor);
  } else {
    write_floats(tensor);
  }
  return report;
}

std::size_t WeightWriter::source_row(const PlannedTensor& tensor, std::size_t output_row) const {
  return tensor.permuted_rows ? query_key_source_row(output_row, source_.config().head_dim)
                              : output_row;
}

/// Output rows [first, first + count) of `rows` are done.
void WeightWriter::report_read(const PlannedTensor& tensor, std::size_t first, std::size_t count,
                               std::size_t rows) {
  const StoredTensor& stored = tensor.source->tensor;
  source_.checkpoint().release(stored);
  on_read_(stored.bytes.size() * (first + count) / rows - stored.bytes.size() * first / rows);
}

void WeightWriter::write_trits(const PlannedTensor& tensor, TensorReport& report) {
  const std::unique_ptr<ProjectionReader> reader =
      open_projection(source_, *tensor.source, runtime_, on_read_);
  const std::size_t columns = tensor.source->name.columns;
  const std::size_t strips = tensor.encoding == Encoding::u8 ? kRowsPerPackedRow : 1;
  const std::size_t rows = tensor.source->name.rows / strips;
  const std::size_t row_bytes = output_row_bytes(tensor);
  const RowEncoder encoder{tensor, inner_scale(tensor, scales_, reader->scale())};
  std::size_t zeros = 0;
  SquareSums sums;
  for_each_row_block(rows, columns * strips, [&](std::size_t first, std::size_t count) {
    floats_.resize(count * 2 * columns);
    trits_.resize(count * strips * columns);
    encoded_.resize(count * row_bytes);
    row_sums_.assign(count, {});
    parallel_rows(runtime_, count, [&](std::size_t i) {
      const std::span scratch(floats_.data() + i * 2 * columns, 2 * columns);
      const std::span trits(trits_.data() + i * strips * columns, strips * columns);
      for (std::size_t strip = 0; strip < strips; ++strip) {
        std::int8_t* const row = trits.data() + strip * columns;
        row_sums_[i].zeros +=
            reader->read_row(source_row(tensor, first + i + strip * rows), scratch.data(), row);
        if (!reader->was_ternary()) {
          float* const approximations = scratch.data() + columns;
          runtime_.kernels().dequantize(row, columns, reader->scale(), approximations);
          row_sums_[i].squares += square_sums(scratch.data(), approximations, columns);
        }
      }
      encoder.encode(trits, scratch, std::span(encoded_.data() + i * row_bytes, row_bytes));
    });
    append_(encoded_);
    for (const RowSums& row : row_sums_) {
      zeros += row.zeros;
      sums += row.squares;
    }
    report_read(tensor, first, count, rows);
  });
  if (tensor.encoding == Encoding::i2_s) {
    append_(i2_s_tail(reader->scale()));
  }
  report.ternary = true;
  report.was_ternary = reader->was_ternary();
  report.scale = tensor.scale_name.empty() && tensor.encoding != Encoding::i2_s ? encoder.scale
                                                                                : reader->scale();
  report.sparsity = static_cast<double>(zeros) / static_cast<double>(report.shape.numel());
  report.sqnr_db = sums.sqnr_db();
}

void WeightWriter::write_floats(const PlannedTensor& tensor) {
  const std::size_t columns = tensor.source->name.columns;
  const std::size_t rows = tensor.source->name.rows;
  const std::size_t row_bytes = output_row_bytes(tensor);
  for_each_row_block(rows, columns, [&](std::size_t first, std::size_t count) {
    floats_.resize(count * columns);
    encoded_.resize(count * row_bytes);
    parallel_rows(runtime_, count, [&](std::size_t i) {
      const std::span row(floats_.data() + i * columns, columns);
      read_float_row(source_, *tensor.source, runtime_, source_row(tensor, first + i), row);
      if (tensor.adds_one) {
        std::transform(row.begin(), row.end(), row.begin(), [](float gain) { return gain + 1; });
      }
      try {
        encode_float_rows(tensor.encoding, row, columns,
                          std::span(encoded_.data() + i * row_bytes, row_bytes));
      } catch (const NonFiniteError& error) {
        throw NonFiniteError("tensor " + tensor.source->tensor.name, source_row(tensor, first + i),
                             error.column, error.value);
      }
    });
    append_(encoded_);
    report_read(tensor, first, count, rows);
  });
}

void WeightWriter::copy(const PlannedTensor& tensor) {
  std::span<const std::byte> rest = tensor.source->tensor.bytes;
  while (!rest.empty()) {
    const std::size_t size = std::min(kCopyBytes, rest.size());
    append_(rest.first(size));
    rest = rest.subspan(size);
    source_.checkpoint().release(tensor.source->tensor);
    on_read_(size);
  }
}

std::uint64_t bytes_to_read(const PlannedTensor& tensor) {
  const bool twice = tensor.ternary && needs_measuring(*tensor.source);
  return (twice ? 2 : 1) * tensor.source->tensor.bytes.size();
}

}  // namespace bitnet
