// SPDX-License-Identifier: MIT
// Both quantized types as safetensors bytes: readable by any safetensors library, versioned by the
// metadata key "bitnet.version". Layouts: docs/formats/safetensors.md.
#pragma once

#include <bitnet/quantize.h>
#include <bitnet/ternary_weight.h>

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

namespace bitnet {

std::vector<std::byte> to_bytes(const TernaryWeight& weight);
std::vector<std::byte> to_bytes(const QuantizedActivations& activations);

/// Throw FormatError (or TernaryError, QuantizationError for bad codes and scales) on anything that
/// describes no such value; never crash, never allocate more than the bytes justify.
TernaryWeight ternary_weight_from_bytes(std::span<const std::byte> bytes);
QuantizedActivations quantized_activations_from_bytes(std::span<const std::byte> bytes);

/// Written beside, synced, renamed. IoError when the system refuses.
void save(const TernaryWeight& weight, const std::filesystem::path& path);
void save(const QuantizedActivations& activations, const std::filesystem::path& path);
TernaryWeight load_ternary_weight(const std::filesystem::path& path);
QuantizedActivations load_quantized_activations(const std::filesystem::path& path);

}  // namespace bitnet
