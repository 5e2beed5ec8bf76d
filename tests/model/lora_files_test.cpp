// SPDX-License-Identifier: MIT
// Files of adapters. Oracles: PEFT's conventions as its documents state them, and the numbers that
// were written.
#include <bitnet/error.h>
#include <bitnet/lora.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

#include "tiny_model.h"

namespace bitnet {
namespace {

using Json = nlohmann::json;

const std::string kModule = "model.layers.0.self_attn.q_proj";

/// An adapter's folder as PEFT writes it: rank 2, in_features 3, out_features 4, A counting from 1,
/// B from 101.
struct PeftFolder {
  PeftFolder()
      : config({{"peft_type", "LORA"},
                {"task_type", "CAUSAL_LM"},
                {"base_model_name_or_path", "some/model"},
                {"r", 2},
                {"lora_alpha", 16},
                {"lora_dropout", 0.05},
                {"target_modules", {"q_proj"}},
                {"bias", "none"},
                {"use_dora", false},
                {"use_rslora", false},
                {"fan_in_fan_out", false},
                {"init_lora_weights", true},
                {"modules_to_save", nullptr},
                {"rank_pattern", Json::object()},
                {"alpha_pattern", Json::object()},
                {"layers_to_transform", nullptr},
                {"peft_version", "0.17.0"}}) {
    add("base_model.model." + kModule + ".lora_A.weight", {2, 3}, 1);
    add("base_model.model." + kModule + ".lora_B.weight", {4, 2}, 101);
  }

  void add(const std::string& name, const std::vector<std::size_t>& shape, float first) {
    std::vector<float> values;
    for (std::size_t i = 0; i < shape[0] * shape[1]; ++i) {
      values.push_back(first + static_cast<float>(i));
    }
    tensors.set_floats(name, shape, values);
  }

  LoraAdapter load() {
    tensors.write(folder.path());
    std::filesystem::rename(folder.path() / "model.safetensors",
                            folder.path() / "adapter_model.safetensors");
    std::filesystem::remove(folder.path() / "config.json");
    std::ofstream(folder.path() / "adapter_config.json") << config.dump();
    return load_lora(folder.path());
  }

  Json config;
  TinyModel tensors = [] {
    TinyModel none(4, 4);
    none.tensors.clear();
    return none;
  }();
  TemporaryFolder folder;
};

TEST(LoraFiles, OfPeftAreUnderstood) {
  const LoraAdapter adapter = PeftFolder().load();
  EXPECT_EQ(adapter.rank, 2U);
  EXPECT_EQ(adapter.alpha, 16);
  EXPECT_EQ(adapter.scale(), 8);
  EXPECT_EQ(adapter.task_type, "CAUSAL_LM");
  EXPECT_EQ(adapter.base_model, "some/model");
  EXPECT_EQ(adapter.target_modules(), std::vector<std::string>{"q_proj"});
  ASSERT_EQ(adapter.matrices.size(), 1U);
  const LoraMatrix& matrix = adapter.matrices[0];
  EXPECT_EQ(matrix.module, kModule);
  EXPECT_EQ(matrix.in_features, 3U);
  EXPECT_EQ(matrix.out_features, 4U);
  EXPECT_EQ(matrix.a, (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(matrix.b, (std::vector<float>{101, 102, 103, 104, 105, 106, 107, 108}));
}

TEST(LoraFiles, RankStabilizedScaleIsAlphaBySquareRoot) {
  PeftFolder peft;
  peft.config["use_rslora"] = true;
  peft.config["lora_alpha"] = 0.5;
  EXPECT_EQ(peft.load().scale(), 0.5 / std::sqrt(2.0));
}

TEST(LoraFiles, NamesMayLackPrefixes) {
  for (const std::string& name : {kModule, std::string("layers.0.self_attn.q_proj"),
                                  std::string("base_model.model.layers.0.self_attn.q_proj")}) {
    PeftFolder peft;
    peft.tensors.tensors.clear();
    peft.add(name + ".lora_A.weight", {2, 3}, 1);
    peft.add(name + ".lora_B.weight", {4, 2}, 101);
    const LoraAdapter adapter = peft.load();
    ASSERT_EQ(adapter.matrices.size(), 1U);
    EXPECT_TRUE(adapter.matrices[0].module.ends_with("layers.0.self_attn.q_proj"));
    EXPECT_EQ(adapter.matrices[0].b.back(), 108);
  }
}

TEST(LoraFiles, SixteenBitNumbersAreWidened) {
  PeftFolder peft;
  const auto set = [&](const char* dtype, const std::vector<std::uint16_t>& bits) {
    std::string bytes(bits.size() * 2, '\0');
    std::memcpy(bytes.data(), bits.data(), bytes.size());
    peft.tensors.tensors["base_model.model." + kModule + ".lora_A.weight"] = {dtype, {2, 3}, bytes};
  };
  set("BF16", {0x3f80, 0x4000, 0xbf80, 0, 0, 0x3f00});
  EXPECT_EQ(peft.load().matrices[0].a, (std::vector<float>{1, 2, -1, 0, 0, 0.5}));
  set("F16", {0x3c00, 0x4000, 0xbc00, 0, 0, 0x3800});
  EXPECT_EQ(peft.load().matrices[0].a, (std::vector<float>{1, 2, -1, 0, 0, 0.5}));
}

TEST(LoraFiles, TheFileItselfFindsItsConfiguration) {
  PeftFolder peft;
  peft.load();
  EXPECT_EQ(load_lora(peft.folder.path() / "adapter_model.safetensors").matrices.size(), 1U);
}

TEST(LoraFiles, WrittenOnesHavePeftsNamesAndKeys) {
  LoraAdapter adapter = PeftFolder().load();
  adapter.matrices.push_back({"model.layers.1.mlp.up_proj", 2, 1, {7, 8}, {1, 2, 3, 4}});
  const TemporaryFolder folder;
  save_lora(adapter, folder.path() / "new");
  const Json config = Json::parse(read_bytes(folder.path() / "new" / "adapter_config.json"));
  EXPECT_EQ(config["peft_type"], "LORA");
  EXPECT_EQ(config["task_type"], "CAUSAL_LM");
  EXPECT_EQ(config["r"], 2);
  EXPECT_TRUE(config["lora_alpha"].is_number_integer());
  EXPECT_EQ(config["lora_alpha"], 16);
  EXPECT_EQ(config["lora_dropout"], 0);
  EXPECT_EQ(config["target_modules"], Json({"q_proj", "up_proj"}));
  EXPECT_EQ(config["bias"], "none");
  EXPECT_EQ(config["base_model_name_or_path"], "some/model");

  const std::string bytes = read_bytes(folder.path() / "new" / "adapter_model.safetensors");
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  const Json header = Json::parse(bytes.substr(sizeof length, length));
  const Json& b = header["base_model.model." + kModule + ".lora_B.weight"];
  EXPECT_EQ(b["dtype"], "F32");
  EXPECT_EQ(b["shape"], Json({4, 2}));
  float last = 0;
  std::memcpy(&last,
              bytes.data() + sizeof length + length + b["data_offsets"][1].get<std::size_t>() - 4,
              sizeof last);
  EXPECT_EQ(last, 108);
  EXPECT_TRUE(header.contains("base_model.model.model.layers.1.mlp.up_proj.lora_A.weight"));
}

TEST(LoraFiles, ThereAndBackIsTheSameAdapter) {
  const LoraAdapter adapter = PeftFolder().load();
  const TemporaryFolder folder;
  save_lora(adapter, folder.path());
  EXPECT_EQ(folder.file_count(), 2U);
  const LoraAdapter read = load_lora(folder.path());
  EXPECT_EQ(read.rank, adapter.rank);
  EXPECT_EQ(read.scale(), adapter.scale());
  EXPECT_EQ(read.matrices[0].module, adapter.matrices[0].module);
  EXPECT_EQ(read.matrices[0].a, adapter.matrices[0].a);
  EXPECT_EQ(read.matrices[0].b, adapter.matrices[0].b);
}

TEST(LoraFiles, ContradictorySizesAreNotWritten) {
  LoraAdapter adapter = PeftFolder().load();
  adapter.matrices[0].b.pop_back();
  const TemporaryFolder folder;
  EXPECT_THROW(save_lora(adapter, folder.path()), InvalidArgument);
  EXPECT_EQ(folder.file_count(), 0U);
}

TEST(LoraFiles, ThoseThatComputeSomethingElseAreRefused) {
  const std::string a = "base_model.model." + kModule + ".lora_A.weight";
  const std::string b = "base_model.model." + kModule + ".lora_B.weight";
  struct Case {
    const char* words;
    std::function<void(PeftFolder&)> spoil;
  };
  const auto config = [](const char* key, Json value) {
    return [key, value](PeftFolder& peft) { peft.config[key] = value; };
  };
  const Case cases[] = {
      {"use_dora", config("use_dora", true)},
      {"modules_to_save", config("modules_to_save", {"lm_head"})},
      {"\"bias\": expected \"none\"", config("bias", "lora_only")},
      {"rank_pattern", config("rank_pattern", {{"q_proj", 4}})},
      {"alpha_pattern", config("alpha_pattern", {{"q_proj", 4}})},
      {"fan_in_fan_out", config("fan_in_fan_out", true)},
      {"lora_bias", config("lora_bias", true)},
      {"layer_replication", config("layer_replication", {{0, 1}})},
      {"init_lora_weights", config("init_lora_weights", "pissa")},
      {"peft_type", config("peft_type", "IA3")},
      {"lora_embedding_A",
       [](PeftFolder& p) {
         p.add("base_model.model.model.embed_tokens.lora_embedding_A", {2, 9}, 0);
       }},
      {"magnitude",
       [](PeftFolder& p) {
         p.add("x.lora_magnitude_vector.weight", {1, 4}, 0);
       }},
  };
  for (const Case& wrong : cases) {
    PeftFolder peft;
    wrong.spoil(peft);
    try {
      peft.load();
      ADD_FAILURE() << wrong.words;
    } catch (const UnsupportedError& error) {
      EXPECT_NE(std::string(error.what()).find(wrong.words), std::string::npos) << error.what();
    }
  }
}

TEST(LoraFiles, MalformedOnesNameWhatIsWrong) {
  const std::string a = "base_model.model." + kModule + ".lora_A.weight";
  const std::string b = "base_model.model." + kModule + ".lora_B.weight";
  const float infinity = std::numeric_limits<float>::infinity();
  struct Case {
    std::string words;
    std::function<void(PeftFolder&)> spoil;
  };
  const auto config = [](const char* key, Json value) {
    return [key, value](PeftFolder& peft) { peft.config[key] = value; };
  };
  const Case cases[] = {
      {"\"r\": expected a positive integer, found 0", config("r", 0)},
      {"\"r\"", config("r", -1)},
      {"\"r\"", config("r", 2.5)},
      {"\"r\"", config("r", 1e30)},
      {"\"r\": expected a number, found null", config("r", nullptr)},
      {"\"lora_alpha\"", config("lora_alpha", "16")},
      {"\"use_rslora\"", config("use_rslora", 1)},
      {"expected shape [4, in_features]", config("r", 4)},
      {".lora_B.weight", [&](PeftFolder& p) { p.tensors.tensors.erase(b); }},
      {".lora_A.weight", [&](PeftFolder& p) { p.tensors.tensors.erase(a); }},
      {"expected shape [out_features, 2]",
       [&](PeftFolder& p) {
         p.add(b, {2, 4}, 1);
       }},
      {"found two",
       [&](PeftFolder& p) {
         p.add(kModule + ".lora_A.weight", {2, 3}, 1);
       }},
      {"row 1, column 2",
       [&](PeftFolder& p) {
         p.tensors.set_floats(a, {2, 3}, {1, 2, 3, 4, 5, infinity});
       }},
      {"expected F32, F16 or BF16",
       [&](PeftFolder& p) {
         p.tensors.set_bytes(a, {2, 3}, {1, 2, 3, 4, 5, 6});
       }},
  };
  for (const Case& wrong : cases) {
    PeftFolder peft;
    wrong.spoil(peft);
    try {
      peft.load();
      ADD_FAILURE() << wrong.words;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(wrong.words), std::string::npos) << error.what();
    }
  }
}

TEST(LoraFiles, MissingPartsAreNamed) {
  PeftFolder peft;
  peft.load();
  const std::filesystem::path config = peft.folder.path() / "adapter_config.json";
  std::ofstream(config) << "[1, 2]";
  EXPECT_THROW(load_lora(peft.folder.path()), FormatError);
  std::ofstream(config) << "{\"r\": 1";
  EXPECT_THROW(load_lora(peft.folder.path()), FormatError);
  std::filesystem::remove(config);
  EXPECT_THROW(load_lora(peft.folder.path()), FormatError);
  std::ofstream(config) << peft.config.dump();
  std::ofstream(peft.folder.path() / "adapter_model.safetensors")
      << std::string("\x08\0\0\0\0\0\0\0{}      ", 16);  // no tensor
  EXPECT_THROW(load_lora(peft.folder.path()), FormatError);
  std::filesystem::rename(peft.folder.path() / "adapter_model.safetensors",
                          peft.folder.path() / "adapter_model.bin");
  EXPECT_THROW(load_lora(peft.folder.path()), UnsupportedError);
  EXPECT_THROW(load_lora("/nonexistent"), IoError);
}

}  // namespace
}  // namespace bitnet
