// SPDX-License-Identifier: MIT
// From the weights of a checkpoint to a Transformer.
#include <bitnet/error.h>
#include <bitnet/model.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/message.h"
#include "formats/encoding.h"
#include "formats/float_encodings.h"
#include "kernels/kernel_table.h"
#include "model/conversion_plan.h"
#include "model/layer_assembly.h"
#include "model/model_source.h"
#include "model/projection_reader.h"
#include "model/row_blocks.h"
#include "model/transformer.h"
#include "quantize/pack_rows.h"
#include "ternary/ternary_storage.h"

namespace bitnet {
namespace {

class Loader {
 public:
  Loader(const Checkpoint& checkpoint, const Runtime& runtime, const LoadOptions& options)
      : checkpoint_(checkpoint),
        runtime_(runtime),
        options_(options),
        source_(checkpoint,
                {.hidden_act = options.hidden_act,
                 .linear_class = options.linear_class,
                 .i2_s_layout = options.i2_s_layout,
                 .lora = options.lora},
                runtime) {
    if (!is_ternary_model(source_)) {
      throw UnsupportedError(message(
          checkpoint.path().string(), ": expected a ternary model, found float weights of ",
          source_.family().hugging_face, "; `bitnet quantize` makes one (and loses what the model ",
          "has learned, unless it was trained for it)"));
    }
  }

  std::unique_ptr<LanguageModel> load() {
    notes_ = source_.notes();
    ModelWeights weights;
    load_embedding(weights);
    weights.norm = vector("output_norm.weight");
    for (std::size_t i = 0; i < source_.config().num_hidden_layers; ++i) {
      weights.layers.push_back(load_layer(i));
    }
    return std::make_unique<Transformer>(source_.config(), std::move(weights), std::move(notes_),
                                         runtime_);
  }

 private:
  const SourceWeight& required(const std::string& name) const {
    const SourceWeight* const weight = source_.find(name);
    if (weight == nullptr) {
      throw FormatError(message(checkpoint_.path().string(), ": expected a tensor ", name));
    }
    return *weight;
  }

  void load_embedding(ModelWeights& weights) {
    const SourceWeight& embedding = required("token_embd.weight");
    weights.embedding = FloatMatrix::mapped(checkpoint_, embedding.tensor);
    weights.embedding_scale = embedding_scale(source_.config(), source_.family());
    if (source_.family().has_head) {
      const SourceWeight* const output = source_.find("output.weight");
      weights.head = load_head((output == nullptr ? embedding : *output).tensor);
      // Tied and kept as stored, the copy serves both.
      if (output == nullptr && weights.head->encoding() == embedding.tensor.encoding) {
        weights.embedding = *weights.head;
      }
      if (options_.head_sketch && HeadSketch::suits(*weights.head)) {
        weights.sketch.emplace(*weights.head, runtime_);
      }
    }
  }

  FloatMatrix load_head(const StoredTensor& tensor) {
    constexpr std::size_t kWorthMapping = std::size_t{64} << 20;
    constexpr std::size_t kLargeHead = std::size_t{256} << 20;
    const bool is_large = is_float_type(tensor.encoding) && tensor.bytes.size() > kLargeHead;
    FloatMatrix mapped = FloatMatrix::mapped(checkpoint_, tensor);
    if (options_.head == HeadType::automatic && options_.head_sketch && HeadSketch::suits(mapped) &&
        tensor.bytes.size() > kWorthMapping) {
      return mapped;  // few of its rows are ever asked for
    }
    Encoding encoding = tensor.encoding;
    if (options_.head == HeadType::q8_0 || options_.head == HeadType::q6_k) {
      encoding = options_.head == HeadType::q8_0 ? Encoding::q8_0 : Encoding::q6_k;
    } else if (options_.head == HeadType::automatic && is_large &&
               tensor.shape.columns() % block_layout(Encoding::q8_0).elements == 0) {
      encoding = Encoding::q8_0;
    }
    if (encoding == tensor.encoding) {
      return FloatMatrix::copied(checkpoint_, tensor, runtime_);
    }
    notes_.push_back(message("output head: ", tensor.type_name, " in the file, ",
                             to_string(encoding), " in memory"));
    return FloatMatrix::encoded(checkpoint_, tensor, encoding, runtime_);
  }

  /// Empty when the family has no such norm.
  std::vector<float> vector(const std::string& name) const {
    const SourceWeight* const weight = source_.find(name);
    if (weight == nullptr) {
      return {};
    }
    std::vector<float> values(weight->name.columns);
    read_float_row(source_, *weight, runtime_, 0, values);
    if (weight->name.gguf_adds_one) {  // Gemma multiplies by 1 + gain
      std::ranges::transform(values, values.begin(), [](float gain) { return gain + 1; });
    }
    return values;
  }

  Projection projection(const std::string& prefix, const std::string& name) {
    const SourceWeight& updated = required(prefix + name + ".weight");
    const SourceWeight weight = base_of(updated);  // trits stay, adapters stand beside them
    checkpoint_.populate(weight.tensor.bytes);
    const auto reader = open_projection(source_, weight, runtime_, [](std::uint64_t) {});
    const std::size_t columns = weight.name.columns;
    TernaryWeightBuilder builder(weight.name.rows, columns, Granularity::tensor, 0,
                                 runtime_.kernels().preferred_layout, &arena_);
    builder.set_scale(0, 0, reader->scale());
    const auto digits_of_row = [&](std::size_t row, std::uint8_t* digits) {
      thread_local AlignedVector<float> weights;
      weights.resize(columns);
      const std::size_t zeros =
          reader->read_row(row, weights.data(), reinterpret_cast<std::int8_t*>(digits));
      std::transform(digits, digits + columns, digits,
                     [](std::uint8_t trit) { return static_cast<std::uint8_t>(trit + 1); });
      return zeros;
    };
    std::atomic<std::size_t> zeros = 0;
    parallel_rows(runtime_, builder.panels(), [&](std::size_t panel) {
      zeros +=
          pack_rows(builder, panel, weight.name.rows, columns, runtime_.kernels(), digits_of_row);
    });
    checkpoint_.release(weight.tensor);
    Projection result{builder.finish(zeros), vector(prefix + name + "_norm_in.weight")};
    for (const auto& [matrix, rank, scale] : updated.updates) {
      result.updates.emplace_back(matrix->a, matrix->b, rank, scale);
    }
    return result;
  }

  LayerWeights load_layer(std::size_t index) {
    return assemble_layer(
        source_.config(), index, [this](const std::string& name) { return vector(name); },
        [this](const std::string& prefix, const char* name) { return projection(prefix, name); });
  }

  const Checkpoint& checkpoint_;
  const Runtime& runtime_;
  const LoadOptions& options_;
  ModelSource source_;
  std::vector<std::string> notes_;
  TileArena arena_;
};

}  // namespace

std::unique_ptr<LanguageModel> load_model(const Checkpoint& checkpoint, const Runtime& runtime,
                                          const LoadOptions& options) {
  return Loader(checkpoint, runtime, options).load();
}

}  // namespace bitnet
