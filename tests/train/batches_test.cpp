// SPDX-License-Identifier: MIT
// Oracles: batches written down, and counts of what an epoch must hold. The files' tokens count
// from 0, so that each shows where it comes from.
#include <bitnet/error.h>
#include <bitnet/train/batches.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "train/small_corpus.h"

namespace bitnet::train::test {
namespace {

constexpr std::int32_t kNone = kIgnoredTarget;

class Batches : public ::testing::Test {
 protected:
  TokenFile file(const Parts& parts) { return TokenFile(write(parts, folder_ / "a.safetensors")); }
  TokenFile file(const std::vector<std::size_t>& lengths) { return file(counting_parts(lengths)); }
  TemporaryFolder folder_;
};

using Numbers = std::vector<std::int32_t>;

Numbers row_of(const Numbers& numbers, const Batch& batch, std::size_t row) {
  const auto begin = numbers.begin() + static_cast<std::ptrdiff_t>(row * batch.columns);
  return {begin, begin + static_cast<std::ptrdiff_t>(batch.columns)};
}

void expect_same(const Batch& a, const Batch& b) {
  EXPECT_EQ(a.rows, b.rows);
  EXPECT_EQ(a.columns, b.columns);
  EXPECT_EQ(a.inputs, b.inputs);
  EXPECT_EQ(a.targets, b.targets);
}

TEST_F(Batches, StreamPredictsEveryTokenOnceAnEpoch) {
  // 40 windows of 5 among 203 tokens: 3 tokens are predicted by none.
  constexpr std::int32_t kTokens = 203;
  const BatchSampler sampler(file({100, 3, 100}), {.rows = 4, .columns = 5, .seed = 9});
  ASSERT_EQ(sampler.batches_per_epoch(), 10U);
  std::set<std::vector<std::int32_t>> epochs;
  for (std::uint64_t epoch = 0; epoch < 5; ++epoch) {
    std::set<std::int32_t> predicted;
    std::vector<std::int32_t> first_inputs;
    for (std::uint64_t i = 0; i < 10; ++i) {
      const Batch batch = sampler.batch(epoch * 10 + i);
      ASSERT_EQ(batch.inputs.size(), 20U);
      ASSERT_EQ(batch.targets.size(), 20U);
      for (std::size_t at = 0; at < 20; ++at) {
        EXPECT_EQ(batch.targets[at], (batch.inputs[at] + 1) % kTokens);
        EXPECT_TRUE(predicted.insert(batch.targets[at]).second);
        if (at % 5 != 0) {
          EXPECT_EQ(batch.inputs[at], batch.targets[at - 1]);
        } else {
          first_inputs.push_back(batch.inputs[at]);
        }
      }
    }
    EXPECT_EQ(predicted.size(), 200U);
    EXPECT_FALSE(std::ranges::is_sorted(first_inputs));
    epochs.insert(first_inputs);
    std::ranges::sort(first_inputs);
    epochs.insert(first_inputs);
  }
  EXPECT_EQ(epochs.size(), 10U);  // neither the orders nor the cuts repeat
}

TEST_F(Batches, StreamGoesOnWithTheNextEpochWithinABatch) {
  // 3 windows an epoch, 2 rows: three batches are two epochs.
  const BatchSampler sampler(file({7}), {.rows = 2, .columns = 2});
  EXPECT_EQ(sampler.batches_per_epoch(), 2U);
  std::map<std::int32_t, int> times;
  for (std::uint64_t i = 0; i < 3; ++i) {
    for (const std::int32_t target : sampler.batch(i).targets) {
      ++times[target];
    }
  }
  int predictions = 0;
  for (const auto& [token, count] : times) {
    EXPECT_LE(count, 2) << token;
    predictions += count;
  }
  EXPECT_EQ(predictions, 12);
}

TEST_F(Batches, StreamLeavesPromptsToBeRead) {
  Parts parts = counting_parts({4});
  parts.is_target = {{0, 0, 1, 1}};
  const BatchSampler sampler(file(parts), {.rows = 1, .columns = 3});
  const Batch batch = sampler.batch(0);
  for (std::size_t i = 0; i < 3; ++i) {
    const std::int32_t next = (batch.inputs[i] + 1) % 4;
    EXPECT_EQ(batch.targets[i], next < 2 ? kNone : next);
  }
}

/// A run that is resumed with a later version, or on another machine, must find the same. Oracle: a
/// second implementation, in another language.
TEST_F(Batches, StayTheSameForever) {
  const BatchSampler stream(file({30, 30}), {.rows = 2, .columns = 3, .seed = 42});
  EXPECT_EQ(stream.batch(1000).inputs, (Numbers{39, 40, 41, 3, 4, 5}));
  EXPECT_EQ(stream.batch(1001).inputs, (Numbers{57, 58, 59, 27, 28, 29}));
  const BatchSampler documents(
      file({3, 2, 5, 4, 2}),
      {.rows = 2, .columns = 3, .seed = 42, .layout = BatchLayout::documents});
  EXPECT_EQ(documents.batch(1000).inputs, (Numbers{14, 3}));
  EXPECT_EQ(documents.batch(1003).inputs, (Numbers{3, 0, 0, 1}));
}

TEST_F(Batches, AreAFunctionOfTheirIndex) {
  const TokenFile tokens = file({30, 20, 10, 7, 8, 9, 50});
  for (const BatchLayout layout : {BatchLayout::stream, BatchLayout::documents}) {
    const BatchOptions options{.rows = 2, .columns = 6, .seed = 5, .layout = layout};
    const BatchSampler sampler(tokens, options);
    std::vector<Batch> forwards;
    for (std::uint64_t i = 0; i < 40; ++i) {
      forwards.push_back(sampler.batch(i));
    }
    for (std::uint64_t i = 40; i-- > 0;) {
      expect_same(BatchSampler(tokens, options).batch(i), forwards[i]);
    }
    BatchOptions other = options;
    other.seed = 6;
    EXPECT_NE(BatchSampler(tokens, other).batch(0).inputs, forwards[0].inputs);
  }
}

/// Documents by their first token, and how often they come.
std::map<std::int32_t, int> documents_of(const BatchSampler& sampler, std::uint64_t epoch) {
  std::map<std::int32_t, int> times;
  const std::uint64_t batches = sampler.batches_per_epoch();
  for (std::uint64_t i = epoch * batches; i < (epoch + 1) * batches; ++i) {
    const Batch batch = sampler.batch(i);
    for (std::size_t row = 0; row < batch.rows; ++row) {
      ++times[batch.inputs[row * batch.columns]];
    }
  }
  return times;
}

TEST_F(Batches, DocumentRowIsADocumentThenPadding) {
  // 0 1 2 | 3 (nothing to predict) | 4 5 6 7 8 9, cut at four inputs
  const BatchSampler sampler(
      file({3, 1, 6}), {.rows = 2, .columns = 4, .seed = 0, .layout = BatchLayout::documents});
  ASSERT_EQ(sampler.batches_per_epoch(), 1U);
  const Batch batch = sampler.batch(0);
  ASSERT_EQ(batch.columns, 4U);
  EXPECT_EQ(row_of(batch.inputs, batch, 0), (Numbers{0, 1, 0, 0}));
  EXPECT_EQ(row_of(batch.targets, batch, 0), (Numbers{1, 2, kNone, kNone}));
  EXPECT_EQ(row_of(batch.inputs, batch, 1), (Numbers{4, 5, 6, 7}));
  EXPECT_EQ(row_of(batch.targets, batch, 1), (Numbers{5, 6, 7, 8}));
}

TEST_F(Batches, DocumentBatchIsAsWideAsItsLongest) {
  const BatchSampler sampler(file({3, 4}),
                             {.rows = 2, .columns = 100, .layout = BatchLayout::documents});
  EXPECT_EQ(sampler.batch(0).columns, 3U);
}

TEST_F(Batches, WidestColumnsNeverCut) {
  const BatchOptions options{
      .rows = 1, .columns = ~std::size_t{0}, .layout = BatchLayout::documents};
  expect_same(BatchSampler(file({3}), options).batch(0), {1, 2, {0, 1}, {1, 2}});
  expect_same(SequentialWindows(file({1, 3}), options).batch(0), {1, 2, {1, 2}, {2, 3}});
  const BatchOptions stream{.rows = 1, .columns = ~std::size_t{0}};
  EXPECT_THROW(BatchSampler(file({3}), stream), InvalidArgument);
  EXPECT_THROW(SequentialWindows(file({3}), stream), InvalidArgument);
}

TEST_F(Batches, PromptsAreReadOnly) {
  // The second document's completion begins behind the fourth token: nothing to learn.
  Parts parts = counting_parts({5, 6});
  parts.is_target = {{0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1}};
  const BatchSampler sampler(file(parts),
                             {.rows = 1, .columns = 3, .layout = BatchLayout::documents});
  ASSERT_EQ(sampler.batches_per_epoch(), 1U);
  EXPECT_EQ(sampler.batch(0).inputs, (Numbers{0, 1, 2}));
  EXPECT_EQ(sampler.batch(0).targets, (Numbers{kNone, kNone, 3}));
}

TEST_F(Batches, EveryDocumentComesOnceAnEpoch) {
  std::vector<std::size_t> lengths;
  for (std::size_t i = 0; i < 700; ++i) {
    lengths.push_back(2 + i * 37 % 50);
  }
  // Two pools: 64 batches of 5 documents, and 76 batches of all but the first.
  const BatchSampler sampler(file(lengths),
                             {.rows = 5, .columns = 64, .layout = BatchLayout::documents});
  ASSERT_EQ(sampler.batches_per_epoch(), 140U);
  for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
    const std::map<std::int32_t, int> times = documents_of(sampler, epoch);
    EXPECT_EQ(times.size(), 700U);
    EXPECT_TRUE(std::ranges::all_of(times, [](const auto& entry) { return entry.second == 1; }));
  }
}

TEST_F(Batches, LastBatchIsFilledWithDocumentsOfTheEpoch) {
  const BatchSampler sampler(file({2, 3, 4, 5, 6}),
                             {.rows = 3, .columns = 8, .layout = BatchLayout::documents});
  ASSERT_EQ(sampler.batches_per_epoch(), 2U);
  const std::map<std::int32_t, int> times = documents_of(sampler, 7);
  EXPECT_EQ(times.size(), 5U);
  int rows = 0;
  for (const auto& entry : times) {
    rows += entry.second;
  }
  EXPECT_EQ(rows, 6);
  // Fewer documents than rows: all of them, again and again.
  const BatchSampler few(file({2, 3}), {.rows = 5, .columns = 8, .layout = BatchLayout::documents});
  EXPECT_EQ(few.batch(3).rows, 5U);
  EXPECT_EQ(documents_of(few, 0).size(), 2U);
}

TEST_F(Batches, DocumentsOfSimilarLengthSharePadding) {
  std::vector<std::size_t> lengths;
  for (std::size_t i = 0; i < 1000; ++i) {
    lengths.push_back(2 + i * 37 % 200);
  }
  const BatchSampler sampler(file(lengths),
                             {.rows = 8, .columns = 256, .layout = BatchLayout::documents});
  std::size_t places = 0;
  std::size_t padded = 0;
  std::vector<std::size_t> widths;
  for (std::uint64_t i = 0; i < sampler.batches_per_epoch(); ++i) {
    const Batch batch = sampler.batch(i);
    places += batch.targets.size();
    padded += static_cast<std::size_t>(std::ranges::count(batch.targets, kNone));
    widths.push_back(batch.columns);
  }
  // Eight lengths drawn from 1 .. 200 waste 44 %: their longest is 8/9 of 200, their mean a half.
  EXPECT_LT(padded, places / 20);
  EXPECT_FALSE(std::ranges::is_sorted(widths));
}

TEST_F(Batches, ImpossibleOnesAreRefused) {
  const TokenFile tokens = file({3, 3});
  for (const BatchLayout layout : {BatchLayout::stream, BatchLayout::documents}) {
    EXPECT_THROW(BatchSampler(tokens, {.rows = 0, .layout = layout}), InvalidArgument);
    EXPECT_THROW(BatchSampler(tokens, {.columns = 0, .layout = layout}), InvalidArgument);
    EXPECT_THROW(SequentialWindows(tokens, {.rows = 0, .layout = layout}), InvalidArgument);
    EXPECT_THROW(SequentialWindows(tokens, {.columns = 0, .layout = layout}), InvalidArgument);
  }
  EXPECT_THROW(BatchSampler(tokens, {.columns = 6}), InvalidArgument);
  EXPECT_NO_THROW(BatchSampler(tokens, {.columns = 5}));
  EXPECT_THROW(SequentialWindows(tokens, {.columns = 7}), InvalidArgument);
  EXPECT_THROW(SequentialWindows(tokens, {.columns = 1}), InvalidArgument);
  const TokenFile alone = file({1, 1});
  EXPECT_THROW(BatchSampler(alone, {.columns = 4, .layout = BatchLayout::documents}),
               InvalidArgument);
  EXPECT_THROW(SequentialWindows(alone, {.columns = 4, .layout = BatchLayout::documents}),
               InvalidArgument);
  EXPECT_THROW(SequentialWindows(tokens, {.columns = 2}).batch(1), InvalidArgument);
}

TEST_F(Batches, SequentialStreamIsThatOfPerplexity) {
  const SequentialWindows windows(file({4, 7}), {.rows = 2, .columns = 3});
  ASSERT_EQ(windows.batches(), 2U);
  expect_same(windows.batch(0), {2, 2, {0, 1, 3, 4}, {1, 2, 4, 5}});
  expect_same(windows.batch(1), {1, 2, {6, 7}, {7, 8}});  // 9 and 10 fill no window
}

TEST_F(Batches, SequentialDocumentsPredictEveryTokenButTheFirst) {
  const SequentialWindows windows(file({4, 1, 6}),
                                  {.rows = 3, .columns = 3, .layout = BatchLayout::documents});
  ASSERT_EQ(windows.batches(), 1U);
  expect_same(windows.batch(0),
              {3, 3, {0, 1, 2, 5, 6, 7, 8, 9, 0}, {1, 2, 3, 6, 7, 8, 9, 10, kNone}});
}

TEST_F(Batches, SequentialDocumentsSkipWindowsOfPromptsAlone) {
  Parts parts = counting_parts({6});
  parts.is_target = {{0, 0, 0, 0, 1, 1}};
  const SequentialWindows windows(file(parts),
                                  {.rows = 8, .columns = 2, .layout = BatchLayout::documents});
  ASSERT_EQ(windows.batches(), 1U);
  expect_same(windows.batch(0), {2, 2, {2, 3, 4, 0}, {kNone, 4, 5, kNone}});
}

}  // namespace
}  // namespace bitnet::train::test
