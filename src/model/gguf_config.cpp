// SPDX-License-Identifier: MIT
#include "model/gguf_config.h"

#include <bitnet/error.h>

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <string_view>
#include <utility>

#include "base/message.h"
#include "model/model_family.h"

namespace bitnet {
namespace {

constexpr std::uint64_t kLlama3Vocabulary = 128256;
constexpr std::uint64_t kOneBitLlmVocabulary = 32002;

/// Typed access to the key-values of a file; `architecture` is put in front of a key that begins
/// with a point.
class KeyReader {
 public:
  explicit KeyReader(const Checkpoint& checkpoint)
      : checkpoint_(checkpoint), architecture_(text("general.architecture").value_or("")) {
    if (architecture_.empty()) {
      fail("general.architecture", "the name of an architecture");
    }
  }

  const std::string& architecture() const { return architecture_; }

  std::optional<std::uint64_t> size(std::string_view key) const {
    const std::optional<std::uint64_t> value = integer(key);
    if (value && (*value == 0 || *value > kMaxModelSize)) {
      fail(key, message("a positive integer below 2^31, found ", *value));
    }
    return value;
  }
  std::uint64_t required_size(std::string_view key) const {
    const std::optional<std::uint64_t> value = size(key);
    if (!value) {
      fail(key, "a positive integer, found no such key");
    }
    return *value;
  }

  std::optional<std::uint64_t> integer(std::string_view key) const {
    const MetadataValue* const value = find(key);
    if (value == nullptr) {
      return std::nullopt;
    }
    if (const auto* number = std::get_if<std::uint64_t>(value)) {
      return *number;
    }
    const auto* const number = std::get_if<std::int64_t>(value);
    if (number == nullptr || *number < 0) {
      fail(key, "an integer of 0 and above");
    }
    return static_cast<std::uint64_t>(*number);
  }

  std::optional<double> positive(std::string_view key) const {
    const MetadataValue* const value = find(key);
    if (value == nullptr) {
      return std::nullopt;
    }
    const auto* const number = std::get_if<double>(value);
    if (number == nullptr || !(*number >= std::numeric_limits<float>::min()) ||
        !(*number <= std::numeric_limits<float>::max())) {
      fail(key, "a positive number");
    }
    return *number;
  }

  std::optional<std::string> text(std::string_view key) const {
    const MetadataValue* const value = find(key);
    if (value == nullptr) {
      return std::nullopt;
    }
    if (!std::holds_alternative<std::string>(*value)) {
      fail(key, "a string");
    }
    return std::get<std::string>(*value);
  }

  std::optional<std::size_t> token_count() const {
    const MetadataValue* const value = find("tokenizer.ggml.tokens");
    const auto* const tokens =
        value == nullptr ? nullptr : std::get_if<std::vector<std::string>>(value);
    return tokens == nullptr ? std::nullopt : std::optional(tokens->size());
  }

  [[noreturn]] void fail(std::string_view key, const std::string& expected) const {
    throw FormatError(
        message(checkpoint_.path().string(), ": key '", full_key(key), "': expected ", expected));
  }

 private:
  std::string full_key(std::string_view key) const {
    return (key.starts_with('.') ? architecture_ : "") + std::string(key);
  }
  const MetadataValue* find(std::string_view key) const {
    const auto found = checkpoint_.metadata().find(full_key(key));
    return found == checkpoint_.metadata().end() ? nullptr : &found->second;
  }

  const Checkpoint& checkpoint_;
  std::string architecture_;
};

bool is_bitnet(std::string_view architecture) {
  return architecture == "bitnet" || architecture == "bitnet-25" || architecture == "bitnet-b1.58";
}

/// Some converters write one architecture for models of both activations, and most write no key for
/// it: the vocabulary tells the published models apart.
std::string usual_activation(const KeyReader& keys, std::uint64_t vocabulary) {
  const std::string& architecture = keys.architecture();
  if (architecture == "gemma3") {
    return "gelu_pytorch_tanh";
  }
  if (architecture == "bitnet") {
    return vocabulary == kLlama3Vocabulary ? "relu2" : "silu";
  }
  if (!is_bitnet(architecture)) {
    return "silu";
  }
  const bool is_one_bit_llm =
      keys.text("tokenizer.ggml.model") == "llama" && vocabulary == kOneBitLlmVocabulary;
  return is_one_bit_llm ? "silu" : "relu2";
}

std::string choose_activation(const KeyReader& keys, std::uint64_t vocabulary,
                              const std::optional<std::string>& wanted,
                              std::vector<std::string>& notes) {
  const std::optional<std::string> stored = keys.text(".hidden_activation");
  if (wanted) {
    return *wanted;
  }
  if (stored) {
    return *stored;
  }
  std::string usual = usual_activation(keys, vocabulary);
  if (is_bitnet(keys.architecture())) {
    notes.push_back(message("the file does not say its activation function: ", usual,
                            " is what published models with architecture ", keys.architecture(),
                            " and ", vocabulary, " tokens have"));
  }
  return usual;
}

/// The Hugging Face class of such a file.
const ModelFamily& family_of(const KeyReader& keys, const std::string& hidden_act, bool embeds) {
  const std::string architecture =
      !is_bitnet(keys.architecture())
          ? keys.architecture()
          : std::string(hidden_act == "relu2" ? "bitnet-b1.58" : "bitnet");
  const auto families = known_model_families();
  const auto found = std::find_if(families.begin(), families.end(), [&](const ModelFamily& f) {
    return f.architecture == architecture && f.hidden_act == hidden_act && f.has_head != embeds;
  });
  if (found != families.end()) {
    return *found;
  }
  std::string known;
  std::set<std::string_view> listed;
  for (const ModelFamily& family : families) {
    if (listed.insert(family.architecture).second) {
      known += message(known.empty() ? "" : ", ", family.architecture);
    }
  }
  throw UnsupportedError(message("general.architecture: expected one of the known architectures (",
                                 known, ", bitnet-25), found ", keys.architecture(), " with ",
                                 hidden_act));
}

std::string read_pooling(const KeyReader& keys) {
  constexpr std::array<const char*, 4> kPooling = {"", "mean", "cls", "last"};
  const std::uint64_t type = keys.integer(".pooling_type").value_or(0);
  if (type >= kPooling.size()) {
    keys.fail(".pooling_type", message("0 to 3, found ", type));
  }
  return kPooling[type];
}

void read_sizes(const KeyReader& keys, ModelConfig& config) {
  config.hidden_size = keys.required_size(".embedding_length");
  config.num_hidden_layers = keys.required_size(".block_count");
  config.intermediate_size = keys.required_size(".feed_forward_length");
  config.num_attention_heads = keys.required_size(".attention.head_count");
  config.num_key_value_heads =
      keys.size(".attention.head_count_kv").value_or(config.num_attention_heads);
  config.max_position_embeddings = keys.required_size(".context_length");
  const std::uint64_t usual = config.hidden_size / config.num_attention_heads;
  config.head_dim = keys.size(".attention.key_length")
                        .value_or(keys.size(".rope.dimension_count").value_or(usual));
  if (config.head_dim == 0 || config.head_dim % 2 != 0) {
    keys.fail(".attention.key_length", message("an even head size, found ", config.head_dim));
  }
  if (config.num_attention_heads % config.num_key_value_heads != 0) {
    keys.fail(".attention.head_count_kv", message("a divisor of ", config.num_attention_heads,
                                                  " heads, found ", config.num_key_value_heads));
  }
}

void read_rope(const KeyReader& keys, ModelConfig& config) {
  config.rope_theta = keys.positive(".rope.freq_base").value_or(config.rope_theta);
  config.rope_local_theta = keys.positive(".rope.freq_base_swa");
  config.sliding_window = keys.size(".attention.sliding_window");
  if (config.sliding_window && keys.architecture() == "gemma3") {
    constexpr std::uint64_t kGemma3Pattern = 6;  // what llama.cpp computes; no key says it
    config.sliding_window_pattern =
        keys.size(".attention.sliding_window_pattern").value_or(kGemma3Pattern);
  }
  const std::string scaling = keys.text(".rope.scaling.type").value_or("none");
  constexpr std::array<std::string_view, 4> kScalings = {"none", "linear", "yarn", "longrope"};
  if (std::find(kScalings.begin(), kScalings.end(), scaling) == kScalings.end()) {
    keys.fail(".rope.scaling.type", "none, linear, yarn or longrope");
  }
  if (scaling != "none") {
    config.rope_scaling = scaling;
    config.rope_scaling_factor = keys.positive(".rope.scaling.factor").value_or(1.0);
  }
}

}  // namespace

GgufConfig parse_gguf_config(const Checkpoint& checkpoint,
                             const std::optional<std::string>& hidden_act) {
  const KeyReader keys(checkpoint);
  GgufConfig result;
  ModelConfig& config = result.config;
  read_sizes(keys, config);
  read_rope(keys, config);
  const std::optional<double> eps = keys.positive(".attention.layer_norm_rms_epsilon");
  if (!eps) {
    keys.fail(".attention.layer_norm_rms_epsilon", "a positive number, found no such key");
  }
  config.rms_norm_eps = *eps;
  const std::optional<std::size_t> tokens = keys.token_count();
  config.vocab_size = tokens ? *tokens : keys.required_size(".vocab_size");
  config.tie_word_embeddings = checkpoint.find("output.weight") == nullptr;
  config.pooling = read_pooling(keys);
  config.bos_token_id = keys.integer("tokenizer.ggml.bos_token_id");
  config.pad_token_id = keys.integer("tokenizer.ggml.padding_token_id");
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"}) {
    const std::optional<std::uint64_t> id = keys.integer(key);
    if (id && (config.eos_token_ids.empty() || config.eos_token_ids.front() != *id)) {
      config.eos_token_ids.push_back(*id);
    }
  }
  config.hidden_act = choose_activation(keys, config.vocab_size, hidden_act, result.notes);
  const ModelFamily& family = family_of(keys, config.hidden_act, !config.pooling.empty());
  config.architectures = {std::string(family.hugging_face)};
  config.model_type = family.model_type;
  return result;
}

}  // namespace bitnet
