// SPDX-License-Identifier: MIT
// Oracle: the order of calls and the parsed numbers, written down by hand.
import assert from 'node:assert/strict';
import {test} from 'node:test';

import {all_cases, run_contest} from '../../bench/rivals/contest.mjs';
import {allowed_cpus, busy_times} from '../../bench/rivals/machine.mjs';
import {parse_options} from '../../bench/rivals/options.mjs';

test('contenders take turns within a round, cases within a round of the run', () => {
  const calls = [];
  const contender = (name) => ({name, turn: ({test, threads}) => {
    calls.push(`${name} ${test}/${threads}`);
    return {tokens_per_s: calls.length};
  }});
  const times = [{steal: 5, total: 100}, {steal: 7, total: 300}];
  const machine = {
    probe: () => {
      calls.push('probe');
      return {core_ghz: 3};
    },
    busy_times: () => {
      times.push(times[0]);
      return times.shift();
    },
  };
  const seen = [];
  const rounds = run_contest({
    cases: all_cases({pp: [512], tg: [128], threads: [2]}), contenders: [contender('A'), contender('B'), contender('C')],
    machine, count: 2, on_round: ({round, test}, so_far) => seen.push([round, test, so_far.length]),
  });
  const one_round = ['probe', 'A pp512/2', 'B pp512/2', 'C pp512/2', 'probe', 'A tg128/2', 'B tg128/2', 'C tg128/2'];
  assert.deepEqual(calls, [...one_round, ...one_round]);
  assert.deepEqual(seen, [[1, 'pp512', 1], [1, 'tg128', 2], [2, 'pp512', 3], [2, 'tg128', 4]]);
  assert.deepEqual(rounds[1], {
    round: 1, test: 'tg128', threads: 2, probes: {core_ghz: 3}, steal: 0.01,
    turns: {A: {tokens_per_s: 6}, B: {tokens_per_s: 7}, C: {tokens_per_s: 8}},
  });
});

test('steal and total time of /proc/stat', () => {
  const text = 'cpu  100 20 30 1000 40 5 6 7 50 9\ncpu0 1 2 3 4 5 6 7 8 9 10\nintr 5\n';
  assert.deepEqual(busy_times(text), {steal: 7, total: 1208});
});

test('lists of CPUs', () => {
  assert.deepEqual(allowed_cpus('Name:\tx\nCpus_allowed:\tb3\nCpus_allowed_list:\t0-1,4,8-10\n'), [0, 1, 4, 8, 9, 10]);
});

test('options: defaults, lists, and what makes no sense', () => {
  const {pp, tg, threads, cpus, rounds} = parse_options([], [0, 1, 2, 3]);
  assert.deepEqual({pp, tg, threads, cpus, rounds},
    {pp: [512], tg: [128], threads: [1, 4], cpus: [0, 1, 2, 3], rounds: 11});
  assert.deepEqual(parse_options(['--pp', '0', '--threads', '2'], [0, 1]).pp, []);
  assert.throws(() => parse_options(['--threads', '3'], [0, 1]), /--threads: expected at most 2, one per CPU, found 3/);
  assert.throws(() => parse_options(['--tg', '1.5'], [0]), /--tg: expected whole numbers from 0, found '1.5'/);
  assert.throws(() => parse_options(['--pp', '0', '--tg', '0'], [0]), /expected a test/);
  assert.throws(() => parse_options(['--rounds', '0'], [0]), /--rounds: expected whole numbers from 1/);
  assert.throws(() => parse_options(['--round', '3'], [0]), /--round/);
});
