// SPDX-License-Identifier: MIT
// Ctrl-C ends what is being generated, not the program.
#pragma once

#include <atomic>

namespace bitnet::cli {

/// While an object lives, SIGINT sets a flag; a second one before the flag was cleared kills, as
/// usual. One object at a time.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  const std::atomic<bool>& requested() const;
  void clear();
};

}  // namespace bitnet::cli
