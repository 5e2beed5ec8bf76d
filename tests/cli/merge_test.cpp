// SPDX-License-Identifier: MIT
// `bitnet merge` and `--lora` as a user meets them. Oracles: the library's own results, the
// conversion without an adapter, the words that name what is wrong.
#include <bitnet/generation.h>
#include <bitnet/lora.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "model/tiny_model.h"
#include "reference/random_data.h"
#include "run_program.h"

namespace bitnet {
namespace {

const std::string kLatent = BITNET_GOLDEN_DIR "/models/bitnet-2b4t/latent";
const std::string kEmbedding = BITNET_GOLDEN_DIR "/models/bitnet-embedding/latent";

class MergeCommand : public testing::Test {
 protected:
  MergeCommand() {
    LoraAdapter adapter{.rank = 4, .alpha = 4};
    for (const char* layer : {"0", "2"}) {
      adapter.matrices.push_back({std::string("model.layers.") + layer + ".self_attn.v_proj", 128,
                                  256, reference::normal_floats(4 * 256, 1, 0.1F),
                                  reference::normal_floats(128 * 4, 2)});
    }
    save_lora(adapter, adapter_);
    for (LoraMatrix& matrix : adapter.matrices) std::ranges::fill(matrix.b, 0.0F);
    save_lora(adapter, zero_);
  }

  std::string ids(const std::vector<std::string>& lora) const {
    std::vector<std::string> arguments = {"run", "-m", kLatent, "--tokens",    "5,77,301",    "-n",
                                          "12",  "-t", "2",     "--print-ids", "--ignore-eos"};
    arguments.insert(arguments.end(), lora.begin(), lora.end());
    const ProgramResult result = run_program(arguments);
    EXPECT_EQ(result.exit_status, 0) << result.err;
    return result.out;
  }

  std::string expected_ids(const std::vector<ScaledLora>& lora) const {
    const auto model = load_model(open_checkpoint(kLatent), Runtime::serial(), {.lora = lora});
    GenerationConfig config;
    config.max_new_tokens = 12;
    config.ignore_eos = true;
    std::string text;
    for (const TokenId id :
         Session(*model, nullptr).generate(std::vector<TokenId>{5, 77, 301}, config).tokens) {
      text.append(text.empty() ? "" : " ").append(std::to_string(id));
    }
    return text + "\n";
  }

  TemporaryFolder folder_;
  std::string adapter_ = folder_.path() / "adapter";
  std::string zero_ = folder_.path() / "zero";
};

TEST_F(MergeCommand, RunAddsAdaptersWithTheirScales) {
  const LoraAdapter adapter = load_lora(adapter_);
  const std::string base = expected_ids({});
  EXPECT_EQ(ids({"--lora", zero_}), base);
  EXPECT_EQ(ids({"--lora", adapter_}), expected_ids({{adapter}}));
  EXPECT_NE(ids({"--lora", adapter_}), base);
  EXPECT_EQ(
      ids({"--lora", zero_, "--lora-scaled", adapter_, "2.5", "--lora-scaled", adapter_, "-1"}),
      expected_ids({{adapter, 2.5}, {adapter, -1}}));
  EXPECT_EQ(ids({"--lora-scaled", adapter_, "2", "--lora-scaled", adapter_, "-2"}), base);
  EXPECT_EQ(ids({"--lora", adapter_ + "/adapter_model.safetensors", "--lora", zero_}),
            expected_ids({{adapter}}));
}

TEST_F(MergeCommand, AZeroAdapterChangesNoTrit) {
  const std::string merged = folder_.path() / "merged.gguf";
  const std::string plain = folder_.path() / "plain.gguf";
  const ProgramResult result =
      run_program({"merge", kLatent, "--lora", zero_, "-o", merged, "--json"});
  ASSERT_EQ(result.exit_status, 0) << result.err;
  ASSERT_EQ(run_program({"convert", kLatent, "-o", plain}).exit_status, 0);
  EXPECT_TRUE(read_bytes(merged) == read_bytes(plain));
  const nlohmann::json report = nlohmann::json::parse(result.out);
  EXPECT_EQ(report["merge_loss"]["weights"], 2 * 128 * 256);
  EXPECT_EQ(report["merge_loss"]["trits_changed"], 0);
  EXPECT_EQ(report["merge_loss"]["merged_sqnr_db"], report["merge_loss"]["base_sqnr_db"]);
}

TEST_F(MergeCommand, SaysWhatSurvivedOfEachMatrixAndOfAll) {
  const std::string merged = folder_.path() / "merged";
  const ProgramResult json = run_program({"merge", kLatent, "--lora", zero_, "--lora-scaled",
                                          adapter_, "0.05", "-o", merged, "--json"});
  ASSERT_EQ(json.exit_status, 0) << json.err;
  const nlohmann::json report = nlohmann::json::parse(json.out);
  std::size_t changed = 0;
  std::size_t matrices = 0;
  for (const nlohmann::json& tensor : report["tensors"]) {
    if (tensor.contains("merge_loss")) {
      ++matrices;
      changed += tensor["merge_loss"]["trits_changed"].get<std::size_t>();
    }
  }
  EXPECT_EQ(matrices, 2U);
  EXPECT_GT(changed, 0U);
  EXPECT_EQ(report["merge_loss"]["trits_changed"], changed);
  EXPECT_GT(report["merge_loss"]["survival"], 0);

  const ProgramResult text = run_program({"merge", kLatent, "--lora", adapter_, "-o", merged});
  ASSERT_EQ(text.exit_status, 0) << text.err;
  for (const char* words : {"model.layers.2.self_attn.v_proj.weight", "all ", "survived %"}) {
    EXPECT_NE(text.out.find(words), std::string::npos) << text.out;
  }
  // The folder runs, as a model with the update in its weights.
  const ProgramResult run = run_program(
      {"run", "-m", merged, "--tokens", "5,77,301", "-n", "12", "--print-ids", "--ignore-eos"});
  EXPECT_EQ(run.exit_status, 0) << run.err;
  EXPECT_NE(run.out, expected_ids({}));
}

TEST_F(MergeCommand, EmbeddingsPerplexityAndLogitsTakeAdapters) {
  LoraAdapter adapter{.rank = 1, .alpha = 1, .task_type = "FEATURE_EXTRACTION"};
  adapter.matrices.push_back({"layers.0.mlp.up_proj", 192, 96, reference::normal_floats(96, 1),
                              reference::normal_floats(192, 2)});
  save_lora(adapter, folder_.path() / "small");
  const std::vector<std::string> embed = {"embed", "-m", kEmbedding, "--tokens", "1,2"};
  std::vector<std::string> with = embed;
  with.insert(with.end(), {"--lora", folder_.path() / "small"});
  const ProgramResult result = run_program(with);
  ASSERT_EQ(result.exit_status, 0) << result.err;
  EXPECT_NE(result.out, run_program(embed).out);
  for (const char* command : {"chat", "perplexity", "logits"}) {
    EXPECT_NE(run_program({command, "--help"}).out.find("--lora-scaled"), std::string::npos);
  }
}

TEST_F(MergeCommand, ErrorsNameWhatIsWrong) {
  const std::string out = folder_.path() / "out.gguf";
  const struct {
    std::vector<std::string> arguments;
    int status;
    const char* words;
  } cases[] = {
      {{"merge", kLatent, "-o", out}, 2, "--lora"},
      {{"merge", kLatent, "--lora", "/nonexistent", "-o", out}, 1, "/nonexistent"},
      {{"merge", kLatent, "--lora-scaled", adapter_, "much", "-o", out}, 2, "much"},
      {{"merge", kEmbedding, "--lora", adapter_, "-o", out}, 1, "lora_A.weight: expected shape"},
      {{"run", "-m", kLatent, "--lora", kLatent, "--tokens", "1"}, 1, "adapter_model.safetensors"},
      {{"run", "-m", kLatent, "--lora-scaled", adapter_, "--tokens", "1"}, 2, "--lora-scaled"},
  };
  for (const auto& wrong : cases) {
    const ProgramResult result = run_program(wrong.arguments);
    EXPECT_EQ(result.exit_status, wrong.status) << result.err;
    EXPECT_NE(result.err.find(wrong.words), std::string::npos) << result.err;
  }
  EXPECT_EQ(folder_.file_count(), 2U);  // the adapters
}

}  // namespace
}  // namespace bitnet
