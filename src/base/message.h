// SPDX-License-Identifier: MIT
// Error texts from parts: message("expected ", n, " bytes, found ", m).
#pragma once

#include <sstream>
#include <string>

namespace bitnet {

template <class... Parts>
std::string message(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  return std::move(text).str();
}

}  // namespace bitnet
