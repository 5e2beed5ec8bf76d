// SPDX-License-Identifier: MIT
#include "model/model_config.h"

#include <bitnet/error.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

namespace bitnet {
namespace {

ModelConfig golden_config(const std::string& model) {
  std::ifstream file(BITNET_GOLDEN_DIR "/models/" + model + "/config.json");
  EXPECT_TRUE(file.good()) << model;
  return parse_model_config(std::string(std::istreambuf_iterator<char>(file), {}));
}

// Every key that has no default.
nlohmann::json smallest_config() {
  return {{"hidden_act", "silu"},           {"hidden_size", 64},        {"intermediate_size", 128},
          {"num_hidden_layers", 2},         {"num_attention_heads", 4}, {"vocab_size", 100},
          {"max_position_embeddings", 512}, {"rms_norm_eps", 1e-6}};
}

std::string error_of(const std::string& text) {
  try {
    parse_model_config(text);
  } catch (const FormatError& error) {
    return error.what();
  }
  return "no error";
}

std::string error_with(const char* key, const nlohmann::json& value) {
  nlohmann::json json = smallest_config();
  json[key] = value;
  return error_of(json.dump());
}

// Oracle: the files, read by eye.
TEST(ModelConfig, ReadsThe2B4TFamily) {
  const ModelConfig config = golden_config("bitnet-2b4t/packed");
  EXPECT_EQ(config.architectures, std::vector<std::string>{"BitNetForCausalLM"});
  EXPECT_EQ(config.model_type, "bitnet");
  EXPECT_EQ(config.hidden_act, "relu2");
  EXPECT_EQ(config.hidden_size, 256U);
  EXPECT_EQ(config.intermediate_size, 768U);
  EXPECT_EQ(config.num_hidden_layers, 3U);
  EXPECT_EQ(config.num_attention_heads, 4U);
  EXPECT_EQ(config.num_key_value_heads, 2U);
  EXPECT_EQ(config.head_dim, 64U);  // absent: hidden_size / num_attention_heads
  EXPECT_EQ(config.vocab_size, 512U);
  EXPECT_EQ(config.max_position_embeddings, 1024U);
  EXPECT_EQ(config.rms_norm_eps, 1e-5);
  EXPECT_EQ(config.rope_theta, 500000);
  EXPECT_TRUE(config.tie_word_embeddings);
  EXPECT_EQ(config.bos_token_id, 1U);
  EXPECT_EQ(config.eos_token_ids, std::vector<std::uint64_t>{2});
  ASSERT_TRUE(config.quantization_config);
  EXPECT_EQ(config.quantization_config->linear_class, "autobitlinear");
  EXPECT_EQ(config.quantization_config->quantization_mode, "offline");
}

// Oracle: the files, read by eye.
TEST(ModelConfig, ReadsTheOtherFamilies) {
  const ModelConfig odd = golden_config("bitnet-odd/packed");
  EXPECT_EQ(odd.head_dim, 48U);
  EXPECT_EQ(odd.intermediate_size, 416U);

  const ModelConfig onebitllm = golden_config("onebitllm/latent");
  EXPECT_EQ(onebitllm.architectures.front(), "BitnetForCausalLM");
  EXPECT_EQ(onebitllm.num_key_value_heads, 4U);
  EXPECT_EQ(onebitllm.rope_theta, 10000);
  EXPECT_FALSE(onebitllm.quantization_config);

  const ModelConfig llama = golden_config("llama-ternary/packed");
  EXPECT_FALSE(llama.tie_word_embeddings);
  EXPECT_EQ(llama.rms_norm_eps, 1e-6);
  EXPECT_EQ(llama.rope_theta, 1000042);
  ASSERT_TRUE(llama.quantization_config);
  EXPECT_EQ(llama.quantization_config->linear_class, "bitlinear");  // the default of the key

  const ModelConfig embedding = golden_config("bitnet-embedding/latent");
  EXPECT_EQ(embedding.head_dim, 32U);
  EXPECT_EQ(embedding.hidden_size, 96U);
  EXPECT_FALSE(embedding.bos_token_id);
}

// Oracle: the variants of config.json that different versions of transformers write.
TEST(ModelConfig, AcceptsEveryPublishedSpelling) {
  nlohmann::json json = smallest_config();
  json["head_dim"] = nullptr;
  json["eos_token_id"] = {7, 9};
  json["bos_token_id"] = nullptr;
  json["rope_parameters"] = {{"rope_theta", 12345.0}, {"rope_type", "default"}};
  const ModelConfig config = parse_model_config(json.dump());
  EXPECT_EQ(config.head_dim, 16U);
  EXPECT_EQ(config.num_key_value_heads, 4U);
  EXPECT_EQ(config.eos_token_ids, (std::vector<std::uint64_t>{7, 9}));
  EXPECT_FALSE(config.bos_token_id);
  EXPECT_EQ(config.rope_theta, 12345.0);
}

// Oracle: what transformers reads from a published config.json with the key twice.
TEST(ModelConfig, LastOfTwoEqualKeysWins) {
  std::string text = smallest_config().dump();
  text.pop_back();
  text += R"(, "quantization_config": {"linear_class": "bitlinear"},
               "quantization_config": {"linear_class": "autobitlinear"}})";
  EXPECT_EQ(parse_model_config(text).quantization_config->linear_class, "autobitlinear");
}

// Oracle: the contract that errors name key, expected and found.
TEST(ModelConfig, ErrorsNameKeyExpectedAndFound) {
  EXPECT_EQ(error_with("hidden_size", "big"),
            "config.json: key \"hidden_size\": expected a positive integer below 2^31, found "
            "\"big\"");
  nlohmann::json missing = smallest_config();
  missing.erase("vocab_size");
  EXPECT_EQ(error_of(missing.dump()),
            "config.json: key \"vocab_size\": expected a positive integer below 2^31, found no "
            "such key");
  EXPECT_EQ(error_with("rms_norm_eps", -1.0),
            "config.json: key \"rms_norm_eps\": expected a positive number, found -1.0");
  EXPECT_EQ(error_with("quantization_config", {{"linear_class", 3}}),
            "config.json: key \"quantization_config.linear_class\": expected a string, found 3");
}

// Oracle: each value is one that no transformer can have.
TEST(ModelConfig, RejectsImpossibleValues) {
  EXPECT_NE(error_with("hidden_size", 0), "no error");
  EXPECT_NE(error_with("hidden_size", -64), "no error");
  EXPECT_NE(error_with("hidden_size", 64.5), "no error");
  EXPECT_NE(error_with("hidden_size", std::uint64_t{1} << 31), "no error");
  EXPECT_NE(error_with("hidden_size", 66), "no error");  // 4 heads, no head_dim
  EXPECT_NE(error_with("head_dim", 15), "no error");     // rotary embedding turns pairs
  EXPECT_NE(error_with("num_key_value_heads", 3), "no error");
  EXPECT_NE(error_with("rope_theta", 1e300), "no error");
  EXPECT_NE(error_with("tie_word_embeddings", "yes"), "no error");
  EXPECT_NE(error_with("architectures", {1}), "no error");
  EXPECT_NE(error_with("eos_token_id", "<eos>"), "no error");
  EXPECT_NE(error_with("bos_token_id", {1, 2}), "no error");
}

// Oracle: none of these is a JSON object.
TEST(ModelConfig, RejectsWhatIsNoObject) {
  const std::string valid = smallest_config().dump();
  for (std::size_t length = 0; length < valid.size(); ++length) {
    EXPECT_NE(error_of(valid.substr(0, length)), "no error") << length;
  }
  EXPECT_NE(error_of("[1, 2]"), "no error");
  EXPECT_NE(error_of(std::string(100000, '[')), "no error");
}

}  // namespace
}  // namespace bitnet
