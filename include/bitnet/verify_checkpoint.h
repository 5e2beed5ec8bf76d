// SPDX-License-Identifier: MIT
// Whether a checkpoint can be trusted: codes, scales, numbers and the metadata that loaders need.
#pragma once

#include <bitnet/checkpoint.h>
#include <bitnet/runtime.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace bitnet {

enum class Severity {
  note,     ///< worth knowing
  warning,  ///< some program will misread it, or a number is implausible
  error,    ///< the model cannot be what its file says
};
std::string_view to_string(Severity severity);

struct Finding {
  Severity severity;
  std::string check;    ///< stable name of what was looked at: "code-3", "missing-pre"
  std::string subject;  ///< tensor, key or file
  std::string message;  ///< what was expected, what was found, and what to do
};

struct Verification {
  std::vector<Finding> findings;   ///< in the order of the file
  std::size_t tensors = 0;         ///< whose numbers were all looked at
  std::size_t unread_tensors = 0;  ///< of types that cannot be decoded

  bool has(Severity at_least) const;
};

/// Reads every number of the checkpoint. What open_checkpoint has refused already is not repeated;
/// everything else becomes a finding, never an exception.
Verification verify_checkpoint(const Checkpoint& checkpoint,
                               const Runtime& runtime = Runtime::serial());

}  // namespace bitnet
