// SPDX-License-Identifier: MIT
#include "model/metadata_checks.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <unordered_set>

#include "base/message.h"
#include "formats/ternary_encodings.h"

namespace bitnet {
namespace {

constexpr std::size_t kLlama3Vocabulary = 128256;

class GgufMetadataChecks {
 public:
  GgufMetadataChecks(const Checkpoint& checkpoint, std::vector<Finding>& findings)
      : checkpoint_(checkpoint), findings_(findings) {}

  void run() {
    check_program_keys();
    const auto* const model = find<std::string>("tokenizer.ggml.model");
    if (model == nullptr || *model == "no_vocab" || *model == "none") {
      add(Severity::warning, "no-tokenizer", "tokenizer.ggml.model",
          "the file has no tokenizer: programs can only be given token ids");
      return;
    }
    const auto* const tokens = find<std::vector<std::string>>("tokenizer.ggml.tokens");
    if (tokens == nullptr || tokens->empty()) {
      add(Severity::error, "no-tokens", "tokenizer.ggml.tokens",
          "expected the list of tokens, found none");
      return;
    }
    check_tokens(*tokens);
    check_pre_tokenizer(*model, *tokens);
    check_special_tokens(*tokens);
    check_chat_template();
  }

 private:
  template <class T>
  const T* find(const char* key) const {
    const auto found = checkpoint_.metadata().find(key);
    return found == checkpoint_.metadata().end() ? nullptr : std::get_if<T>(&found->second);
  }
  bool has(const char* key) const { return checkpoint_.metadata().contains(key); }

  void add(Severity severity, const char* check, const std::string& subject,
           const std::string& text) {
    findings_.push_back({severity, check, subject, text});
  }

  void check_program_keys() {
    const bool quantized =
        std::any_of(checkpoint_.tensors().begin(), checkpoint_.tensors().end(),
                    [](const StoredTensor& tensor) { return tensor.encoding >= Encoding::q4_0; });
    if (quantized && !has("general.quantization_version")) {
      add(Severity::warning, "no-quantization-version", "general.quantization_version",
          "expected 2 in a file of quantized tensors, found no such key");
    }
    const auto* const architecture = find<std::string>("general.architecture");
    if (architecture != nullptr && architecture->starts_with("bitnet") &&
        checkpoint_.find("output.weight") != nullptr) {
      add(Severity::warning, "untied-head", "output.weight",
          "llama.cpp takes the embedding as the head of " + *architecture +
              " and refuses a file with a tensor that it does not use");
    }
  }

  void check_tokens(const std::vector<std::string>& tokens) {
    const StoredTensor* const embedding = checkpoint_.find("token_embd.weight");
    if (embedding != nullptr && embedding->shape.rank() == 2 &&
        embedding->shape[0] != tokens.size()) {
      add(Severity::error, "token-count", "tokenizer.ggml.tokens",
          message("expected ", embedding->shape[0],
                  " tokens, as token_embd.weight has rows, found ", tokens.size()));
    }
    std::unordered_set<std::string_view> seen;
    for (std::size_t id = 0; id < tokens.size(); ++id) {
      if (!seen.insert(tokens[id]).second) {
        add(Severity::error, "duplicate-token", "tokenizer.ggml.tokens",
            message("token ", id, " repeats an earlier one: programs abort on it"));
        break;
      }
    }
    const auto* const types = find<std::vector<std::int64_t>>("tokenizer.ggml.token_type");
    if (types != nullptr && types->size() != tokens.size()) {
      add(Severity::error, "token-type-count", "tokenizer.ggml.token_type",
          message("expected ", tokens.size(), " types, found ", types->size()));
    }
    const auto* const scores = find<std::vector<double>>("tokenizer.ggml.scores");
    if (scores != nullptr && scores->size() != tokens.size()) {
      add(Severity::error, "score-count", "tokenizer.ggml.scores",
          message("expected ", tokens.size(), " scores, found ", scores->size()));
    }
  }

  void check_pre_tokenizer(const std::string& model, const std::vector<std::string>& tokens) {
    if (model != "gpt2") {
      return;
    }
    if (!has("tokenizer.ggml.merges")) {
      add(Severity::error, "no-merges", "tokenizer.ggml.merges",
          "expected the merges of a byte-level BPE, found no such key");
    }
    const auto* const pre = find<std::string>("tokenizer.ggml.pre");
    if (pre == nullptr) {
      add(Severity::error, "missing-pre", "tokenizer.ggml.pre",
          message(
              "programs fall back to a rule that splits numbers and punctuation wrongly; ",
              tokens.size() == kLlama3Vocabulary ? "this vocabulary needs llama-bpe, which " : "",
              "`bitnet convert` writes it"));
    } else if (*pre == "falcon_e") {
      add(Severity::warning, "foreign-pre", "tokenizer.ggml.pre",
          "only bitnet.cpp knows the name falcon_e; others need falcon-h1");
    }
  }

  std::optional<std::uint64_t> token_id(const char* key, const std::vector<std::string>& tokens) {
    const auto* const id = find<std::uint64_t>(key);
    if (id == nullptr) {
      if (has(key)) {
        add(Severity::error, "token-id-type", key, "expected an unsigned integer");
      }
      return std::nullopt;
    }
    if (*id >= tokens.size()) {
      add(Severity::error, "token-id-range", key,
          message("expected an id below ", tokens.size(), ", found ", *id));
      return std::nullopt;
    }
    return *id;
  }

  void check_special_tokens(const std::vector<std::string>& tokens) {
    for (const char* key : {"tokenizer.ggml.bos_token_id", "tokenizer.ggml.padding_token_id",
                            "tokenizer.ggml.unknown_token_id"}) {
      token_id(key, tokens);
    }
    const auto eos = token_id("tokenizer.ggml.eos_token_id", tokens);
    if (!eos && !has("tokenizer.ggml.eos_token_id")) {
      add(Severity::error, "missing-eos", "tokenizer.ggml.eos_token_id",
          "expected the token that ends a text, found no such key: answers never stop");
    }
    const auto eot = token_id("tokenizer.ggml.eot_token_id", tokens);
    for (const std::string_view mark : {"<|eot_id|>", "<|im_end|>"}) {
      const auto found = std::find(tokens.begin(), tokens.end(), mark);
      const auto id = static_cast<std::uint64_t>(found - tokens.begin());
      if (found != tokens.end() && eos != id && eot != id) {
        add(Severity::warning, "missing-eot", "tokenizer.ggml.eot_token_id",
            message("expected ", id, ", which is ", mark, " and ends a turn of a chat, found ",
                    eot ? message(*eot) : "no such key"));
      }
    }
    if (!has("tokenizer.ggml.add_bos_token")) {
      add(Severity::warning, "missing-add-bos", "tokenizer.ggml.add_bos_token",
          "programs guess it from the tokenizer's name, wrongly for Falcon3");
    }
  }

  void check_chat_template() {
    const auto* const chat = find<std::string>("tokenizer.chat_template");
    if (chat != nullptr && chat->find("BITNETAssistant") != std::string::npos) {
      add(Severity::error, "wrong-chat-template", "tokenizer.chat_template",
          "this template (\"Human: ... BITNETAssistant: \") is not the one that BitNet-b1.58-2B-4T "
          "was trained with (\"User: ...<|eot_id|>Assistant: \"); `bitnet convert` replaces it");
    }
  }

  const Checkpoint& checkpoint_;
  std::vector<Finding>& findings_;
};

}  // namespace

void check_gguf_metadata(const Checkpoint& checkpoint, std::vector<Finding>& findings) {
  GgufMetadataChecks(checkpoint, findings).run();
}

void check_hugging_face_metadata(const ModelSource& source, std::vector<Finding>& findings) {
  const ModelConfig& config = source.config();
  const bool packed = std::any_of(source.weights().begin(), source.weights().end(),
                                  [](const SourceWeight& weight) { return weight.hf_packed; });
  if (packed && !config.quantization_config) {
    findings.push_back({Severity::warning, "no-quantization-config", "config.json",
                        "packed weights without quantization_config: read as linear_class "
                        "bitlinear, whose scales divide"});
  }
  if (config.eos_token_ids.empty() && source.family().has_head) {
    findings.push_back({Severity::warning, "missing-eos", "config.json",
                        "expected eos_token_id, found none: answers may never stop"});
  }
  constexpr std::array kTokenizerFiles = {"tokenizer.json", "tokenizer.model"};
  if (std::all_of(kTokenizerFiles.begin(), kTokenizerFiles.end(),
                  [&](const char* name) { return !has_companion(source.checkpoint(), name); })) {
    findings.push_back({Severity::warning, "no-tokenizer", source.checkpoint().path().string(),
                        "expected tokenizer.json or tokenizer.model beside the weights, found "
                        "neither: programs can only be given token ids"});
  }
}

}  // namespace bitnet
