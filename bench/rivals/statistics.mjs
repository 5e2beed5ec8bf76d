// SPDX-License-Identifier: MIT
// Which rounds count, and what they say together.

/** Quantile of sorted numbers by linear interpolation. */
function quantile(sorted, q) {
  const position = q * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (position - below);
}

/** {median, p10, p90} of one number or more. */
export function spread_of(values) {
  const sorted = Float64Array.from(values).sort();
  return {median: quantile(sorted, 0.5), p10: quantile(sorted, 0.1), p90: quantile(sorted, 0.9)};
}

const kMostSteal = 0.01;
const kMostClockDeviation = 0.05;
const kMostDropped = 1 / 3;
/** The barrier of far cores takes several times that of near ones; noise stays below this factor. */
const kPlacementGap = 2;

/**
 * The rounds with `dropped`: why a round does not count, or null. Its machine gave time to others, or its clock
 * was not the one of most rounds.
 */
export function judge(rounds) {
  const usual = spread_of(rounds.map((round) => round.probes.core_ghz)).median;
  const reason = ({steal, probes: {core_ghz}}) => {
    if (steal > kMostSteal) return `steal ${(100 * steal).toFixed(1)} %`;
    if (Math.abs(core_ghz / usual - 1) > kMostClockDeviation) {
      return `clock ${core_ghz.toFixed(2)} GHz, median ${usual.toFixed(2)}`;
    }
    return null;
  };
  return rounds.map((round) => ({...round, dropped: reason(round)}));
}

/** The rounds of each test and number of threads, in the order of their first ones. */
export function by_case(rounds) {
  const cases = new Map();
  for (const round of rounds) {
    const name = `${round.test}, threads ${round.threads}`;
    if (!cases.has(name)) cases.set(name, []);
    cases.get(name).push(round);
  }
  return [...cases.values()];
}

/** The cases that lost more than a third of their rounds, in words: from such a run nothing follows. */
export function void_cases(judged) {
  return by_case(judged).flatMap((rounds) => {
    const dropped = rounds.filter((round) => round.dropped).length;
    if (dropped <= kMostDropped * rounds.length) return [];
    const [{test, threads}] = rounds;
    return [`${test}, threads ${threads}: ${dropped} of ${rounds.length} rounds`];
  });
}

/**
 * Virtual machines move their cores nearer to and farther from each other, which changes barriers and bandwidth
 * together. The rounds by placement: [{placement, rounds}], split at the widest gap of region_us, if there is one.
 */
export function by_placement(rounds) {
  const sorted = rounds.map((round) => round.probes.region_us).sort((a, b) => a - b);
  let [gap, limit] = [kPlacementGap, Infinity];
  for (let i = 1; i < sorted.length; ++i) {
    if (sorted[i] > gap * sorted[i - 1]) [gap, limit] = [sorted[i] / sorted[i - 1], sorted[i]];
  }
  if (limit === Infinity) return [{placement: 'one', rounds}];
  return [
    {placement: 'near', rounds: rounds.filter((round) => round.probes.region_us < limit)},
    {placement: 'far', rounds: rounds.filter((round) => round.probes.region_us >= limit)},
  ];
}
