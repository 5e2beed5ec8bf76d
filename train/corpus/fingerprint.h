// SPDX-License-Identifier: MIT
// Fingerprints tell a token file that is out of date. They do not withstand malice.
#pragma once

#include <bitnet/tokenizer.h>

#include <filesystem>
#include <string>
#include <vector>

namespace bitnet::train {

/// Of what it makes of texts: its tokens, special ids, and a text encoded. Changes with the way
/// documents become tokens, too.
std::string fingerprint(const Tokenizer& tokenizer);

/// Of paths, sizes and times of change. IoError.
std::string fingerprint(const std::vector<std::filesystem::path>& files);

}  // namespace bitnet::train
