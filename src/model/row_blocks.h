// SPDX-License-Identifier: MIT
// A matrix in blocks of rows, and the rows of a block on all threads.
#pragma once

#include <bitnet/runtime.h>

#include <cstddef>
#include <functional>

namespace bitnet {

/// Calls body(first, count) over [0, rows) in blocks that hold about a million numbers: enough work
/// for every thread, little memory.
void for_each_row_block(std::size_t rows, std::size_t columns,
                        const std::function<void(std::size_t first, std::size_t count)>& body);

/// Calls body(i) for each i below count, on all threads of the runtime; then rethrows what the
/// lowest i threw, so that an error does not depend on the number of threads.
void parallel_rows(const Runtime& runtime, std::size_t count,
                   const std::function<void(std::size_t)>& body);

}  // namespace bitnet
