// SPDX-License-Identifier: MIT
// How often this program has called operator new, on any thread.
#pragma once

#include <cstddef>

namespace bitnet {

std::size_t allocation_count();

}  // namespace bitnet
