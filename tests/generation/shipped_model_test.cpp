// SPDX-License-Identifier: MIT
// models/prose as it is shipped. Oracle: a 4-gram model with Kneser-Ney smoothing needs 1.71 bits
// per byte for Northanger Abbey (models/prose/README.md).
#include <bitnet/model.h>
#include <bitnet/perplexity.h>
#include <bitnet/tokenizer.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

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

}  // namespace
}  // namespace bitnet
