// SPDX-License-Identifier: MIT
// Oracle of all tests here: what the test itself broke, in a model that is otherwise sound.
#include <bitnet/convert_checkpoint.h>
#include <bitnet/verify_checkpoint.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>

#include "formats/gguf_writer.h"
#include "tiny_model.h"

namespace bitnet {
namespace {

constexpr const char* kUp = "model.layers.0.mlp.up_proj.weight";

/// "check subject" of every finding of at least the given severity.
std::vector<std::string> findings_of(const Verification& result, Severity at_least) {
  std::vector<std::string> found;
  for (const Finding& finding : result.findings) {
    if (finding.severity >= at_least) found.push_back(finding.check + " " + finding.subject);
  }
  return found;
}

class VerifyCheckpoint : public testing::Test {
 protected:
  VerifyCheckpoint() : model_(128, 256) {}

  Verification verify_model() {
    model_.write(folder_.path());
    return verify_checkpoint(open_checkpoint(folder_.path()));
  }
  std::vector<std::string> errors() { return findings_of(verify_model(), Severity::error); }

  /// Bytes of `text` that follow `from` in a file are replaced.
  static void patch(const std::filesystem::path& path, std::uint64_t offset,
                    const std::string& bytes) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(offset));
    file << bytes;
  }

  TinyModel model_;
  TemporaryFolder folder_;
};

TEST_F(VerifyCheckpoint, ASoundModelHasNoErrors) {
  const Verification result = verify_model();
  EXPECT_FALSE(result.has(Severity::error));
  EXPECT_EQ(result.tensors, model_.tensors.size());
  EXPECT_EQ(result.unread_tensors, 0U);
  const Verification prose =
      verify_checkpoint(open_checkpoint(BITNET_SOURCE_DIR "/models/prose-nano"));
  EXPECT_TRUE(prose.findings.empty());
}

TEST_F(VerifyCheckpoint, NumbersThatAreNone) {
  std::vector<float> weights = model_.floats(kUp);
  weights[5] = std::numeric_limits<float>::quiet_NaN();
  weights[77] = -std::numeric_limits<float>::infinity();
  model_.set_floats(kUp, {256, 128}, weights);
  const Verification result = verify_model();
  EXPECT_EQ(findings_of(result, Severity::error),
            std::vector<std::string>{std::string("not-finite ") + kUp});
  EXPECT_NE(result.findings.back().message.find("1 NaN and 1 infinite"), std::string::npos);
}

TEST_F(VerifyCheckpoint, CodesAndScalesOfPackedWeights) {
  // Codes 0, 1, 2, 1 in each byte: as many zeros as others.
  std::vector<std::uint8_t> packed(64 * 128, 0b01'10'01'00);
  model_.set_bytes(kUp, {64, 128}, packed);
  model_.set_floats(std::string(kUp) + "_scale", {1}, {0.5F});
  model_.config["quantization_config"] = {{"linear_class", "autobitlinear"}};
  EXPECT_TRUE(errors().empty());

  packed[77] = 0b11'10'01'00;
  model_.set_bytes(kUp, {64, 128}, packed);
  EXPECT_EQ(errors(), std::vector<std::string>{std::string("code-3 ") + kUp});

  packed[77] = packed[76];
  model_.set_bytes(kUp, {64, 128}, packed);
  model_.set_floats(std::string(kUp) + "_scale", {1}, {NAN});
  EXPECT_EQ(errors(), (std::vector<std::string>{std::string("scale ") + kUp,
                                                std::string("not-finite ") + kUp + "_scale"}));
}

TEST_F(VerifyCheckpoint, DistributionsThatNoTrainedMatrixHas) {
  model_.config["quantization_config"] = {{"linear_class", "autobitlinear"}};
  model_.set_floats(std::string(kUp) + "_scale", {1}, {0.5F});
  const auto warnings = [&](std::uint8_t byte) {
    model_.set_bytes(kUp, {64, 128}, std::vector<std::uint8_t>(64 * 128, byte));
    const Verification result = verify_model();
    EXPECT_FALSE(result.has(Severity::error));
    return findings_of(result, Severity::warning);
  };
  const auto contains = [](const std::vector<std::string>& found, const std::string& check) {
    return std::find(found.begin(), found.end(), check + " " + kUp) != found.end();
  };
  EXPECT_TRUE(contains(warnings(0b01'01'01'01), "all-zero"));
  EXPECT_TRUE(contains(warnings(0b10'00'10'00), "distribution"));  // no zeros
  EXPECT_TRUE(contains(warnings(0b10'01'10'01), "distribution"));  // no -1
  EXPECT_FALSE(contains(warnings(0b10'01'01'00), "distribution"));
  model_.set_floats(std::string(kUp) + "_scale", {1}, {50.0F});  // as if a divisor
  EXPECT_NE(findings_of(verify_model(), Severity::warning).size(), 0U);
  EXPECT_TRUE(std::ranges::any_of(verify_model().findings, [](const Finding& finding) {
    return finding.check == "scale-direction";
  }));
}

TEST_F(VerifyCheckpoint, AModelThatIsNotWhatItsConfigSays) {
  model_.tensors.erase(kUp);
  const std::vector<std::string> found = errors();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(found.front().starts_with("model "));
}

/// A GGUF file with a tokenizer of three tokens, whose keys a test changes.
class VerifyGguf : public testing::Test {
 protected:
  VerifyGguf() {
    set("general.architecture", std::string("llama"));
    set("tokenizer.ggml.model", std::string("gpt2"));
    set("tokenizer.ggml.pre", std::string("llama-bpe"));
    set("tokenizer.ggml.tokens", std::vector<std::string>{"a", "b", "<|eot_id|>"});
    set("tokenizer.ggml.token_type", std::vector<std::int32_t>{1, 1, 3});
    set("tokenizer.ggml.merges", std::vector<std::string>{"a b"});
    set("tokenizer.ggml.eos_token_id", std::uint32_t{1});
    set("tokenizer.ggml.eot_token_id", std::uint32_t{2});
    set("tokenizer.ggml.add_bos_token", false);
  }

  void set(const std::string& key, GgufValue value) {
    remove(key);
    keys_.push_back({key, std::move(value)});
  }
  void remove(const std::string& key) {
    std::erase_if(keys_, [&](const GgufKeyValue& entry) { return entry.key == key; });
  }
  /// Checks that are about the tokenizer: that there is no model is known.
  std::vector<std::string> checks() const {
    const std::filesystem::path path = folder_.path() / "keys.gguf";
    GgufWriter(path, keys_, {}).commit();
    std::vector<std::string> found;
    for (const Finding& finding : verify_checkpoint(open_checkpoint(path)).findings) {
      if (finding.check != "model") found.push_back(finding.check);
    }
    return found;
  }

  std::vector<GgufKeyValue> keys_;
  TemporaryFolder folder_;
};

TEST_F(VerifyGguf, ACompleteTokenizerHasNoFindings) { EXPECT_TRUE(checks().empty()); }

TEST_F(VerifyGguf, EachMissingKeyIsFound) {
  const std::pair<const char*, const char*> kCases[] = {
      {"tokenizer.ggml.model", "no-tokenizer"},
      {"tokenizer.ggml.tokens", "no-tokens"},
      {"tokenizer.ggml.pre", "missing-pre"},
      {"tokenizer.ggml.merges", "no-merges"},
      {"tokenizer.ggml.eos_token_id", "missing-eos"},
      {"tokenizer.ggml.eot_token_id", "missing-eot"},
      {"tokenizer.ggml.add_bos_token", "missing-add-bos"}};
  const std::vector<GgufKeyValue> complete = keys_;
  for (const auto& [key, check] : kCases) {
    keys_ = complete;
    remove(key);
    EXPECT_EQ(checks(), std::vector<std::string>{check});
  }
}

TEST_F(VerifyGguf, EachWrongValueIsFound) {
  const std::tuple<const char*, GgufValue, const char*> kCases[] = {
      {"tokenizer.ggml.tokens", std::vector<std::string>{"a", "a", "<|eot_id|>"},
       "duplicate-token"},
      {"tokenizer.ggml.token_type", std::vector<std::int32_t>{1}, "token-type-count"},
      {"tokenizer.ggml.scores", std::vector<float>{0}, "score-count"},
      {"tokenizer.ggml.pre", std::string("falcon_e"), "foreign-pre"},
      {"tokenizer.ggml.eos_token_id", std::uint32_t{3}, "token-id-range"},
      {"tokenizer.ggml.bos_token_id", std::int32_t{1}, "token-id-type"},
      {"tokenizer.ggml.eot_token_id", std::uint32_t{0}, "missing-eot"},
      {"tokenizer.chat_template", std::string("Human: {{x}} BITNETAssistant: "),
       "wrong-chat-template"}};
  const std::vector<GgufKeyValue> complete = keys_;
  for (const auto& [key, value, check] : kCases) {
    keys_ = complete;
    set(key, value);
    EXPECT_EQ(checks(), std::vector<std::string>{check});
  }
}

}  // namespace
}  // namespace bitnet
