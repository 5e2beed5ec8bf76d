// SPDX-License-Identifier: MIT
// Unicode's canonical composition.
#pragma once

#include <string>
#include <string_view>

namespace bitnet {

/// Normalization form C (Unicode standard annex 15). `text` is UTF-8.
std::string to_nfc(std::string_view text);

}  // namespace bitnet
