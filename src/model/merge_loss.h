// SPDX-License-Identifier: MIT
// What ternarizing a matrix with adapters merged into it keeps of them.
#pragma once

#include <bitnet/convert_checkpoint.h>
#include <bitnet/runtime.h>

#include "model/model_source.h"

namespace bitnet {

/// Throws what open_projection throws.
MergeLoss measure_merge(const ModelSource& source, const SourceWeight& weight,
                        const Runtime& runtime);

}  // namespace bitnet
