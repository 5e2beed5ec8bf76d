// SPDX-License-Identifier: MIT
// Oracle: golden continuations (float64 argmax, with the margin of each step), and sessions that
// compute the same without what is tested: no known prefix, no stop string, no shift.
#include <bitnet/error.h>
#include <bitnet/generation.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <optional>

#include "reference/golden_file.h"
#include "tokenizer/pattern_splitter.h"

namespace bitnet {
namespace {

const std::filesystem::path kProse = BITNET_SOURCE_DIR "/models/prose-nano";
constexpr const char* kOpening = "It is a truth universally acknowledged";

std::filesystem::path golden(const std::string& folder) {
  return std::filesystem::path(BITNET_GOLDEN_DIR) / "models" / folder;
}

/// Where the run leaves the list, the list's own margin must be below `bar`.
void expect_greedy(const std::vector<TokenId>& found, const std::vector<TokenId>& expected,
                   const std::vector<double>& margins, double bar) {
  ASSERT_EQ(found.size(), expected.size());
  const auto differ = std::ranges::mismatch(found, expected).in1;
  if (differ != found.end()) {
    const auto step = static_cast<std::size_t>(differ - found.begin());
    EXPECT_LT(margins[step], bar) << "step " << step;
  }
}

TEST(Session, GreedyContinuationsOfTheGoldenModels) {
  for (const std::string folder :
       {"bitnet-2b4t/packed", "bitnet-odd/packed", "llama-ternary/packed", "onebitllm/latent"}) {
    const nlohmann::json expected = reference::read_golden_json(
        "models/" + folder.substr(0, folder.find('/')) + "/expected.json");
    const auto model = load_model(open_checkpoint(golden(folder)), Runtime::serial());
    for (const auto& [name, greedy] : expected["greedy"].items()) {
      const auto prompt = expected["prompts"][name].get<std::vector<TokenId>>();
      const auto wanted = greedy["tokens"].get<std::vector<TokenId>>();
      Session session(*model, nullptr);
      GenerationConfig config;
      config.max_new_tokens = wanted.size();
      config.ignore_eos = true;
      expect_greedy(session.generate(prompt, config).tokens, wanted,
                    greedy["margins"].get<std::vector<double>>(),
                    2 * expected["tolerance"]["len300"]["max_abs"].get<double>());
    }
  }
}

class Prose : public testing::Test {
 protected:
  void SetUp() override {
    if (!PatternSplitter::is_available()) GTEST_SKIP() << "this build is without PCRE2";
    tokenizer_ = load_tokenizer(checkpoint_);
  }
  Prose()
      : checkpoint_(open_checkpoint(kProse)), model_(load_model(checkpoint_, Runtime::serial())) {
    config_.max_new_tokens = 40;
    config_.temperature = 0.8F;
    config_.top_p = 0.95F;
    config_.seed = 3;
  }
  GenerationResult generate(const GenerationConfig& config, const SessionOptions& options = {}) {
    return Session(*model_, &*tokenizer_, options).generate(kOpening, config);
  }

  Checkpoint checkpoint_;
  std::unique_ptr<LanguageModel> model_;
  std::optional<Tokenizer> tokenizer_;
  GenerationConfig config_;
};

TEST_F(Prose, TextIsThatOfTheTokensAndComesInPieces) {
  Session session(*model_, &*tokenizer_);
  std::string streamed;
  std::vector<TokenId> tokens;
  const GenerationResult result =
      session.generate(kOpening, config_, [&](const GeneratedToken& piece) {
        streamed += piece.text;
        tokens.push_back(piece.token);
        return true;
      });
  EXPECT_EQ(result.finish, FinishReason::length);
  EXPECT_EQ(result.tokens.size(), 40U);
  EXPECT_EQ(tokens, result.tokens);
  EXPECT_EQ(streamed, result.text);
  EXPECT_EQ(result.text, tokenizer_->decode(result.tokens));
  EXPECT_EQ(result.prompt_tokens, 10U);
}

TEST_F(Prose, AnyThreadsAndInstructionSetWriteTheSameText) {
  const std::string expected = generate(config_).text;
  for (const Isa isa : supported_isas()) {
    const Runtime runtime(RuntimeOptions{.threads = 3, .isa = isa});
    const auto model = load_model(checkpoint_, runtime);
    EXPECT_EQ(Session(*model, &*tokenizer_).generate(kOpening, config_).text, expected)
        << to_string(isa);
  }
}

TEST_F(Prose, StopStringsEndTheTextInFrontOfThem) {
  const std::string whole = generate(config_).text;
  GenerationConfig config = config_;
  config.stop = {"not to be found", whole.substr(20, 4)};
  const GenerationResult result = generate(config);
  EXPECT_EQ(result.finish, FinishReason::stop_string);
  EXPECT_EQ(result.text, whole.substr(0, whole.find(config.stop[1])));
}

TEST_F(Prose, StopTokensAndEndTokens) {
  const GenerationResult whole = generate(config_);
  GenerationConfig config = config_;
  config.stop_tokens = {whole.tokens[5]};
  const GenerationResult result = generate(config);
  EXPECT_EQ(result.finish, FinishReason::end_token);
  const auto first = std::ranges::find(whole.tokens, whole.tokens[5]) - whole.tokens.begin();
  EXPECT_EQ(result.tokens.size(), static_cast<std::size_t>(first) + 1);
  EXPECT_EQ(result.text,
            tokenizer_->decode(std::span(whole.tokens).first(static_cast<std::size_t>(first))));
}

TEST_F(Prose, CallbackAndFlagEndTheWork) {
  Session session(*model_, &*tokenizer_);
  int pieces = 0;
  const GenerationResult stopped =
      session.generate(kOpening, config_, [&](const GeneratedToken&) { return ++pieces < 3; });
  EXPECT_EQ(stopped.finish, FinishReason::cancelled);
  EXPECT_EQ(stopped.tokens.size(), 3U);
  const std::atomic<bool> cancel{true};
  config_.cancel = &cancel;
  session.reset();
  const GenerationResult at_once = session.generate(kOpening, config_);
  EXPECT_EQ(at_once.finish, FinishReason::cancelled);
  EXPECT_TRUE(at_once.tokens.empty());
}

TEST_F(Prose, AKnownBeginningIsNotComputedAgainAndChangesNothing) {
  Session session(*model_, &*tokenizer_);
  const GenerationResult first = session.generate(kOpening, config_);
  const std::vector<TokenId> text = session.tokens();
  config_.seed = 9;
  const GenerationResult second = session.generate(text, config_);
  EXPECT_EQ(second.cached_tokens, text.size() - 1);
  EXPECT_EQ(Session(*model_, &*tokenizer_).generate(text, config_).tokens, second.tokens);
  // Another text: only what agrees is kept.
  const GenerationResult other = session.generate("It is a lie", config_);
  EXPECT_EQ(other.cached_tokens, 4U);
  EXPECT_EQ(Session(*model_, &*tokenizer_).generate("It is a lie", config_).tokens, other.tokens);
}

TEST_F(Prose, AFullContextEndsTheTextOrForgetsItsOlderHalf) {
  config_.max_new_tokens = 60;
  const GenerationResult full = generate(config_, {.context = 32});
  EXPECT_EQ(full.finish, FinishReason::context_full);
  EXPECT_EQ(full.tokens.size(), 32U - 10U + 1U);

  const GenerationResult shifted =
      generate(config_, {.context = 32, .context_shift = true, .keep = 4});
  EXPECT_EQ(shifted.finish, FinishReason::length);
  EXPECT_EQ(shifted.tokens.size(), 60U);
  // Up to the first shift nothing differs.
  EXPECT_TRUE(std::equal(full.tokens.begin(), full.tokens.end(), shifted.tokens.begin()));
}

TEST_F(Prose, BehindAShiftTheTextContinuesWhatIsKept) {
  constexpr std::ptrdiff_t kKeep = 4;
  GenerationConfig greedy;
  greedy.max_new_tokens = 24;  // one more than fits
  const GenerationResult shifted =
      generate(greedy, {.context = 32, .context_shift = true, .keep = kKeep});
  std::vector<TokenId> kept = tokenizer_->encode(kOpening);
  kept.insert(kept.end(), shifted.tokens.begin(), shifted.tokens.end() - 1);
  ASSERT_EQ(kept.size(), 33U);
  kept.erase(kept.begin() + kKeep, kept.begin() + kKeep + (33 - kKeep) / 2);
  greedy.max_new_tokens = 1;
  EXPECT_EQ(shifted.tokens.back(), Session(*model_, nullptr).generate(kept, greedy).tokens.front());
}

TEST_F(Prose, LogprobsAndFilters) {
  config_.temperature = 0;
  config_.top_logprobs = 3;
  Session session(*model_, &*tokenizer_);
  session.generate(kOpening, config_, [&](const GeneratedToken& piece) {
    EXPECT_EQ(piece.top.size(), 3U);
    EXPECT_EQ(piece.top.front().token, piece.token);
    EXPECT_EQ(piece.top.front().logprob, piece.logprob);
    EXPECT_LT(piece.logprob, 0);
    return true;
  });
  const TokenId first = session.tokens()[10];
  config_.logit_filter = [&](std::span<const TokenId> generated, std::span<float> logits) {
    if (generated.empty()) logits[first] = -INFINITY;
  };
  session.reset();
  EXPECT_NE(session.generate(kOpening, config_).tokens.front(), first);
}

TEST_F(Prose, PromptsThatCannotBe) {
  Session session(*model_, &*tokenizer_, {.context = 8});
  EXPECT_THROW(session.generate(std::span<const TokenId>(), config_), InvalidArgument);
  EXPECT_THROW(session.generate(kOpening, config_), InvalidArgument);
  const std::vector<TokenId> foreign = {1, 1000000};
  EXPECT_THROW(session.generate(foreign, config_), InvalidArgument);
  EXPECT_TRUE(session.tokens().empty());  // nothing of a refused prompt is kept
  Session blind(*model_, nullptr);
  EXPECT_THROW(blind.generate(kOpening, config_), InvalidArgument);
  EXPECT_THROW(Session(*model_, nullptr, {.context = 100000}), InvalidArgument);
}

}  // namespace
}  // namespace bitnet
