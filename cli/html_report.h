// SPDX-License-Identifier: MIT
// What `bitnet inspect` knows of a checkpoint as one page: no other file, no network, readable
// without scripts.
#pragma once

#include <bitnet/checkpoint.h>
#include <bitnet/inspect_checkpoint.h>

#include <string>
#include <vector>

namespace bitnet::cli {

/// `tensors` were inspected with histograms.
std::string html_report(const Checkpoint& checkpoint, const std::vector<TensorInspection>& tensors);

/// "GGUF", "safetensors"
std::string format_name(Checkpoint::Format format);

}  // namespace bitnet::cli
