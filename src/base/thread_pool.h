// SPDX-License-Identifier: MIT
// A pool of threads that spin briefly, then sleep: a parallel region costs well under a microsecond
// while regions follow each other, and nothing while the program idles.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <vector>

namespace bitnet {

class ThreadPool {
 public:
  /// `threads` counts the caller of parallel_for; at least 1.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls body(i) once for each i in [0, count), on any thread, in any order; returns when all are
  /// done. body must not throw. A nested or concurrent call runs on its caller's thread alone.
  template <class Body>
  void parallel_for(std::size_t count, const Body& body) {
    run(count, {[](const void* context, std::size_t i) { (*static_cast<const Body*>(context))(i); },
                &body});
  }

  /// The same for many short bodies: runs of neighbours, which may share cache lines, stay on one
  /// thread.
  template <class Body>
  void parallel_for_runs(std::size_t count, const Body& body) {
    constexpr std::size_t kRunsPerThread = 8;
    const std::size_t runs = kRunsPerThread * (workers_.size() + 1);
    const std::size_t length = std::max<std::size_t>(1, (count + runs - 1) / runs);
    parallel_for((count + length - 1) / length, [&](std::size_t run) {
      for (std::size_t i = run * length; i < std::min(count, (run + 1) * length); ++i) {
        body(i);
      }
    });
  }

 private:
  struct Task {
    void (*call)(const void* context, std::size_t index);
    const void* context;
  };

  void run(std::size_t count, Task task);
  void work(std::size_t count, Task task);
  void worker_loop();

  std::vector<std::thread> workers_;
  std::atomic_flag in_region_;  // set while some caller's region runs
  // Written by the region's caller before `epoch_` advances, read by workers after.
  Task task_{};
  std::size_t count_ = 0;
  bool stopping_ = false;
  alignas(64) std::atomic<std::uint32_t> epoch_{0};  // one more per region
  alignas(64) std::atomic<std::size_t> next_{0};     // next index to hand out
  alignas(64) std::atomic<std::uint32_t> busy_{0};   // workers still inside the region
};

}  // namespace bitnet
