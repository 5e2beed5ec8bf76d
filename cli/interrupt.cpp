// SPDX-License-Identifier: MIT
#include "interrupt.h"

#include <csignal>

namespace bitnet::cli {
namespace {

std::atomic<bool> requested_flag{false};  // a signal handler can reach nothing else
static_assert(std::atomic<bool>::is_always_lock_free);

void on_interrupt(int signal) {
  if (requested_flag.exchange(true)) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
}

}  // namespace

Interrupt::Interrupt() {
  clear();
  struct sigaction action {};
  action.sa_handler = on_interrupt;  // without SA_RESTART: a read of a line ends, too
  sigaction(SIGINT, &action, nullptr);
}

Interrupt::~Interrupt() { std::signal(SIGINT, SIG_DFL); }

const std::atomic<bool>& Interrupt::requested() const { return requested_flag; }
void Interrupt::clear() { requested_flag.store(false); }

}  // namespace bitnet::cli
