// SPDX-License-Identifier: MIT
#include "model/weight_names.h"

#include <bitnet/error.h>
#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace bitnet {
namespace {

ModelConfig config_of(const std::string& architecture, const std::string& hidden_act) {
  ModelConfig config;
  config.architectures = {architecture};
  config.hidden_act = hidden_act;
  config.hidden_size = 96;
  config.intermediate_size = 192;
  config.num_hidden_layers = 12;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.head_dim = 32;
  config.vocab_size = 1000;
  return config;
}

std::vector<WeightName> names_of(const ModelConfig& config) {
  return weight_names(config, find_model_family(config));
}

/// The weight that Hugging Face calls `name`, with or without "model.".
std::optional<WeightName> find_name(const std::string& name, const ModelConfig& config) {
  for (const WeightName& candidate : names_of(config)) {
    if (without_model_prefix(candidate.hugging_face) == without_model_prefix(name)) {
      return candidate;
    }
  }
  return std::nullopt;
}

struct NameCase {
  const char* hugging_face;
  const char* gguf;
  WeightRole role;
  std::uint64_t rows;
  std::uint64_t columns;
};

void expect_names(const ModelConfig& config, std::span<const NameCase> cases) {
  for (const NameCase& c : cases) {
    SCOPED_TRACE(c.hugging_face);
    const std::optional<WeightName> name = find_name(c.hugging_face, config);
    ASSERT_TRUE(name.has_value());
    EXPECT_EQ(name->gguf, c.gguf);
    EXPECT_EQ(name->role, c.role);
    EXPECT_EQ(name->rows, c.rows);
    EXPECT_EQ(name->columns, c.columns);
  }
}

// Oracle: the naming table of the GGUF converters, and shapes worked out by hand from config_of.
TEST(WeightNames, EveryFamilyHasTheBaseWeights) {
  constexpr NameCase kCases[] = {
      {"embed_tokens.weight", "token_embd.weight", WeightRole::embedding, 1000, 96},
      {"norm.weight", "output_norm.weight", WeightRole::norm, 1, 96},
      {"layers.11.input_layernorm.weight", "blk.11.attn_norm.weight", WeightRole::norm, 1, 96},
      {"layers.0.self_attn.q_proj.weight", "blk.0.attn_q.weight", WeightRole::projection, 128, 96},
      {"layers.0.self_attn.k_proj.weight", "blk.0.attn_k.weight", WeightRole::projection, 64, 96},
      {"layers.0.self_attn.v_proj.weight", "blk.0.attn_v.weight", WeightRole::projection, 64, 96},
      {"layers.0.self_attn.o_proj.weight", "blk.0.attn_output.weight", WeightRole::projection, 96,
       128},
      {"layers.3.mlp.gate_proj.weight", "blk.3.ffn_gate.weight", WeightRole::projection, 192, 96},
      {"layers.3.mlp.up_proj.weight", "blk.3.ffn_up.weight", WeightRole::projection, 192, 96},
      {"layers.3.mlp.down_proj.weight", "blk.3.ffn_down.weight", WeightRole::projection, 96, 192},
  };
  constexpr NameCase kTwoNorms[] = {{"layers.3.post_attention_layernorm.weight",
                                     "blk.3.ffn_norm.weight", WeightRole::norm, 1, 96}};
  for (const ModelFamily& family : known_model_families()) {
    SCOPED_TRACE(family.hugging_face);
    const ModelConfig config =
        config_of(std::string(family.hugging_face), std::string(family.hidden_act));
    expect_names(config, kCases);
    if ((family.weights & kSandwichNorms) == 0) expect_names(config, kTwoNorms);
    EXPECT_EQ(find_name("lm_head.weight", config).has_value(), family.has_head);
  }
}

// Oracle: as above, for what only some families have.
TEST(WeightNames, FamiliesHaveTheirOwnNorms) {
  constexpr NameCase kBitNet[] = {
      {"lm_head.weight", "output.weight", WeightRole::embedding, 1000, 96},
      {"layers.3.self_attn.attn_sub_norm.weight", "blk.3.attn_sub_norm.weight", WeightRole::norm, 1,
       128},
      {"layers.3.mlp.ffn_sub_norm.weight", "blk.3.ffn_sub_norm.weight", WeightRole::norm, 1, 192}};
  expect_names(config_of("BitNetForCausalLM", "relu2"), kBitNet);
  constexpr NameCase kOneBitLlm[] = {
      {"layers.3.self_attn.inner_attn_ln.weight", "blk.3.attn_sub_norm.weight", WeightRole::norm, 1,
       128},
      {"layers.3.mlp.ffn_layernorm.weight", "blk.3.ffn_sub_norm.weight", WeightRole::norm, 1, 192}};
  expect_names(config_of("BitnetForCausalLM", "silu"), kOneBitLlm);
  constexpr NameCase kEmbedding[] = {
      {"layers.3.self_attn.q_norm.weight", "blk.3.attn_q_norm.weight", WeightRole::norm, 1, 32},
      {"layers.3.self_attn.k_norm.weight", "blk.3.attn_k_norm.weight", WeightRole::norm, 1, 32},
      {"layers.3.self_attn.q_proj.norm.weight", "blk.3.attn_q_norm_in.weight", WeightRole::norm, 1,
       96},
      {"layers.3.self_attn.o_proj.norm.weight", "blk.3.attn_output_norm_in.weight",
       WeightRole::norm, 1, 128},
      {"layers.3.mlp.down_proj.norm.weight", "blk.3.ffn_down_norm_in.weight", WeightRole::norm, 1,
       192}};
  expect_names(config_of("Qwen3Model", "silu"), kEmbedding);
  constexpr NameCase kGemma[] = {{"layers.3.post_attention_layernorm.weight",
                                  "blk.3.post_attention_norm.weight", WeightRole::norm, 1, 96},
                                 {"layers.3.pre_feedforward_layernorm.weight",
                                  "blk.3.ffn_norm.weight", WeightRole::norm, 1, 96},
                                 {"layers.3.post_feedforward_layernorm.weight",
                                  "blk.3.post_ffw_norm.weight", WeightRole::norm, 1, 96}};
  const ModelConfig gemma = config_of("Gemma3TextModel", "gelu_pytorch_tanh");
  expect_names(gemma, kGemma);
  EXPECT_TRUE(find_name("layers.3.input_layernorm.weight", gemma)->gguf_adds_one);
  EXPECT_FALSE(find_name("layers.3.mlp.up_proj.norm.weight", gemma)->gguf_adds_one);
  EXPECT_FALSE(find_name("layers.0.mlp.ffn_sub_norm.weight", gemma).has_value());
  EXPECT_FALSE(find_name("layers.0.self_attn.q_norm.weight", config_of("LlamaForCausalLM", "silu"))
                   .has_value());
}

// Oracle: two different weights must never have one name.
TEST(WeightNames, AreUniqueInBothDialects) {
  for (const ModelFamily& family : known_model_families()) {
    SCOPED_TRACE(family.hugging_face);
    std::set<std::string> hugging_face;
    std::set<std::string> gguf;
    const std::vector<WeightName> names =
        names_of(config_of(std::string(family.hugging_face), std::string(family.hidden_act)));
    for (const WeightName& name : names) {
      EXPECT_TRUE(hugging_face.insert(name.hugging_face).second) << name.hugging_face;
      EXPECT_TRUE(gguf.insert(name.gguf).second) << name.gguf;
    }
  }
}

// Oracle: these carry nothing that another file lacks.
TEST(WeightNames, SomeTensorsHaveNoPlaceOfTheirOwn) {
  ModelConfig config = config_of("BitNetForCausalLM", "relu2");
  EXPECT_TRUE(is_redundant_weight("model.layers.0.self_attn.rotary_emb.inv_freq", config));
  EXPECT_FALSE(is_redundant_weight("lm_head.weight", config));
  config.tie_word_embeddings = true;
  EXPECT_TRUE(is_redundant_weight("lm_head.weight", config));
  EXPECT_FALSE(find_name("lm_head.weight", config).has_value());
}

// Oracle: which program runs which architecture string with which activation.
TEST(WeightNames, FamilyFollowsArchitectureAndActivation) {
  const auto gguf = [](const char* architecture, const char* hidden_act) {
    return find_model_family(config_of(architecture, hidden_act)).architecture;
  };
  EXPECT_EQ(gguf("BitNetForCausalLM", "relu2"), "bitnet-b1.58");
  EXPECT_EQ(gguf("BitnetForCausalLM", "silu"), "bitnet");
  EXPECT_EQ(gguf("LlamaForCausalLM", "silu"), "llama");
  EXPECT_EQ(gguf("Qwen3Model", "silu"), "qwen3");
  for (const auto& [architecture, hidden_act] :
       {std::pair{"GPT2LMHeadModel", "silu"}, std::pair{"LlamaForCausalLM", "relu2"}}) {
    try {
      gguf(architecture, hidden_act);
      ADD_FAILURE() << architecture;
    } catch (const UnsupportedError& error) {
      EXPECT_NE(std::string(error.what()).find("LlamaForCausalLM with silu"), std::string::npos);
      EXPECT_NE(std::string(error.what()).find(architecture), std::string::npos);
    }
  }
}

// Oracle: the permutation as nested loops over head, half and position in the half.
TEST(WeightNames, QueryRowsInterleaveTheTwoHalvesOfAHead) {
  constexpr std::uint64_t kHeads = 3;
  for (const std::uint64_t head_dim : {2, 6, 64}) {
    std::uint64_t old_row = 0;
    for (std::uint64_t head = 0; head < kHeads; ++head) {
      for (std::uint64_t half = 0; half < 2; ++half) {
        for (std::uint64_t j = 0; j < head_dim / 2; ++j, ++old_row) {
          const std::uint64_t new_row = head * head_dim + 2 * j + half;
          EXPECT_EQ(query_key_source_row(new_row, head_dim), old_row);
          EXPECT_EQ(query_key_permuted_row(old_row, head_dim), new_row);
        }
      }
    }
  }
  const ModelConfig llama = config_of("LlamaForCausalLM", "silu");
  EXPECT_TRUE(find_name("layers.0.self_attn.q_proj.weight", llama)->permuted_rows);
  EXPECT_TRUE(find_name("layers.0.self_attn.k_proj.weight", llama)->permuted_rows);
  EXPECT_FALSE(find_name("layers.0.self_attn.v_proj.weight", llama)->permuted_rows);
  EXPECT_FALSE(find_name("layers.0.self_attn.q_proj.weight", config_of("Qwen3Model", "silu"))
                   ->permuted_rows);
}

}  // namespace
}  // namespace bitnet
