// SPDX-License-Identifier: MIT
// LanguageModel: a transformer that turns token ids into logits, and the cache that it remembers a
// text in.
#pragma once

#include <bitnet/checkpoint.h>
#include <bitnet/lora.h>
#include <bitnet/model_config.h>
#include <bitnet/runtime.h>
#include <bitnet/tokenizer.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bitnet {

/// How keys and values are kept.
enum class CacheType {
  f32,
  f16,
  q8_0,  ///< int8, one float32 scale for each position and head
};
std::string_view to_string(CacheType type);

/// Keys and values of one text. Grows by forward(); not thread-safe.
class KvCache {
 public:
  virtual ~KvCache() = default;
  /// Positions that are filled, and that there is room for.
  virtual std::size_t size() const = 0;
  virtual std::size_t capacity() const = 0;
  /// Forgets all positions from `size` on. InvalidArgument when there are fewer.
  virtual void truncate(std::size_t size) = 0;
};

/// For which tokens of a step results are wanted.
enum class OutputRows {
  none,  ///< the step only fills the cache
  last,  ///< one row, for the last token
  all,   ///< one row for each token
};

/// Tokens that continue one text: many for a prompt, one for each step of generation.
struct SequenceStep {
  std::span<const TokenId> tokens;  ///< [T], at least one
  KvCache* cache = nullptr;         ///< of this model; each cache at most once in a batch
  OutputRows output = OutputRows::last;
  /// How many of the largest logits of a row are needed, equals of the last one included: the
  /// others may come as -infinity, which can spare most of the output head. 0: all of them.
  std::size_t top = 0;

  std::size_t rows() const {
    return output == OutputRows::none ? 0 : output == OutputRows::last ? 1 : tokens.size();
  }
};

/// What a model keeps in memory, in bytes.
struct ModelMemory {
  std::size_t projections = 0;  ///< packed ternary weights, with their scales
  std::size_t embedding = 0;    ///< 0 when rows are read from the file, or when it is the head
  std::size_t head = 0;         ///< 0 when rows are read from the file
  std::size_t head_sketch = 0;  ///< of LoadOptions::head_sketch
  std::size_t norms = 0;
  std::size_t adapters = 0;
};

/// Where the time of a call went, in seconds. What is in no part: norms, quantization, rotation,
/// the cache, residuals.
struct ForwardTime {
  double projections = 0;  ///< ternary products, gates included; not adapters
  double attention = 0;    ///< scores and values
  double head = 0;         ///< logits
  double total = 0;
};

/// Results depend on tokens and weights alone: not on threads, instruction set, batch or on how a
/// text is cut into steps.
class LanguageModel {
 public:
  virtual ~LanguageModel() = default;
  virtual const ModelConfig& config() const = 0;
  /// Longest text that one cache can hold: max_position_embeddings.
  virtual std::size_t max_positions() const = 0;
  /// Memory is taken as the cache fills. InvalidArgument unless 1 <= max_tokens <= max_positions().
  /// nullopt: default_cache_type().
  virtual std::unique_ptr<KvCache> new_kv_cache(
      std::size_t max_tokens, std::optional<CacheType> type = std::nullopt) const = 0;
  /// f32 where a position takes at most 16 KiB in f16 (small models), else f16.
  virtual CacheType default_cache_type() const = 0;
  /// Bytes of one position in such a cache.
  virtual std::size_t cache_bytes_per_position(CacheType type) const = 0;
  /// Bytes of the keys and values in such a cache that a token reads at position `position`, from
  /// 0.
  virtual std::size_t cache_bytes_read(std::size_t position, CacheType type) const = 0;
  /// Appends each step's tokens to its cache and writes the logits [R, V] of the wanted rows, steps
  /// in order. UnsupportedError for an embedding model, InvalidArgument for a token that is none, a
  /// cache that is too full, or a wrong number of logits; NonFiniteError where weights make numbers
  /// that cannot be quantized. After an error the caches are as they were. One call at a time.
  virtual void forward(std::span<const SequenceStep> batch, std::span<float> logits) = 0;
  /// The same up to the final norm: states [R, hidden_size].
  virtual void hidden_states(std::span<const SequenceStep> batch, std::span<float> states) = 0;
  /// Of the last call of forward or hidden_states.
  virtual ForwardTime last_time() const = 0;
  virtual ModelMemory memory() const = 0;
  /// Weights that one token reads, in bytes: projections, adapters, and the head or, for steps that
  /// ask for the largest logits only, what stands for it.
  virtual std::size_t bytes_per_token(bool all_logits) const = 0;
  /// What was decided when the model was loaded: one sentence each.
  virtual const std::vector<std::string>& notes() const = 0;
};

/// How the output head is kept.
enum class HeadType {
  /// As stored. A large one is read from the file where a sketch spares most of it
  /// (LoadOptions::head_sketch); else, of more than 256 MiB in 16 or 32 bits, it becomes q8_0.
  automatic,
  stored,
  q8_0,
  q6_k,
};

struct LoadOptions {
  HeadType head = HeadType::automatic;
  /// Keep four bits of each weight of a large head beside it, from which steps that need only the
  /// largest logits find the rows to score (SequenceStep::top).
  bool head_sketch = true;
  /// For GGUF files and packed checkpoints that do not say it (convert_checkpoint.h).
  std::optional<std::string> hidden_act = std::nullopt;
  std::optional<std::string> linear_class = std::nullopt;
  std::optional<Encoding> i2_s_layout = std::nullopt;
  /// Adapters beside the projections, which stay ternary: y = BitLinear(x) + Σ scale * B (A x). x
  /// is what the projection receives as floats, before any norm of its own.
  std::vector<ScaledLora> lora = {};
};

/// Loads a ternary model of any dialect, with weights packed for this runtime's kernels. The
/// runtime must outlive it; the checkpoint stays open as long as the model needs it. Throws
/// UnsupportedError for an unknown architecture, a float model, or a RoPE scaling that is not
/// implemented; ShapeMismatch or UnsupportedError for an adapter of another model; FormatError and
/// others as the checkpoint's readers do.
std::unique_ptr<LanguageModel> load_model(const Checkpoint& checkpoint, const Runtime& runtime,
                                          const LoadOptions& options = {});

/// Shapes of published models by short names: "2b-4t", "llama3-8b", ...; "tiny" is for trying out.
std::vector<std::string> model_shape_names();
/// Throws InvalidArgument that lists the names.
ModelConfig model_shape(std::string_view name);

/// A model of the given shape with random weights: for measurements without a file. Architectures
/// and hidden_act decide the family. The head is q6_k, or q8_0 where its rows do not divide;
/// `head_sketch` as in LoadOptions.
std::unique_ptr<LanguageModel> synthetic_model(const ModelConfig& config, const Runtime& runtime,
                                               bool head_sketch = true);

}  // namespace bitnet
