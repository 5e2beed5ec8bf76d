// SPDX-License-Identifier: MIT
#include "model/weight_names.h"

#include <bitnet/error.h>
#include <gtest/gtest.h>

#include <set>

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

WeightName translate(const std::string& name, const ModelConfig& config) {
  return translate_weight_name(name, config, find_model_family(config));
}

struct NameCase {
  const char* hugging_face;
  const char* gguf;
  WeightRole role;
  std::uint64_t rows;
  std::uint64_t columns;
};

// Oracle: the naming table of the GGUF converters, and shapes worked out by hand from config_of.
TEST(WeightNames, TranslateEveryKnownName) {
  const NameCase cases[] = {
      {"embed_tokens.weight", "token_embd.weight", WeightRole::embedding, 1000, 96},
      {"norm.weight", "output_norm.weight", WeightRole::norm, 1, 96},
      {"lm_head.weight", "output.weight", WeightRole::embedding, 1000, 96},
      {"layers.11.input_layernorm.weight", "blk.11.attn_norm.weight", WeightRole::norm, 1, 96},
      {"layers.0.self_attn.q_proj.weight", "blk.0.attn_q.weight", WeightRole::projection, 128, 96},
      {"layers.0.self_attn.k_proj.weight", "blk.0.attn_k.weight", WeightRole::projection, 64, 96},
      {"layers.0.self_attn.v_proj.weight", "blk.0.attn_v.weight", WeightRole::projection, 64, 96},
      {"layers.0.self_attn.o_proj.weight", "blk.0.attn_output.weight", WeightRole::projection, 96,
       128},
      {"layers.3.self_attn.attn_sub_norm.weight", "blk.3.attn_sub_norm.weight", WeightRole::norm, 1,
       128},
      {"layers.3.self_attn.inner_attn_ln.weight", "blk.3.attn_sub_norm.weight", WeightRole::norm, 1,
       128},
      {"layers.3.self_attn.q_norm.weight", "blk.3.attn_q_norm.weight", WeightRole::norm, 1, 32},
      {"layers.3.self_attn.k_norm.weight", "blk.3.attn_k_norm.weight", WeightRole::norm, 1, 32},
      {"layers.3.post_attention_layernorm.weight", "blk.3.ffn_norm.weight", WeightRole::norm, 1,
       96},
      {"layers.3.mlp.gate_proj.weight", "blk.3.ffn_gate.weight", WeightRole::projection, 192, 96},
      {"layers.3.mlp.up_proj.weight", "blk.3.ffn_up.weight", WeightRole::projection, 192, 96},
      {"layers.3.mlp.down_proj.weight", "blk.3.ffn_down.weight", WeightRole::projection, 96, 192},
      {"layers.3.mlp.ffn_sub_norm.weight", "blk.3.ffn_sub_norm.weight", WeightRole::norm, 1, 192},
      {"layers.3.mlp.ffn_layernorm.weight", "blk.3.ffn_sub_norm.weight", WeightRole::norm, 1, 192},
      {"layers.3.mlp.down_proj.norm.weight", "blk.3.ffn_down.norm.weight", WeightRole::norm, 1,
       192},
      {"layers.3.self_attn.q_proj.norm.weight", "blk.3.attn_q.norm.weight", WeightRole::norm, 1,
       96},
  };
  const ModelConfig config = config_of("LlamaForCausalLM", "silu");
  for (const NameCase& c : cases) {
    for (const std::string prefix : {"", "model."}) {
      SCOPED_TRACE(prefix + c.hugging_face);
      const WeightName name = translate(prefix + c.hugging_face, config);
      EXPECT_EQ(name.gguf, c.gguf);
      EXPECT_EQ(name.role, c.role);
      EXPECT_EQ(name.rows, c.rows);
      EXPECT_EQ(name.columns, c.columns);
    }
  }
}

// Oracle: these carry nothing that the GGUF file lacks.
TEST(WeightNames, SomeTensorsHaveNoPlaceOfTheirOwn) {
  ModelConfig config = config_of("BitNetForCausalLM", "relu2");
  EXPECT_EQ(translate("model.layers.0.mlp.up_proj.weight_scale", config).role,
            WeightRole::weight_scale);
  EXPECT_EQ(translate("model.layers.0.self_attn.rotary_emb.inv_freq", config).role,
            WeightRole::redundant);
  config.tie_word_embeddings = true;
  EXPECT_EQ(translate("lm_head.weight", config).role, WeightRole::redundant);
}

// Oracle: names that belong to no known model, and a layer that the config does not have.
TEST(WeightNames, UnknownNamesAreErrorsThatNameThem) {
  const ModelConfig config = config_of("BitNetForCausalLM", "relu2");
  for (const std::string name :
       {"model.layers.0.self_attn.q_proj.bias", "model.layers.12.mlp.up_proj.weight", "weight", "",
        "model.layers.x.mlp.up_proj.weight", "model.layers.0", "model.layers.norm.weight",
        "model.layers.0.norm.weight", "model.norm.weight_scale",
        "model.layers.99999999999999999999.mlp.up_proj.weight"}) {
    try {
      translate(name, config);
      ADD_FAILURE() << name;
    } catch (const UnsupportedError& error) {
      EXPECT_NE(std::string(error.what()).find("tensor " + name), std::string::npos);
    }
  }
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
        }
      }
    }
  }
  EXPECT_TRUE(translate("layers.0.self_attn.q_proj.weight", config_of("LlamaForCausalLM", "silu"))
                  .permuted_rows);
  EXPECT_TRUE(translate("layers.0.self_attn.k_proj.weight", config_of("LlamaForCausalLM", "silu"))
                  .permuted_rows);
  EXPECT_FALSE(translate("layers.0.self_attn.v_proj.weight", config_of("LlamaForCausalLM", "silu"))
                   .permuted_rows);
  EXPECT_FALSE(
      translate("layers.0.self_attn.q_proj.weight", config_of("Qwen3Model", "silu")).permuted_rows);
}

// Oracle: the list of weights without which no layer can be computed.
TEST(WeightNames, ACompleteModelHasEveryRequiredWeight) {
  ModelConfig config = config_of("LlamaForCausalLM", "silu");
  config.num_hidden_layers = 1;
  const ModelFamily& family = find_model_family(config);
  const std::set<std::string, std::less<>> complete = {
      "token_embd.weight",      "output_norm.weight",       "output.weight",
      "blk.0.attn_norm.weight", "blk.0.attn_q.weight",      "blk.0.attn_k.weight",
      "blk.0.attn_v.weight",    "blk.0.attn_output.weight", "blk.0.ffn_norm.weight",
      "blk.0.ffn_gate.weight",  "blk.0.ffn_up.weight",      "blk.0.ffn_down.weight"};
  EXPECT_NO_THROW(require_complete(complete, config, family));
  for (const std::string& name : complete) {
    std::set<std::string, std::less<>> incomplete = complete;
    incomplete.erase(name);
    try {
      require_complete(incomplete, config, family);
      ADD_FAILURE() << name;
    } catch (const FormatError& error) {
      EXPECT_NE(std::string(error.what()).find(name), std::string::npos);
    }
  }
  config.tie_word_embeddings = true;
  std::set<std::string, std::less<>> tied = complete;
  tied.erase("output.weight");
  EXPECT_NO_THROW(require_complete(tied, config, family));
}

}  // namespace
}  // namespace bitnet
