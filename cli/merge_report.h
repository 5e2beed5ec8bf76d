// SPDX-License-Identifier: MIT
// What `bitnet merge` says about the adapters' way into ternary weights.
#pragma once

#include <bitnet/convert_checkpoint.h>

#include <iosfwd>
#include <nlohmann/json_fwd.hpp>

namespace bitnet::cli {

/// A line for each matrix, and one for all of them; nothing where no adapter was merged.
void print_merge_losses(const ConversionReport& report, std::ostream& out);

nlohmann::ordered_json merge_loss_json(const MergeLoss& loss);
MergeLoss total_merge_loss(const ConversionReport& report);

}  // namespace bitnet::cli
