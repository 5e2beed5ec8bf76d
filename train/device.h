// SPDX-License-Identifier: MIT
#pragma once

#include <bitnet/train/trainer.h>

namespace bitnet::train {

/// Moves the model to options.device and sets its precision. InvalidArgument for a device that this
/// machine or libtorch lacks.
void place(TransformerImpl& model, const TrainingOptions& options);

}  // namespace bitnet::train
