// SPDX-License-Identifier: MIT
// Ratios of ours to each opponent, always within one round.
import {by_case, by_placement, spread_of} from './statistics.mjs';

/** What ours is compared with: {opponent, unit, ours(round), theirs(round)}. */
function opponents({turns, test}, our_name) {
  const rivals = Object.keys(turns).filter((name) => name !== our_name).map((name) => ({
    opponent: name, unit: 'tokens/s',
    ours: (round) => round.turns[our_name].tokens_per_s,
    theirs: (round) => round.turns[name].tokens_per_s,
  }));
  // Generation reads all weights for every token: memory sets its limit.
  const limit = {
    opponent: 'memory reads', unit: 'GB/s',
    ours: (round) => round.turns[our_name].weight_gb_per_s,
    theirs: (round) => round.probes.read_gb_per_s,
  };
  return test.startsWith('tg') ? [...rivals, limit] : rivals;
}

function compare(rounds, {opponent, unit, ours, theirs}) {
  return {
    opponent, unit, ours: spread_of(rounds.map(ours)), theirs: spread_of(rounds.map(theirs)),
    ratio: spread_of(rounds.map((round) => ours(round) / theirs(round))),
  };
}

/** The rows of the report: each case, in each placement of the cores, against each opponent. */
export function all_comparisons(judged, our_name) {
  const kept = judged.filter((round) => !round.dropped);
  return by_placement(kept).flatMap(({placement, rounds}) => {
    return by_case(rounds).flatMap((of_case) => opponents(of_case[0], our_name).map((opponent) => ({
      test: of_case[0].test, threads: of_case[0].threads, placement, rounds: of_case.length,
      ...compare(of_case, opponent),
    })));
  });
}
