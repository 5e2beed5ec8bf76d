// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/quantize_checkpoint.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "base/aligned_vector.h"
#include "base/message.h"
#include "formats/gguf_writer.h"
#include "formats/ternary_encodings.h"
#include "model/gguf_metadata.h"
#include "model/model_config.h"
#include "model/projection_reader.h"
#include "model/quantization_plan.h"
#include "model/weight_names.h"

namespace bitnet {
namespace {

constexpr std::size_t kCopyBytes = std::size_t{4} << 20;

Encoding first_ternary_encoding(const std::vector<PlannedTensor>& plan) {
  return std::find_if(
             plan.begin(), plan.end(),
             [](const PlannedTensor& tensor) { return tensor.name.role == WeightRole::projection; })
      ->encoding;
}

/// -1, 0 and 1 as binary16.
void encode_f16_row(std::span<const std::int8_t> trits, std::span<std::byte> out) {
  constexpr std::array<std::uint8_t, 3> kHighBytes = {0xbc, 0x00, 0x3c};
  for (std::size_t k = 0; k < trits.size(); ++k) {
    out[2 * k] = std::byte{0};
    out[2 * k + 1] = std::byte{kHighBytes[static_cast<std::size_t>(trits[k] + 1)]};
  }
}

/// Carries out a plan, tensor by tensor.
class CheckpointWriter {
 public:
  CheckpointWriter(const Checkpoint& input, const ModelConfig& config, const Runtime& runtime,
                   GgufWriter& writer, BytesRead on_read)
      : input_(input),
        config_(config),
        runtime_(runtime),
        writer_(writer),
        on_read_(std::move(on_read)) {}

  TensorReport write(const PlannedTensor& tensor) {
    TensorReport report;
    report.name = tensor.name.gguf;
    report.source_name = tensor.source->name;
    report.encoding = tensor.encoding;
    report.shape = output_shape(tensor);
    switch (tensor.name.role) {
      case WeightRole::projection:
        write_projection(tensor, report);
        break;
      case WeightRole::norm:
        write_norm(tensor);
        break;
      default:
        copy(tensor);
    }
    return report;
  }

 private:
  void write_projection(const PlannedTensor& tensor, TensorReport& report) {
    const StoredTensor& source = *tensor.source;
    const std::size_t rows = tensor.name.rows;
    const std::unique_ptr<ProjectionReader> reader =
        is_packed(tensor) ? open_packed(source, rows, *tensor.weight_scale, scale_meaning(config_))
                          : open_masters(input_, source, runtime_, on_read_);
    std::size_t zeros = 0;
    SquareSums sums;
    for_each_row_block(rows, tensor.name.columns, [&](std::size_t first, std::size_t count) {
      write_rows(tensor, *reader, first, count);
      zeros += static_cast<std::size_t>(
          std::count(trits_.begin(), trits_.begin() + count * tensor.name.columns, 0));
      for (std::size_t i = 0; i < count; ++i) {
        sums += row_sums_[i];
      }
      input_.release(source);
      on_read_(source.bytes.size() * (first + count) / rows - source.bytes.size() * first / rows);
    });
    write_scale(tensor, reader->scale());
    report.ternary = true;
    report.was_ternary = reader->was_ternary();
    report.scale = reader->scale();
    report.sparsity = static_cast<double>(zeros) / static_cast<double>(report.shape.numel());
    report.sqnr_db = sums.sqnr_db();
  }

  /// Leaves the block's trits and row sums in trits_ and row_sums_.
  void write_rows(const PlannedTensor& tensor, const ProjectionReader& reader, std::size_t first,
                  std::size_t count) {
    const std::size_t columns = tensor.name.columns;
    const std::size_t row_bytes = tensor.encoding == Encoding::f16
                                      ? 2 * columns
                                      : encoded_row_bytes(tensor.encoding, columns);
    floats_.resize(count * 2 * columns);
    trits_.resize(count * columns);
    encoded_.resize(count * row_bytes);
    row_sums_.resize(count);
    parallel_rows(runtime_, count, [&](std::size_t i) {
      const std::size_t row =
          tensor.name.permuted_rows ? query_key_source_row(first + i, config_.head_dim) : first + i;
      const std::span trits(trits_.data() + i * columns, columns);
      const std::span encoded(encoded_.data() + i * row_bytes, row_bytes);
      row_sums_[i] = reader.read_row(row, floats_.data() + i * 2 * columns, trits.data());
      if (tensor.encoding == Encoding::f16) {
        encode_f16_row(trits, encoded);
      } else {
        encode_ternary_rows(tensor.encoding, trits, columns, 1.0F, encoded);
      }
    });
    writer_.append(encoded_);
  }

  void write_scale(const PlannedTensor& tensor, float scale) {
    if (has_scale_tensor(tensor)) {
      writer_.append(std::as_bytes(std::span(&scale, 1)));
    } else {
      writer_.append(i2_s_tail(scale));
    }
  }

  void write_norm(const PlannedTensor& tensor) {
    floats_.resize(tensor.name.columns);
    decode_to_float(*tensor.source, 0, 1, floats_);
    writer_.append(std::as_bytes(std::span(floats_)));
    on_read_(tensor.source->bytes.size());
  }

  void copy(const PlannedTensor& tensor) {
    std::span<const std::byte> rest = tensor.source->bytes;
    while (!rest.empty()) {
      const std::size_t size = std::min(kCopyBytes, rest.size());
      writer_.append(rest.first(size));
      rest = rest.subspan(size);
      input_.release(*tensor.source);
      on_read_(size);
    }
  }

  const Checkpoint& input_;
  const ModelConfig& config_;
  const Runtime& runtime_;
  GgufWriter& writer_;
  BytesRead on_read_;
  // Buffers of one block of rows, reused.
  AlignedVector<float> floats_;
  AlignedVector<std::int8_t> trits_;
  AlignedVector<std::byte> encoded_;
  std::vector<SquareSums> row_sums_;
};

/// Masters are read twice: for their scale, then for their trits.
std::uint64_t bytes_to_read(const std::vector<PlannedTensor>& plan) {
  std::uint64_t total = 0;
  for (const PlannedTensor& tensor : plan) {
    const bool twice = tensor.name.role == WeightRole::projection && !is_packed(tensor);
    total += (twice ? 2 : 1) * tensor.source->bytes.size();
  }
  return total;
}

void require_other_file(const Checkpoint& input, const std::filesystem::path& output) {
  std::error_code missing;  // an output that does not exist yet is no input
  for (const StoredTensor& tensor : input.tensors()) {
    if (std::filesystem::equivalent(tensor.file, output, missing)) {
      throw InvalidArgument(
          message("output ", output.string(), ": expected another file than the input"));
    }
  }
}

void require_ternary_encoding(const std::optional<Encoding>& encoding) {
  if (encoding && *encoding != Encoding::f16 && !holds_trits(*encoding)) {
    throw InvalidArgument(
        message("ternary encoding: expected I2_S, TQ1_0, TQ2_0, Q2_0, Q4_0 or F16, found ",
                to_string(*encoding)));
  }
}

ModelConfig read_config(const Checkpoint& input) {
  if (input.format() != Checkpoint::Format::safetensors) {
    throw UnsupportedError(
        message(input.path().string(), ": expected a safetensors checkpoint, found a GGUF file"));
  }
  if (input.config_json().empty()) {
    throw FormatError(
        message(input.path().string(), ": expected config.json beside the weights, found none"));
  }
  return parse_model_config(input.config_json());
}

}  // namespace

QuantizeCheckpointReport quantize_checkpoint(const Checkpoint& input,
                                             const std::filesystem::path& output,
                                             const QuantizeCheckpointOptions& options,
                                             const Runtime& runtime) {
  require_ternary_encoding(options.ternary_encoding);
  require_other_file(input, output);
  const ModelConfig config = read_config(input);
  const ModelFamily& family = find_model_family(config);
  const std::vector<PlannedTensor> plan =
      plan_tensors(input, config, family, options.ternary_encoding);

  QuantizeCheckpointReport report;
  for (const StoredTensor& tensor : input.tensors()) {
    report.input_bytes += tensor.bytes.size();
  }
  std::uint64_t done = 0;
  const auto on_read = [&, total = bytes_to_read(plan)](std::uint64_t bytes) {
    done += bytes;
    if (options.on_progress) {
      options.on_progress(done, total);
    }
  };
  GgufWriter gguf(output, gguf_metadata(config, family, first_ternary_encoding(plan)),
                  declarations(plan));
  CheckpointWriter writer(input, config, runtime, gguf, on_read);
  for (const PlannedTensor& tensor : plan) {
    report.tensors.push_back(writer.write(tensor));
  }
  gguf.commit();
  report.output_bytes = gguf.offset();
  return report;
}

}  // namespace bitnet
