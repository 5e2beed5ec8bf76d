// SPDX-License-Identifier: MIT
#include "base/thread_pool.h"

#include <chrono>

namespace bitnet {
namespace {

// Long enough to bridge the serial work between two layers, short enough that an idle pool, or one
// on a busy machine, soon gives its cores back.
constexpr std::chrono::microseconds kSpinTime{50};

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Spins, then sleeps, until `value` differs from `old`.
void wait_while_equal(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
  const auto deadline = std::chrono::steady_clock::now() + kSpinTime;
  do {
    for (int i = 0; i < 64; ++i) {
      if (value.load(std::memory_order_acquire) != old) {
        return;
      }
      pause_briefly();
    }
  } while (std::chrono::steady_clock::now() < deadline);
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  workers_.reserve(static_cast<std::size_t>(threads - 1));
  for (int i = 1; i < threads; ++i) {
    workers_.emplace_back([this] { worker_loop(); });
  }
}

ThreadPool::~ThreadPool() {
  stopping_ = true;
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  for (std::thread& worker : workers_) {
    worker.join();
  }
}

void ThreadPool::run(std::size_t count, Task task) {
  // A flag rather than a mutex: a nested call comes from the thread that set it.
  if (workers_.empty() || count <= 1 || in_region_.test_and_set(std::memory_order_acquire)) {
    for (std::size_t i = 0; i < count; ++i) {
      task.call(task.context, i);
    }
    return;
  }
  task_ = task;
  count_ = count;
  next_.store(0, std::memory_order_relaxed);
  busy_.store(static_cast<std::uint32_t>(workers_.size()), std::memory_order_relaxed);
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  work(count, task);
  for (std::uint32_t busy = busy_.load(std::memory_order_acquire); busy != 0;
       busy = busy_.load(std::memory_order_acquire)) {
    wait_while_equal(busy_, busy);
  }
  in_region_.clear(std::memory_order_release);
}

void ThreadPool::work(std::size_t count, Task task) {
  for (std::size_t i = next_.fetch_add(1, std::memory_order_relaxed); i < count;
       i = next_.fetch_add(1, std::memory_order_relaxed)) {
    task.call(task.context, i);
  }
}

void ThreadPool::worker_loop() {
  // Each region waits for every worker, so a worker never misses an epoch.
  for (std::uint32_t seen = 0;; ++seen) {
    wait_while_equal(epoch_, seen);
    if (stopping_) {
      return;
    }
    work(count_, task_);
    if (busy_.fetch_sub(1, std::memory_order_release) == 1) {
      busy_.notify_all();
    }
  }
}

}  // namespace bitnet
