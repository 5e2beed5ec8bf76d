// SPDX-License-Identifier: MIT
#include "model/conversion_plan.h"

#include <bitnet/error.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/message.h"
#include "formats/float_encodings.h"
#include "formats/ternary_encodings.h"

namespace bitnet {
namespace {

using Format = Checkpoint::Format;

bool is_projection(const SourceWeight& weight) {
  return weight.name.role == WeightRole::projection;
}

bool is_stored_ternary(const SourceWeight& weight) {
  return weight.hf_packed || is_ternary_type(weight.tensor.encoding);
}

/// Encodings that hold trits and nothing else, so that asking for one means ternarizing.
bool is_trit_storage(Encoding encoding) {
  return is_ternary_type(encoding) || encoding == Encoding::q2_0 || encoding == Encoding::u8;
}

std::uint64_t narrowest_step(const ModelSource& source) {
  // The largest power of two, up to 256, that divides the columns of every projection.
  std::uint64_t step = 256;
  for (const SourceWeight& weight : source.weights()) {
    while (is_projection(weight) && weight.name.columns % step != 0) {
      step /= 2;
    }
  }
  return step;
}

/// Fills in what options.program implies and the user left open.
ConversionOptions with_program_defaults(const ModelSource& source, ConversionOptions options) {
  if (!options.program) {
    return options;
  }
  const bool wants_safetensors = *options.program == TargetProgram::transformers;
  if (wants_safetensors != (options.format == Format::safetensors)) {
    throw InvalidArgument(message("options: expected the format that ", to_string(*options.program),
                                  " reads, ", wants_safetensors ? "safetensors" : "GGUF",
                                  ", found the other one"));
  }
  if (*options.program != TargetProgram::llama_cpp) {
    return options;  // the usual defaults are those of bitnet.cpp and ik_llama.cpp
  }
  if (!options.matrix_encoding && options.ternarize.value_or(is_ternary_model(source))) {
    const std::uint64_t step = narrowest_step(source);
    options.matrix_encoding = step >= 256  ? Encoding::tq2_0
                              : step >= 64 ? Encoding::q2_0
                              : step >= 32 ? Encoding::q4_0
                                           : Encoding::f16;
  }
  if (!options.architecture && source.family().architecture == "bitnet-b1.58") {
    options.architecture = "bitnet";  // the only one it knows
  }
  return options;
}

[[noreturn]] void refuse(const SourceWeight& weight, const std::string& reason) {
  throw UnsupportedError(message("tensor ", weight.tensor.name, ": ", reason));
}

class Planner {
 public:
  Planner(const ModelSource& source, ConversionOptions options)
      : source_(source), options_(std::move(options)) {
    require_matrix_encoding();
    require_embedding_encoding();
    ternarize_ = options_.ternarize.value_or(usually_ternarizes());
  }

  ConversionPlan plan() const {
    ConversionPlan plan{architecture(), options_.format, options_.scales, {}};
    for (const SourceWeight& weight : source_.weights()) {
      PlannedTensor tensor{.source = &weight,
                           .name = to_gguf() ? weight.name.gguf : weight.name.hugging_face,
                           .encoding = choose_encoding(weight),
                           .ternary = becomes_ternary(weight),
                           .scale_name = "",
                           .permuted_rows = to_gguf() && weight.name.permuted_rows,
                           .adds_one = to_gguf() && weight.name.gguf_adds_one};
      if (tensor.encoding == Encoding::u8) {
        tensor.scale_name = tensor.name + "_scale";
      } else if (tensor.ternary && to_gguf() && tensor.encoding != Encoding::i2_s &&
                 options_.scales == ScalePlacement::tensor) {
        tensor.scale_name = scale_name(tensor.name);
      }
      plan.tensors.push_back(std::move(tensor));
    }
    if (!to_gguf()) {
      sort_for_alignment(plan.tensors);
    }
    return plan;
  }

 private:
  bool to_gguf() const { return options_.format == Format::gguf; }

  bool usually_ternarizes() const {
    if (options_.matrix_encoding && is_trit_storage(*options_.matrix_encoding)) {
      return true;
    }
    const bool keeps_latents =
        !to_gguf() && (options_.matrix_encoding.has_value() || !options_.lora.empty());
    return !keeps_latents && is_ternary_model(source_);
  }

  std::string architecture() const {
    if (!to_gguf()) {
      return std::string(source_.family().hugging_face);
    }
    const std::string usual(source_.family().architecture);
    std::string chosen = options_.architecture.value_or(usual);
    const auto is_bitnet = [](const std::string& name) {
      return name == "bitnet" || name == "bitnet-b1.58" || name == "bitnet-25";
    };
    if (chosen != usual && !(is_bitnet(chosen) && is_bitnet(usual))) {
      throw InvalidArgument(message("architecture: expected ", usual,
                                    is_bitnet(usual) ? " or another name of BitNet" : "",
                                    ", found ", chosen));
    }
    return chosen;
  }

  void require_matrix_encoding() const {
    const std::optional<Encoding>& wanted = options_.matrix_encoding;
    if (!wanted) {
      return;
    }
    const bool known = to_gguf() ? holds_trits(*wanted) || encodes_floats(*wanted)
                                 : *wanted == Encoding::u8 || is_float_type(*wanted);
    const bool writable =
        known && (!to_gguf() || !is_ternary_type(*wanted) || *wanted == Encoding::i2_s ||
                  *wanted == Encoding::tq1_0 || *wanted == Encoding::tq2_0);
    if (!writable) {
      throw InvalidArgument(message("matrix encoding: expected ",
                                    to_gguf() ? "I2_S, TQ1_0, TQ2_0, Q2_0, F32, F16, BF16, Q8_0, "
                                                "Q6_K, Q4_K or Q4_0 in GGUF"
                                              : "U8 (packed), F32, F16 or BF16 in safetensors",
                                    ", found ", to_string(*wanted)));
    }
  }

  void require_embedding_encoding() const {
    const std::optional<Encoding>& wanted = options_.embedding_encoding;
    if (wanted && !(to_gguf() ? encodes_floats(*wanted) : is_float_type(*wanted))) {
      throw InvalidArgument(message("embedding encoding: expected F32, F16",
                                    to_gguf() ? ", BF16, Q8_0, Q6_K, Q4_K or Q4_0" : " or BF16",
                                    ", found ", to_string(*wanted)));
    }
  }

  bool becomes_ternary(const SourceWeight& weight) const {
    return is_projection(weight) &&
           (ternarize_ || is_stored_ternary(weight) || weight.scale_tensor != nullptr);
  }

  Encoding choose_encoding(const SourceWeight& weight) const {
    switch (weight.name.role) {
      case WeightRole::norm:
        return to_gguf() || !is_float_type(weight.tensor.encoding) ? Encoding::f32
                                                                   : weight.tensor.encoding;
      case WeightRole::embedding:
        return fitting(weight, options_.embedding_encoding.value_or(stored_encoding(weight)));
      case WeightRole::projection:
        break;
    }
    if (becomes_ternary(weight)) {
      return ternary_encoding(weight);
    }
    const Encoding usual = weight.updates.empty() ? stored_encoding(weight) : Encoding::f32;
    return fitting(weight, options_.matrix_encoding.value_or(usual));
  }

  /// What the weight has already, if the output can have it.
  Encoding stored_encoding(const SourceWeight& weight) const {
    const Encoding stored = weight.tensor.encoding;
    return is_float_type(stored) || (to_gguf() && encodes_floats(stored)) ? stored : Encoding::f32;
  }

  static Encoding fitting(const SourceWeight& weight, Encoding encoding) {
    const std::size_t step = block_layout(encoding).elements;
    if (weight.name.columns % step != 0) {
      refuse(weight, message("expected a multiple of ", step, " columns for ", to_string(encoding),
                             ", found ", weight.name.columns));
    }
    return encoding;
  }

  Encoding ternary_encoding(const SourceWeight& weight) const {
    if (!to_gguf()) {
      const Encoding encoding = options_.matrix_encoding.value_or(Encoding::u8);
      if (encoding == Encoding::u8 && weight.name.rows % 4 != 0) {
        refuse(weight, message("expected a multiple of 4 rows for packed weights (transformers ",
                               "cannot load others), found ", weight.name.rows));
      }
      return encoding;
    }
    if (options_.matrix_encoding) {
      if (!holds_trits(*options_.matrix_encoding) && !is_float_type(*options_.matrix_encoding)) {
        refuse(weight, message("ternary: expected a type that holds trits exactly, found ",
                               to_string(*options_.matrix_encoding)));
      }
      return fitting(weight, *options_.matrix_encoding);
    }
    constexpr std::array kSmallestFirst = {Encoding::i2_s, Encoding::q2_0, Encoding::q4_0,
                                           Encoding::f16};
    return *std::find_if(kSmallestFirst.begin(), kSmallestFirst.end(), [&](Encoding encoding) {
      return weight.name.columns % block_layout(encoding).elements == 0;
    });
  }

  /// safetensors readers want each tensor aligned to its elements: wider elements come first.
  static void sort_for_alignment(std::vector<PlannedTensor>& tensors) {
    std::stable_sort(tensors.begin(), tensors.end(),
                     [](const PlannedTensor& a, const PlannedTensor& b) {
                       return block_layout(a.encoding).bytes > block_layout(b.encoding).bytes;
                     });
  }

  const ModelSource& source_;
  ConversionOptions options_;
  bool ternarize_ = false;
};

}  // namespace

std::string_view to_string(TargetProgram program) {
  switch (program) {
    case TargetProgram::llama_cpp:
      return "llama.cpp";
    case TargetProgram::ik_llama_cpp:
      return "ik_llama.cpp";
    case TargetProgram::bitnet_cpp:
      return "bitnet.cpp";
    case TargetProgram::transformers:
      return "transformers";
  }
  return "";
}

bool is_float_type(Encoding encoding) {
  return encoding == Encoding::f32 || encoding == Encoding::f16 || encoding == Encoding::bf16;
}

bool is_ternary_model(const ModelSource& source) {
  return source.family().trained_ternary || source.config().quantization_config.has_value() ||
         std::any_of(source.weights().begin(), source.weights().end(),
                     [](const SourceWeight& weight) {
                       return is_projection(weight) &&
                              (is_stored_ternary(weight) || weight.scale_tensor != nullptr);
                     }) ||
         source.find("blk.0.attn_q_norm_in.weight") != nullptr;
}

Shape weight_shape(const SourceWeight& weight) {
  return weight.name.role == WeightRole::norm ? Shape{weight.name.columns}
                                              : Shape{weight.name.rows, weight.name.columns};
}

TensorDeclaration declare(const PlannedTensor& tensor) {
  const WeightName& name = tensor.source->name;
  return {tensor.name, tensor.encoding,
          tensor.encoding == Encoding::u8 ? Shape{name.rows / 4, name.columns}
                                          : weight_shape(*tensor.source)};
}

TensorDeclaration declare_scale(const PlannedTensor& tensor) {
  return {tensor.scale_name, Encoding::f32, Shape{1}};
}

ConversionPlan plan_conversion(const ModelSource& source, const ConversionOptions& options) {
  return Planner(source, with_program_defaults(source, options)).plan();
}

}  // namespace bitnet
