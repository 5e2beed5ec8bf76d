// SPDX-License-Identifier: MIT
#include "model/row_blocks.h"

#include <algorithm>
#include <exception>
#include <vector>

#include "base/thread_pool.h"

namespace bitnet {

void for_each_row_block(std::size_t rows, std::size_t columns,
                        const std::function<void(std::size_t first, std::size_t count)>& body) {
  constexpr std::size_t kBlockNumbers = std::size_t{1} << 20;
  const std::size_t block = std::max<std::size_t>(1, kBlockNumbers / columns);
  for (std::size_t first = 0; first < rows; first += block) {
    body(first, std::min(block, rows - first));
  }
}

void parallel_rows(const Runtime& runtime, std::size_t count,
                   const std::function<void(std::size_t)>& body) {
  std::vector<std::exception_ptr> errors(count);
  runtime.pool().parallel_for(count, [&](std::size_t i) {
    try {
      body(i);
    } catch (...) {
      errors[i] = std::current_exception();
    }
  });
  for (const std::exception_ptr& error : errors) {
    if (error) {
      std::rethrow_exception(error);
    }
  }
}

}  // namespace bitnet
