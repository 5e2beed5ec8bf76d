// SPDX-License-Identifier: MIT
// Merges that a ranking of tokens implies, and scores that merges imply.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tokenizer/tokenizer_data.h"

namespace bitnet {

/// For each of `ranked` (best first), all ways to cut it between characters into two tokens of
/// `ranked`, as "left right" by ascending ids. A merge by rank of pairs then picks what a merge by
/// rank of the result would pick. FormatError naming `where` for a token beyond
/// kMaxSplitTokenBytes.
std::vector<std::string> merges_of_ranking(const std::vector<std::string>& tokens,
                                           std::span<const TokenId> ranked,
                                           const std::string& where);

/// SentencePiece's merges: normal tokens ranked by falling score, ties by id.
std::vector<std::string> merges_of_scores(const TokenizerData& data, const std::string& where);

/// Scores tokens behind data.scores as llama.cpp's converter scores added tokens and fillers.
void score_appended_tokens(TokenizerData& data);

/// Gives a SentencePiece tokenizer that has merges the scores under which the best pair is the one
/// of the lowest rank, and clears the merges where they follow from the scores.
void scores_from_merges(TokenizerData& data, const std::string& where);

}  // namespace bitnet
