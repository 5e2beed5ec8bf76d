#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// Compares bitnet with rival engines in strict rotation; --help says how.
import {existsSync, writeFileSync} from 'node:fs';

import {all_contenders} from './contenders.mjs';
import {all_cases, run_contest} from './contest.mjs';
import {check_correctness} from './correctness.mjs';
import {describe_machine, machine_of} from './machine.mjs';
import {kHelp, parse_options} from './options.mjs';
import {markdown} from './report.mjs';
import {judge, void_cases} from './statistics.mjs';

const kVoid = 2;

function probed_machine({cpus}, environment) {
  const program = environment.BITNET_PROBES ?? 'build/release/bitnet_bench_probes';
  if (!existsSync(program)) throw new Error(`BITNET_PROBES: expected a program, found none at ${program}`);
  // Every CPU, in every case: rounds are told apart by bandwidth and barrier between them.
  return machine_of(program, cpus, cpus.length);
}

function show_progress({round, test, threads, turns}, count) {
  const speeds = Object.entries(turns).map(([name, {tokens_per_s}]) => `${name} ${tokens_per_s.toFixed(2)}`);
  console.error(`${round}/${count} ${test}, threads ${threads}: ${speeds.join(', ')} tokens/s`);
}

function main(args, environment) {
  const options = parse_options(args);
  if (options.help) {
    process.stdout.write(kHelp);
    return 0;
  }
  const contenders = all_contenders(environment, options.cpus);
  const machine = probed_machine(options, environment);
  const run = {
    machine: describe_machine(options.cpus),
    command: ['node bench/rivals/rivals.mjs', ...args].join(' '),
    correctness: check_correctness(contenders),
    contenders: contenders.map(({name, version, program, model, model_bytes, flags}) =>
      ({name, version, program, model, model_bytes, flags})),
  };
  const save = (judged) => writeFileSync(options.json, `${JSON.stringify({...run, rounds: judged}, null, 1)}\n`);
  const rounds = run_contest({
    cases: all_cases(options), contenders, machine, count: options.rounds,
    on_round: (round, so_far) => {
      show_progress(round, options.rounds);
      save(judge(so_far));
    },
  });
  const judged = judge(rounds);
  const void_reasons = void_cases(judged);
  process.stdout.write(markdown({...run, judged, void_reasons}));
  return void_reasons.length === 0 ? 0 : kVoid;
}

try {
  process.exitCode = main(process.argv.slice(2), process.env);
} catch (error) {
  console.error(`rivals: error: ${error.message}`);
  process.exitCode = 1;
}
