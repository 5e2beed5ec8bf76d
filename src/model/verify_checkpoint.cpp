// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/verify_checkpoint.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "base/message.h"
#include "formats/encoding.h"
#include "formats/ternary_encodings.h"
#include "model/metadata_checks.h"
#include "model/model_source.h"
#include "model/projection_reader.h"
#include "model/tensor_scan.h"

namespace bitnet {
namespace {

// Rounding by absmean makes 31 % zeros of normally distributed weights; published matrices lie
// between 20 and 65 %. Beyond these bounds the codes were read in a wrong way or are damaged.
constexpr double kLeastSparsity = 0.02;
constexpr double kMostSparsity = 0.98;
// -1 and +1 are about equally frequent in every trained matrix.
constexpr double kMostImbalance = 4;
// Between the scale of one matrix and the median of its kind.
constexpr float kMostScaleRatio = 30;
// Multipliers are mean magnitudes of weights. A median beyond this looks like a reciprocal.
constexpr float kPlausibleScale = 8;

class Verifier {
 public:
  Verifier(const Checkpoint& checkpoint, const Runtime& runtime)
      : checkpoint_(checkpoint), runtime_(runtime) {}

  Verification run() {
    for (const std::string& warning : checkpoint_.warnings()) {
      add(Severity::warning, "structure", checkpoint_.path().string(), warning);
    }
    understand_model();
    if (checkpoint_.format() == Checkpoint::Format::gguf) {
      check_gguf_metadata(checkpoint_, result_.findings);
    } else if (model_) {
      check_hugging_face_metadata(*model_, result_.findings);
    }
    for (const StoredTensor& tensor : checkpoint_.tensors()) {
      check_tensor(tensor);
    }
    check_scales();
    return std::move(result_);
  }

 private:
  void add(Severity severity, const char* check, const std::string& subject,
           const std::string& text) {
    result_.findings.push_back({severity, check, subject, text});
  }

  void understand_model() {
    try {
      model_.emplace(checkpoint_, ModelSourceOptions{}, runtime_);
    } catch (const Error& error) {
      add(Severity::error, "model", checkpoint_.path().string(), error.what());
      return;
    }
    for (const std::string& note : model_->notes()) {
      add(Severity::warning, "open-question", checkpoint_.path().string(), note);
    }
    for (const SourceWeight& weight : model_->weights()) {
      weights_.emplace(weight.tensor.name, &weight);
    }
  }

  void check_tensor(const StoredTensor& tensor) {
    const auto known = weights_.find(tensor.name);
    const SourceWeight* const weight = known == weights_.end() ? nullptr : known->second;
    if ((weight != nullptr && weight->hf_packed) || is_ternary_type(tensor.encoding)) {
      check_trits(weight != nullptr ? *weight : unnamed_weight(tensor));
      return;
    }
    const std::optional<FloatScan> scan = scan_floats(checkpoint_, tensor, runtime_);
    if (!scan) {
      ++result_.unread_tensors;
      add(Severity::note, "unread", tensor.name,
          message("numbers of type ", tensor.type_name, " cannot be decoded here"));
      return;
    }
    ++result_.tensors;
    if (scan->nan + scan->infinite != 0) {
      add(Severity::error, "not-finite", tensor.name,
          message("expected finite numbers, found ", scan->nan, " NaN and ", scan->infinite,
                  " infinite"));
    } else if (scan->absmax == 0 && tensor.shape.numel() != 0) {
      add(Severity::warning, "all-zero", tensor.name, "every number is 0");
    }
    if (weight == nullptr) {
      return;
    }
    if (weight->name.role == WeightRole::norm && tensor.encoding != Encoding::f32 &&
        checkpoint_.format() == Checkpoint::Format::gguf) {
      add(Severity::warning, "norm-type", tensor.name,
          message("expected F32, found ", tensor.type_name, ": some programs refuse it"));
    }
  }

  /// A ternary tensor of a file whose model is not understood.
  static SourceWeight unnamed_weight(const StoredTensor& tensor) {
    const MatrixExtent extent = matrix_extent(tensor.shape);
    SourceWeight weight;
    weight.tensor = tensor;
    weight.name.rows = extent.rows;
    weight.name.columns = extent.columns;
    return weight;
  }

  void check_trits(const SourceWeight& weight) {
    const std::string& name = weight.tensor.name;
    const TritCounts counts = count_trits(checkpoint_, weight, runtime_);
    ++result_.tensors;
    if (!counts.bad_code.empty()) {
      add(Severity::error, "code-3", name, counts.bad_code);
    }
    if (counts.total() == 0) {
      return;
    }
    const std::string shares =
        message("found ", counts.minus, " of -1, ", counts.zero, " of 0, ", counts.plus, " of +1");
    if (counts.minus + counts.plus == 0) {
      add(Severity::warning, "all-zero", name, "every weight is 0");
    } else if (counts.sparsity() < kLeastSparsity || counts.sparsity() > kMostSparsity) {
      add(Severity::warning, "distribution", name,
          "expected a fifth to two thirds of the weights to be 0, as in trained models, " + shares);
    } else if (static_cast<double>(std::max(counts.minus, counts.plus)) >
               kMostImbalance * static_cast<double>(std::min(counts.minus, counts.plus))) {
      add(Severity::warning, "distribution", name,
          "expected about as many -1 as +1, as in trained models, " + shares);
    }
    read_scale(weight);
  }

  void read_scale(const SourceWeight& weight) {
    if (!model_ || weight.name.hugging_face.empty()) {
      return;
    }
    try {
      const auto reader = open_projection(*model_, weight, runtime_, [](std::uint64_t) {});
      scales_[projection_kind(weight)].emplace_back(weight.tensor.name, reader->scale());
    } catch (const Error& error) {
      add(Severity::error, "scale", weight.tensor.name, error.what());
    }
  }

  /// "attn_q.weight" of "blk.3.attn_q.weight".
  static std::string projection_kind(const SourceWeight& weight) {
    const std::size_t last = weight.name.gguf.rfind('.');
    return weight.name.gguf.substr(weight.name.gguf.rfind('.', last - 1) + 1);
  }

  void check_scales() {
    std::vector<float> all;
    for (auto& [kind, scales] : scales_) {
      std::vector<float> sorted;
      std::transform(scales.begin(), scales.end(), std::back_inserter(sorted),
                     [](const auto& entry) { return entry.second; });
      all.insert(all.end(), sorted.begin(), sorted.end());
      const float middle = median(sorted);
      for (const auto& [name, scale] : scales) {
        if (scale > kMostScaleRatio * middle || scale * kMostScaleRatio < middle) {
          add(Severity::warning, "scale-outlier", name,
              message("its scale is ", scale, " where the median of its kind is ", middle));
        }
      }
    }
    if (!all.empty() && median(all) > kPlausibleScale) {
      add(Severity::warning, "scale-direction", checkpoint_.path().string(),
          message("the median scale is ", median(all), ", which looks like a reciprocal: does ",
                  "config.json name the right linear_class?"));
    }
  }

  static float median(std::vector<float> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
  }

  const Checkpoint& checkpoint_;
  const Runtime& runtime_;
  Verification result_;
  std::optional<ModelSource> model_;
  std::map<std::string, const SourceWeight*> weights_;                        // by tensor name
  std::map<std::string, std::vector<std::pair<std::string, float>>> scales_;  // by kind
};

}  // namespace

std::string_view to_string(Severity severity) {
  switch (severity) {
    case Severity::note:
      return "note";
    case Severity::warning:
      return "warning";
    case Severity::error:
      return "error";
  }
  return "";
}

bool Verification::has(Severity at_least) const {
  return std::any_of(findings.begin(), findings.end(),
                     [&](const Finding& finding) { return finding.severity >= at_least; });
}

Verification verify_checkpoint(const Checkpoint& checkpoint, const Runtime& runtime) {
  return Verifier(checkpoint, runtime).run();
}

}  // namespace bitnet
