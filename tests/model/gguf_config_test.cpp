// SPDX-License-Identifier: MIT
#include "model/gguf_config.h"

#include <bitnet/error.h>
#include <gtest/gtest.h>

#include "formats/gguf_writer.h"
#include "model/model_source.h"
#include "tiny_model.h"

namespace bitnet {
namespace {

/// Key-values of a small model, to be changed by a test and written to a file without tensors.
class GgufConfigTest : public testing::Test {
 protected:
  void use(const std::string& architecture) {
    keys_ = {{"general.architecture", architecture}};
    const auto size = [&](const char* key, std::uint32_t value) {
      keys_.push_back({architecture + key, value});
    };
    size(".context_length", 512);
    size(".embedding_length", 96);
    size(".block_count", 2);
    size(".feed_forward_length", 192);
    size(".attention.head_count", 4);
    keys_.push_back({architecture + ".attention.layer_norm_rms_epsilon", 1e-5F});
  }
  void set(const std::string& key, GgufValue value) {
    std::erase_if(keys_, [&](const GgufKeyValue& entry) { return entry.key == key; });
    keys_.push_back({key, std::move(value)});
  }
  void remove(const std::string& key) {
    std::erase_if(keys_, [&](const GgufKeyValue& entry) { return entry.key == key; });
  }
  void set_vocabulary(std::size_t size) {
    set("tokenizer.ggml.tokens", std::vector<std::string>(size, "x"));
  }

  Checkpoint write() const {
    const std::filesystem::path path = folder_.path() / "keys.gguf";
    GgufWriter(path, keys_, {}).commit();
    return open_checkpoint(path);
  }
  GgufConfig parse(const std::optional<std::string>& hidden_act = std::nullopt) const {
    return parse_gguf_config(write(), hidden_act);
  }
  std::string error() const {
    try {
      parse();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  std::vector<GgufKeyValue> keys_;
  TemporaryFolder folder_;
};

struct ActivationCase {
  const char* architecture;
  std::size_t vocabulary;
  const char* tokenizer;
  const char* hidden_act;
  const char* hugging_face;
};

// Oracle: which published models have which architecture, vocabulary and activation.
TEST_F(GgufConfigTest, ActivationFollowsArchitectureAndVocabulary) {
  constexpr ActivationCase kCases[] = {
      {"bitnet-b1.58", 128256, "gpt2", "relu2", "BitNetForCausalLM"},
      {"bitnet-25", 128256, "gpt2", "relu2", "BitNetForCausalLM"},
      {"bitnet-b1.58", 32002, "llama", "silu", "BitnetForCausalLM"},
      {"bitnet-b1.58", 32002, "gpt2", "relu2", "BitNetForCausalLM"},
      {"bitnet", 32002, "llama", "silu", "BitnetForCausalLM"},
      {"bitnet", 128256, "gpt2", "relu2", "BitNetForCausalLM"},
      {"llama", 128256, "gpt2", "silu", "LlamaForCausalLM"},
      {"qwen3", 1000, "gpt2", "silu", "Qwen3ForCausalLM"},
      {"gemma3", 1000, "llama", "gelu_pytorch_tanh", "Gemma3ForCausalLM"},
  };
  for (const ActivationCase& c : kCases) {
    SCOPED_TRACE(std::string(c.architecture) + " " + std::to_string(c.vocabulary));
    use(c.architecture);
    set_vocabulary(c.vocabulary);
    set("tokenizer.ggml.model", std::string(c.tokenizer));
    const GgufConfig parsed = parse();
    EXPECT_EQ(parsed.config.hidden_act, c.hidden_act);
    EXPECT_EQ(parsed.config.architectures.front(), c.hugging_face);
    const bool is_bitnet = std::string(c.architecture).starts_with("bitnet");
    EXPECT_EQ(parsed.notes.size(), is_bitnet ? 1U : 0U);  // a guess is said
  }
}

// Oracle: the order of precedence that the header states.
TEST_F(GgufConfigTest, TheFilesWordAndTheUsersComeFirst) {
  use("bitnet-b1.58");
  set_vocabulary(100);
  set("bitnet-b1.58.hidden_activation", std::string("silu"));
  EXPECT_EQ(parse().config.hidden_act, "silu");
  EXPECT_TRUE(parse().notes.empty());
  EXPECT_EQ(parse("relu2").config.hidden_act, "relu2");
}

// Oracle: the values that the test wrote.
TEST_F(GgufConfigTest, ReadsSizesAndIds) {
  use("llama");
  set("llama.attention.head_count_kv", std::uint32_t{2});
  set("llama.attention.key_length", std::uint32_t{32});
  set("llama.vocab_size", std::uint32_t{77});
  set("llama.rope.freq_base", 1000042.0F);
  set("tokenizer.ggml.bos_token_id", std::uint32_t{1});
  set("tokenizer.ggml.eos_token_id", std::uint32_t{2});
  set("tokenizer.ggml.eot_token_id", std::uint32_t{3});
  const ModelConfig config = parse().config;
  EXPECT_EQ(config.hidden_size, 96U);
  EXPECT_EQ(config.intermediate_size, 192U);
  EXPECT_EQ(config.num_hidden_layers, 2U);
  EXPECT_EQ(config.num_attention_heads, 4U);
  EXPECT_EQ(config.num_key_value_heads, 2U);
  EXPECT_EQ(config.head_dim, 32U);
  EXPECT_EQ(config.vocab_size, 77U);
  EXPECT_EQ(config.max_position_embeddings, 512U);
  EXPECT_EQ(config.rope_theta, 1000042.0);
  EXPECT_EQ(config.bos_token_id, 1U);
  EXPECT_EQ(config.eos_token_ids, (std::vector<std::uint64_t>{2, 3}));
  EXPECT_TRUE(config.tie_word_embeddings);  // there is no output.weight
}

// Oracle: the key that the test spoilt.
TEST_F(GgufConfigTest, ErrorsNameTheKey) {
  const auto expect_error = [&](const std::string& key, const std::string& part) {
    const std::string text = error();
    EXPECT_NE(text.find(key), std::string::npos) << text;
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  for (const char* key : {"llama.context_length", "llama.embedding_length", "llama.block_count",
                          "llama.feed_forward_length", "llama.attention.head_count"}) {
    use("llama");
    set_vocabulary(10);
    remove(key);
    expect_error(key, "no such key");
    set(key, std::uint32_t{0});
    expect_error(key, "found 0");
    set(key, std::uint32_t{0x80000000U});
    expect_error(key, "2147483648");
    set(key, std::string("four"));
    expect_error(key, "integer");
  }
  use("llama");
  expect_error("llama.vocab_size", "no such key");
  set_vocabulary(10);
  set("llama.attention.head_count_kv", std::uint32_t{3});
  expect_error("llama.attention.head_count_kv", "3");
  use("mamba");
  set_vocabulary(10);
  expect_error("mamba", "bitnet-b1.58, bitnet, llama, qwen3, gemma3");
  keys_.clear();
  expect_error("general.architecture", "expected");
}

// Oracle: the file has no tensors, so that a layer count of two billion cannot be true.
TEST_F(GgufConfigTest, LayersWithoutTensorsSizeNothing) {
  use("llama");
  set_vocabulary(10);
  set("llama.block_count", std::uint32_t{2147483647});
  const Checkpoint file = write();
  EXPECT_THROW(ModelSource(file, {}, Runtime::serial()), FormatError);
}

}  // namespace
}  // namespace bitnet
