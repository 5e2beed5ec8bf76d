// SPDX-License-Identifier: MIT
// Oracle: a count of every call of operator new in this process.
#include <bitnet/model.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <vector>

#include "reference/counted_memory.h"

namespace bitnet {
namespace {

TEST(Memory, NoTokenAllocatesAfterTheFirstText) {
  const Runtime runtime(RuntimeOptions{.threads = 2});
  // The last one's head is large enough for a sketch.
  for (const char* name : {"tests/golden/models/bitnet-2b4t/packed",
                           "tests/golden/models/bitnet-odd/packed", "models/prose-nano"}) {
    const auto model =
        load_model(open_checkpoint(std::string(BITNET_SOURCE_DIR "/") + name), runtime);
    for (const CacheType type : {CacheType::f32, CacheType::f16, CacheType::q8_0}) {
      // Where the model allows it, long enough for threads to share a token's attention.
      const std::size_t length = std::min<std::size_t>(model->max_positions(), 600);
      const std::vector<TokenId> prompt(length - 40, 1);
      const auto cache = model->new_kv_cache(length, type);
      std::vector<float> logits(model->config().vocab_size);
      const auto forward = [&](std::span<const TokenId> tokens) {
        const SequenceStep step{tokens, cache.get(), OutputRows::last, 1};
        model->forward({&step, 1}, logits);
      };
      const auto write_text = [&] {
        forward(prompt);
        for (TokenId token = 0; token < 40; ++token) {
          forward({&token, 1});
        }
      };
      // Buffers of a thread grow when it first gets work of a kind, which chance decides.
      std::size_t allocated = 1;
      for (int text = 0; text < 6 && (text == 0 || allocated != 0); ++text) {
        cache->truncate(0);
        const std::size_t before = test::allocation_count();
        write_text();
        allocated = test::allocation_count() - before;
      }
      EXPECT_EQ(allocated, 0U) << name << ", cache " << to_string(type);
    }
  }
}

}  // namespace
}  // namespace bitnet
