// SPDX-License-Identifier: MIT
// Strict rotation: what a shared machine does to one contender it does to its neighbours of the same round.

/** Every test with every number of threads: [{test: 'pp512', prompt: 512, generation: 0, threads: 1}, ...]. */
export function all_cases({pp, tg, threads}) {
  const tests = [
    ...pp.map((n) => ({test: `pp${n}`, prompt: n, generation: 0})),
    ...tg.map((n) => ({test: `tg${n}`, prompt: 0, generation: n})),
  ];
  return threads.flatMap((count) => tests.map((test) => ({...test, threads: count})));
}

/**
 * One round of one case: the probes, then each contender's turn, A B C.
 * machine: {probe(), busy_times()}; contender: {name, turn(case) -> {tokens_per_s, ...}}.
 */
function run_round(number, contest_case, contenders, machine) {
  const before = machine.busy_times();
  const probes = machine.probe();
  const turns = {};
  for (const contender of contenders) turns[contender.name] = contender.turn(contest_case);
  const after = machine.busy_times();
  return {
    round: number, test: contest_case.test, threads: contest_case.threads, probes,
    steal: (after.steal - before.steal) / Math.max(1, after.total - before.total), turns,
  };
}

/** Calls on_round(round, rounds so far) after each; every case has its turn before any has its next. */
export function run_contest({cases, contenders, machine, count, on_round}) {
  const rounds = [];
  for (let number = 1; number <= count; ++number) {
    for (const contest_case of cases) {
      rounds.push(run_round(number, contest_case, contenders, machine));
      on_round(rounds.at(-1), rounds);
    }
  }
  return rounds;
}
