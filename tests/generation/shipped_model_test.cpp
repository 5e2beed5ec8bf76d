// SPDX-License-Identifier: MIT
// The models as they are shipped. Oracles: a 4-gram model with Kneser-Ney smoothing, which
// needs 1.71 bits per byte for Northanger Abbey (models/prose/README.md); the CMU Pronouncing
// Dictionary (models/say-it/DATA.md).
#include <bitnet/generation.h>
#include <bitnet/model.h>
#include <bitnet/perplexity.h>
#include <bitnet/tokenizer.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace bitnet {
namespace {

TEST(ShippedModel, ProseBeatsFourGrams) {
  const Checkpoint checkpoint = open_checkpoint(BITNET_SOURCE_DIR "/models/prose/prose.gguf");
  const auto model = load_model(checkpoint, Runtime::serial());
  const Tokenizer tokenizer = load_tokenizer(checkpoint);
  std::ifstream file(BITNET_SOURCE_DIR "/models/prose-nano/dev.txt");
  std::string text(20000, ' ');
  ASSERT_TRUE(file.read(text.data(), static_cast<std::streamsize>(text.size())));
  const PerplexityResult result = evaluate_perplexity(*model, tokenizer.encode(text), &tokenizer,
                                                      {.context = 256, .stride = 128});
  EXPECT_LT(result.bits_per_byte(), 1.71);
  EXPECT_GT(result.bits_per_byte(), 1.2);  // it was not trained on it
}

std::string without_stress(std::string phonemes) {
  std::erase_if(phonemes, [](char c) { return c >= '0' && c <= '9'; });
  return phonemes;
}

TEST(ShippedModel, SayItPronouncesWordsThatItHasNeverSeen) {
  const std::string folder = BITNET_SOURCE_DIR "/models/say-it";
  const Checkpoint checkpoint = open_checkpoint(folder);
  const auto model = load_model(checkpoint, Runtime::serial());
  const Tokenizer tokenizer = load_tokenizer(checkpoint);
  std::vector<std::vector<TokenId>> prompts;
  std::vector<std::vector<std::string>> pronunciations;
  std::ifstream file(folder + "/sample.tsv");
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string field;
    std::getline(fields, field, '\t');
    prompts.push_back(tokenizer.encode(field));
    pronunciations.emplace_back();
    while (std::getline(fields, field, '\t')) {
      pronunciations.back().push_back(without_stress(field));
    }
  }
  ASSERT_EQ(prompts.size(), 248U);
  const auto results = generate_batch(*model, &tokenizer, prompts, {.max_new_tokens = 40});
  std::size_t right = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const std::string found = without_stress(results[i].text);
    right += std::ranges::count(pronunciations[i], found) != 0 ? 1 : 0;
  }
  // Of the whole test split it has 73 % right; three standard errors of 248 words are 9 %.
  EXPECT_GT(right, 248 * 64 / 100);
}

}  // namespace
}  // namespace bitnet
