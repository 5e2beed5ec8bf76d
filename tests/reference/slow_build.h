// SPDX-License-Identifier: MIT
// Where a token costs ten times as much: sanitizers and emulators.
#pragma once

namespace bitnet::reference {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__x86_64__)
inline constexpr bool kIsSlowBuild = true;
#else
inline constexpr bool kIsSlowBuild = false;
#endif

}  // namespace bitnet::reference
