// SPDX-License-Identifier: MIT
// Who competes: `bitnet bench`, and llama-bench programs that environment variables name.
import {existsSync, statSync} from 'node:fs';
import path from 'node:path';

import {parse_json, run_pinned, run_program} from './machine.mjs';

/** The settings that each project documents as its fastest on CPUs. */
const kBestFlags = new Map([['IK', '-fa 1 -rtr 1']]);
const kUsualFlags = '-fa 1';

/** Our name in every report. */
export const kOurs = 'bitnet';

const words = (text) => text.split(' ').filter((word) => word !== '');

function existing_file(variable, file) {
  if (!file) throw new Error(`${variable}: expected a path, found nothing`);
  if (!existsSync(file)) throw new Error(`${variable}: expected a file, found none at ${file}`);
  return path.resolve(file);
}

/** Of a file; a folder's models are told apart by name. */
const bytes_of = (model) => statSync(model).isFile() ? statSync(model).size : undefined;

function bitnet_speed(report, {test, threads}) {
  const row = report.tests?.find((row) => row.test === test && row.threads === threads);
  if (!row) {
    throw new Error(`bitnet bench: expected ${test} on ${threads} threads, found ${JSON.stringify(report)}`);
  }
  return {tokens_per_s: row.tokens_per_s, weight_gb_per_s: row.weight_gb_per_s,
    bytes_per_token: report.bytes_per_token, head_bytes: report.head_bytes};
}

function llama_bench_speed(program, rows, {prompt, generation, threads}) {
  const [row] = rows;
  const as_asked = rows.length === 1 && row.avg_ts > 0 && row.n_prompt === prompt && row.n_gen === generation &&
    row.n_threads === threads;
  if (!as_asked) {
    throw new Error(`${program}: expected the speed of pp${prompt} tg${generation} on ${threads} threads, ` +
      `found ${JSON.stringify(rows)}`);
  }
  return {tokens_per_s: row.avg_ts, model_type: row.model_type, model_size: row.model_size,
    build_commit: row.build_commit};
}

/** Arguments that both programs understand. Each warms up before it measures. */
const measure_once = (model, {prompt, generation, threads}) =>
  ['-m', model, '-p', prompt, '-n', generation, '-t', threads, '-r', 1, '-o', 'json'].map(String);

function ours(environment, cpus) {
  const program = existing_file('BITNET_PROGRAM', environment.BITNET_PROGRAM ?? 'build/release/bitnet');
  const model = existing_file('BITNET_MODEL', environment.BITNET_MODEL);
  const flags = words(environment.BITNET_FLAGS ?? '--cache-type f16');  // llama-bench's default, too
  return {
    name: kOurs, program, model, model_bytes: bytes_of(model), flags,
    version: run_program(program, ['--version']).trim(),
    cli: program,
    generate: (prompt, tokens) => run_program(program,
      ['run', '-m', model, '-n', tokens, '--temp', 0, '-p', prompt].map(String)),
    turn: (contest_case) => bitnet_speed(parse_json(program, run_pinned(cpus, contest_case.threads, program,
      ['bench', ...measure_once(model, contest_case), ...flags])), contest_case),
  };
}

function rival(name, environment, cpus) {
  const variable = `BITNET_RIVAL_${name}`;
  const program = existing_file(variable, environment[variable]);
  const model = existing_file(`${variable}_MODEL`, environment[`${variable}_MODEL`]);
  const flags = words(environment[`${variable}_FLAGS`] ?? kBestFlags.get(name) ?? kUsualFlags);
  const cli = environment[`${variable}_CLI`];
  return {
    name: name.toLowerCase(), program, model, model_bytes: bytes_of(model), flags,
    version: 'see build_commit of its turns',
    cli: cli && existing_file(`${variable}_CLI`, cli),
    generate: (prompt, tokens) => run_program(cli,
      ['-m', model, '-n', tokens, '--temp', 0, '--no-display-prompt', '-p', prompt].map(String)),
    turn: (contest_case) => llama_bench_speed(program, parse_json(program, run_pinned(cpus,
      contest_case.threads, program, [...measure_once(model, contest_case), ...flags])), contest_case),
  };
}

/** [ours, rivals...] of the environment: BITNET_RIVAL_X is a rival x, whatever X is. */
export function all_contenders(environment, cpus) {
  const names = Object.keys(environment).map((key) => key.match(/^BITNET_RIVAL_(\w+)$/)?.[1])
    .filter((name) => name && !/_(MODEL|FLAGS|CLI)$/.test(name)).sort();
  if (names.length === 0) throw new Error('no rival: set BITNET_RIVAL_IK, for example; see --help');
  return [ours(environment, cpus), ...names.map((name) => rival(name, environment, cpus))];
}
