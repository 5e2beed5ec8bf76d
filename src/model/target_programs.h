// SPDX-License-Identifier: MIT
// Which other programs load what we write, and what they make of it (docs/formats.md).
#pragma once

#include <bitnet/convert_checkpoint.h>

#include <vector>

#include "model/conversion_plan.h"
#include "model/model_source.h"

namespace bitnet {

/// One line per program that reads the output's format.
std::vector<LoaderAdvice> judge_loaders(const ModelSource& source, const ConversionPlan& plan);

}  // namespace bitnet
