// SPDX-License-Identifier: MIT
// Measuring a contest in strict rotation, A B C A B C: what a shared machine does to one contender
// it does to its neighbours in the same round, so ratios hold still where absolute rates drift.
#pragma once

#include <cstddef>
#include <vector>

#include "contest.h"

namespace bitnet::bench {

/// One turn of every contender, and what the machine was like.
struct Round {
  double core_ghz;            ///< by a chain of dependent additions
  double region_us;           ///< an empty parallel region: how near the cores are to each other
  std::vector<double> rates;  ///< contest.ours, then contest.references; in the contest's unit
};

/// Each turn lasts at least `seconds`. One turn of each before the first round is not counted.
std::vector<Round> run_rounds(const Contest& contest, std::size_t rounds, double seconds);

struct Spread {
  double median, p10, p90;
};
/// Quantiles by linear interpolation. values is not empty.
Spread spread_of(std::vector<double> values);

}  // namespace bitnet::bench
