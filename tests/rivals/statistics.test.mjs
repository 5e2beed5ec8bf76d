// SPDX-License-Identifier: MIT
// Oracle: values worked out by hand.
import assert from 'node:assert/strict';
import {test} from 'node:test';

import {all_comparisons} from '../../bench/rivals/comparisons.mjs';
import {by_placement, judge, spread_of, void_cases} from '../../bench/rivals/statistics.mjs';

/** A round of ours against one rival. */
const round = ({ours = 40, rival = 20, weights = 30, core_ghz = 3.5, region_us = 0.2, read = 40, steal = 0,
  test = 'tg128', threads = 2} = {}) => ({
  test, threads, steal, probes: {core_ghz, region_us, read_gb_per_s: read, threads: 2},
  turns: {bitnet: {tokens_per_s: ours, weight_gb_per_s: weights}, ik: {tokens_per_s: rival}},
});

test('quantiles lie between neighbours in proportion', () => {
  // Sorted 1 2 4 8: positions 1.5, 0.3 and 2.7.
  const {median, p10, p90} = spread_of([8, 1, 4, 2]);
  assert.equal(median, 3);
  assert.ok(Math.abs(p10 - 1.3) < 1e-12);
  assert.ok(Math.abs(p90 - 6.8) < 1e-12);
  // As numbers, not as text: 10 > 9.
  assert.equal(spread_of([10, 9, 100]).median, 10);
  assert.deepEqual(spread_of([7]), {median: 7, p10: 7, p90: 7});
});

test('a round with more than 1 % steal or a clock more than 5 % off is dropped', () => {
  const judged = judge([
    round(), round({steal: 0.01}), round({steal: 0.011}), round({core_ghz: 3.33}), round({core_ghz: 3.3}),
    round({core_ghz: 3.67}), round({core_ghz: 3.7}),
  ]);
  assert.deepEqual(judged.map(({dropped}) => dropped), [
    null, null, 'steal 1.1 %', null, 'clock 3.30 GHz, median 3.50', null, 'clock 3.70 GHz, median 3.50',
  ]);
});

test('a run is void when a case loses more than a third of its rounds', () => {
  const lost = round({steal: 0.5});
  assert.deepEqual(void_cases(judge([round(), round(), lost])), []);
  assert.deepEqual(void_cases(judge([round(), round(), round(), lost, lost])), ['tg128, threads 2: 2 of 5 rounds']);
  // 1 of 6 rounds in all, but the only one of its case.
  const other = round({test: 'pp512', threads: 1, steal: 0.5});
  assert.deepEqual(void_cases(judge([...Array(5).fill(round()), other])), ['pp512, threads 1: 1 of 1 rounds']);
});

test('rounds are told apart at the widest gap of the barrier time', () => {
  const of = (...times) => by_placement(times.map((region_us) => round({region_us})))
    .map(({placement, rounds}) => [placement, rounds.map(({probes}) => probes.region_us)]);
  assert.deepEqual(of(0.2, 0.9, 0.3, 1), [['near', [0.2, 0.3]], ['far', [0.9, 1]]]);
  assert.deepEqual(of(0.2, 0.3, 0.39), [['one', [0.2, 0.3, 0.39]]]);
  assert.deepEqual(of(0.1, 0.25, 0.9), [['near', [0.1, 0.25]], ['far', [0.9]]]);
  assert.deepEqual(of(0.1, 0.4, 0.9), [['near', [0.1]], ['far', [0.4, 0.9]]]);
});

test('ratios are those within a round', () => {
  // Ratios 1, 2, 4: their median is 2, while the medians of the speeds, 40 and 30, have the quotient 1.33.
  const rounds = judge([round({ours: 40, rival: 40}), round({ours: 60, rival: 30}), round({ours: 40, rival: 10})]);
  const [rival, memory, ...rest] = all_comparisons(rounds, 'bitnet');
  assert.equal(rest.length, 0);
  assert.deepEqual([rival.opponent, rival.rounds, rival.unit], ['ik', 3, 'tokens/s']);
  assert.deepEqual([rival.ours.median, rival.theirs.median, rival.ratio.median], [40, 30, 2]);
  assert.deepEqual([memory.opponent, memory.unit, memory.ratio.median], ['memory reads', 'GB/s', 0.75]);
});

test('dropped rounds enter no ratio, and cases stay apart', () => {
  const rows = all_comparisons(judge([
    round({test: 'pp512', ours: 100}), round(), round({test: 'pp512', ours: 120}),
    round({ours: 4000, steal: 0.2}), round({threads: 1, ours: 10}),
  ]), 'bitnet');
  assert.deepEqual(rows.map((row) => [row.test, row.threads, row.opponent, row.rounds, row.ratio.median]), [
    ['pp512', 2, 'ik', 2, 5.5], ['tg128', 2, 'ik', 1, 2], ['tg128', 2, 'memory reads', 1, 0.75],
    ['tg128', 1, 'ik', 1, 0.5], ['tg128', 1, 'memory reads', 1, 0.75],
  ]);
});
