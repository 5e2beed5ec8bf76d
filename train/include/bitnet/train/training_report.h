// SPDX-License-Identifier: MIT
// How a training goes as one HTML page, from the lines that `bitnet train` appends to
// metrics.jsonl.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace bitnet::train {

/// Each line of `metrics_jsonl` is an object whose "event" is "start", "step", "evaluation",
/// "sample", "checkpoint" or "finish". A "start" that resumes a step drops what was logged beyond
/// it; of several lines about one step the last counts. A last line without its end is one being
/// written and ignored; other lines that cannot be read are counted on the page. Until a "finish"
/// stands at the end, the page reloads itself.
std::string training_report(std::string_view metrics_jsonl, std::string_view title);

/// The page of a file, under the name of its folder. It appears complete or not at all. IoError.
void write_training_report(const std::filesystem::path& metrics, const std::filesystem::path& html);

}  // namespace bitnet::train
