// SPDX-License-Identifier: MIT
// Which of three layouts the I2_S matrices of a file have: nothing in the file says it.
#pragma once

#include <bitnet/checkpoint.h>
#include <bitnet/runtime.h>

#include <optional>
#include <string>
#include <vector>

#include "model/model_source.h"

namespace bitnet {

// The three layouts hold the same codes at other places, so each byte is plausible in all of them.
// What tells them apart is the norm in front of a matrix: columns whose inputs are amplified by a
// large gain have another density of zeros than the rest, in every trained model. Read in the right
// layout, the densities follow the gains; read in another, columns are shuffled and they do not.

/// How far the columns of a file's I2_S matrices follow the gains in front of them, per layout.
struct I2sEvidence {
  Encoding layout;
  double score;  ///< mean of columns * r², r Spearman's correlation; about 1 without any relation
};

/// Best first; empty when no I2_S matrix has a norm in front of it. Reads up to some dozen
/// matrices, spread over the layers.
std::vector<I2sEvidence> weigh_i2s_layouts(const std::vector<SourceWeight>& weights,
                                           const Runtime& runtime);

/// Gives the I2_S weights the layout `wanted`, else the one that the evidence is clearly for, else
/// i2_s, the layout of the official file; a note says so unless that one was certain.
void settle_i2s_layout(std::vector<SourceWeight>& weights, const std::optional<Encoding>& wanted,
                       const Runtime& runtime, std::vector<std::string>& notes);

}  // namespace bitnet
