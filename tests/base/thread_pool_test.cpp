// SPDX-License-Identifier: MIT
// ThreadPool: every index once, whoever calls. Oracle: one counter per index.
#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

namespace bitnet {
namespace {

/// Counts calls per index.
class Tally {
 public:
  explicit Tally(std::size_t n) : counts_(n) {}
  void add(std::size_t i) { counts_[i].fetch_add(1, std::memory_order_relaxed); }
  bool each_is(int expected) const {
    return std::all_of(counts_.begin(), counts_.end(),
                       [&](const std::atomic<int>& count) { return count.load() == expected; });
  }

 private:
  std::vector<std::atomic<int>> counts_;
};

class ThreadPoolTest : public testing::TestWithParam<int> {};

TEST_P(ThreadPoolTest, CallsEachIndexOnce) {
  ThreadPool pool(GetParam());
  EXPECT_EQ(pool.threads(), GetParam());
  for (const std::size_t count : {1, 2, 3, 4, 5, 17, 1000}) {
    Tally tally(count);
    pool.parallel_for(count, [&](std::size_t i) { tally.add(i); });
    EXPECT_TRUE(tally.each_is(1)) << count;
  }
}

TEST_P(ThreadPoolTest, RunsCallEachIndexOnceAndNeighboursOnOneThread) {
  ThreadPool pool(GetParam());
  for (const std::size_t count : {0, 1, 7, 8, 9, 15, 16, 17, 33, 1000}) {
    Tally tally(count);
    std::vector<std::thread::id> threads(count);
    pool.parallel_for_runs(count, [&](std::size_t i) {
      tally.add(i);
      threads[i] = std::this_thread::get_id();
    });
    EXPECT_TRUE(tally.each_is(1)) << count;
    std::size_t changes = 0;
    for (std::size_t i = 1; i < count; ++i) changes += threads[i] != threads[i - 1] ? 1 : 0;
    EXPECT_LT(changes, 8U * static_cast<std::size_t>(GetParam())) << count;
  }
}

TEST_P(ThreadPoolTest, AnEmptyRegionCallsNothing) {
  ThreadPool pool(GetParam());
  std::atomic<int> calls = 0;
  pool.parallel_for(0, [&](std::size_t) { ++calls; });
  EXPECT_EQ(calls, 0);
}

TEST_P(ThreadPoolTest, ResultsAreVisibleAfterEachOfManyRegions) {
  ThreadPool pool(GetParam());
  std::vector<int> values(64);
  for (int region = 1; region <= 3000; ++region) {
    pool.parallel_for(values.size(), [&](std::size_t i) { values[i] += static_cast<int>(i); });
    // Plain ints: a lost or late write would show, and a race would be seen by a sanitizer.
    ASSERT_EQ(std::accumulate(values.begin(), values.end(), 0), region * (63 * 64 / 2));
  }
}

TEST_P(ThreadPoolTest, RegionsAfterASleepStillRun) {
  ThreadPool pool(GetParam());
  for (int region = 0; region < 5; ++region) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // beyond the workers' spinning
    Tally tally(100);
    pool.parallel_for(100, [&](std::size_t i) { tally.add(i); });
    EXPECT_TRUE(tally.each_is(1));
  }
}

TEST_P(ThreadPoolTest, NestedRegionsRunToTheirEnd) {
  ThreadPool pool(GetParam());
  Tally tally(20 * 30);
  pool.parallel_for(20, [&](std::size_t outer) {
    pool.parallel_for(30, [&](std::size_t inner) { tally.add(outer * 30 + inner); });
  });
  EXPECT_TRUE(tally.each_is(1));
}

TEST_P(ThreadPoolTest, ConcurrentCallersShareThePool) {
  ThreadPool pool(GetParam());
  constexpr int kRegions = 300;
  std::vector<std::thread> callers;
  std::vector<Tally> tallies;
  for (int caller = 0; caller < 3; ++caller) {
    tallies.emplace_back(40);
  }
  for (Tally& tally : tallies) {
    callers.emplace_back([&] {
      for (int region = 0; region < kRegions; ++region) {
        pool.parallel_for(40, [&](std::size_t i) { tally.add(i); });
      }
    });
  }
  for (std::thread& caller : callers) {
    caller.join();
  }
  for (const Tally& tally : tallies) {
    EXPECT_TRUE(tally.each_is(kRegions));
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolTest, testing::Values(1, 2, 3, 4));

}  // namespace
}  // namespace bitnet
