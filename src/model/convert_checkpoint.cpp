// SPDX-License-Identifier: MIT
#include <bitnet/convert_checkpoint.h>
#include <bitnet/error.h>

#include <algorithm>
#include <memory>
#include <system_error>
#include <utility>

#include "base/message.h"
#include "model/checkpoint_sink.h"
#include "model/conversion_plan.h"
#include "model/model_source.h"
#include "model/model_tokenizer.h"
#include "model/target_programs.h"
#include "model/weight_writer.h"

namespace bitnet {
namespace {

void require_other_file(const Checkpoint& input, const ConversionPlan& plan,
                        const std::filesystem::path& output) {
  const std::filesystem::path weights =
      plan.format == Checkpoint::Format::gguf ? output : output / "model.safetensors";
  std::error_code missing;  // an output that does not exist yet is no input
  for (const StoredTensor& tensor : input.tensors()) {
    if (std::filesystem::equivalent(tensor.file, weights, missing)) {
      throw InvalidArgument(
          message("output ", output.string(), ": expected another file than the input"));
    }
  }
}

std::uint64_t total_size(const Checkpoint& checkpoint) {
  std::uint64_t total = 0;
  for (const StoredTensor& tensor : checkpoint.tensors()) {
    total += tensor.bytes.size();
  }
  return total;
}

/// Counts the bytes that a conversion reads.
BytesRead progress_counter(const ConversionPlan& plan, const ConversionOptions& options) {
  std::uint64_t total = 0;
  for (const PlannedTensor& tensor : plan.tensors) {
    total += bytes_to_read(tensor);
  }
  return [done = std::uint64_t{0}, total, &options](std::uint64_t bytes) mutable {
    done = std::min(total, done + bytes);
    if (options.on_progress) {
      options.on_progress(done, total);
    }
  };
}

}  // namespace

ConversionReport convert_checkpoint(const Checkpoint& input, const std::filesystem::path& output,
                                    const ConversionOptions& options, const Runtime& runtime) {
  const ModelSource source(
      input, {options.hidden_act, options.linear_class, options.i2_s_layout, options.lora},
      runtime);
  const ConversionPlan plan = plan_conversion(source, options);
  require_other_file(input, plan, output);
  const std::optional<TokenizerData> tokenizer =
      read_model_tokenizer(source, options.pre_tokenizer.value_or(""));

  ConversionReport report;
  report.architecture = plan.architecture;
  report.notes = source.notes();
  if (tokenizer) {
    report.notes.insert(report.notes.end(), tokenizer->repairs.begin(), tokenizer->repairs.end());
  } else {
    report.notes.emplace_back("the checkpoint has no tokenizer, nor has the output");
  }
  report.loaders = judge_loaders(source, plan);
  report.input_bytes = total_size(input);
  const std::unique_ptr<CheckpointSink> sink = open_sink(source, plan, tokenizer, output);
  WeightWriter writer(
      source, plan.scales, runtime, [&](std::span<const std::byte> bytes) { sink->append(bytes); },
      progress_counter(plan, options));
  for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
    report.tensors.push_back(writer.write(plan.tensors[i]));
    if (!plan.tensors[i].scale_name.empty()) {
      sink->put_scale(i, report.tensors.back().scale);
    }
  }
  sink->commit();
  report.output_bytes = sink->size();
  return report;
}

}  // namespace bitnet
