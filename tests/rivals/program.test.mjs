// SPDX-License-Identifier: MIT
// The whole path with a small model and a rival whose speeds are known. Oracle: those speeds, and ours as the
// program's own JSON gives them.
import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {after, test} from 'node:test';

const source = process.env.BITNET_SOURCE_DIR;
const folder = mkdtempSync(path.join(tmpdir(), 'bitnet-rivals-'));
after(() => rmSync(folder, {recursive: true}));

function script(name, text) {
  const file = path.join(folder, name);
  writeFileSync(file, `#!/bin/sh\n${text}\n`);
  chmodSync(file, 0o755);
  return file;
}

function run_rivals(args, variables = {}) {
  const json = path.join(folder, 'rivals.json');
  rmSync(json, {force: true});
  const {status, stdout, stderr} = spawnSync(process.execPath,
    [path.join(source, 'bench/rivals/rivals.mjs'), '--json', json, ...args], {encoding: 'utf8', env: {
      ...process.env,
      BITNET_MODEL: path.join(source, 'models/prose-nano'),
      BITNET_RIVAL_FAKE: path.join(source, 'tests/rivals/fake_llama_bench'),
      BITNET_RIVAL_FAKE_MODEL: path.join(source, 'README.md'),
      ...variables,
    }});
  const report = () => JSON.parse(readFileSync(json, 'utf8'));
  return {status, stdout, stderr, report};
}

const small = ['--pp', '8', '--tg', '4', '--threads', '1', '--rounds', '2'];

test('both programs are measured, compared and reported', () => {
  const {status, stdout, stderr, report} = run_rivals(small);
  // A busy machine may make the run void; it must say so, and keep every round all the same.
  assert.ok(status === 0 || (status === 2 && stdout.includes('**Void**')), stderr);
  const {rounds, contenders} = report();
  assert.deepEqual(contenders.map(({name}) => name), ['bitnet', 'fake']);
  assert.deepEqual(rounds.map(({round, test}) => [round, test]), [[1, 'pp8'], [1, 'tg4'], [2, 'pp8'], [2, 'tg4']]);
  for (const {test, turns, probes} of rounds) {
    assert.equal(turns.fake.tokens_per_s, test === 'pp8' ? 100 : 10);
    assert.ok(turns.bitnet.tokens_per_s > 0);
    assert.ok(probes.core_ghz > 0.3 && probes.core_ghz < 10, `${probes.core_ghz} GHz`);
    assert.ok(probes.read_gb_per_s > 0.1 && probes.region_us >= 0);
  }
  assert.match(stdout, /\| fake \| f00ba12 \| README\.md \| .* \| fake 2B \| -fa 1 \|/);
  if (status === 0 && rounds.every(({dropped}) => !dropped)) {
    const [one, two] = rounds.filter(({test}) => test === 'tg4').map(({turns}) => turns.bitnet.tokens_per_s / 10);
    // Within what the shown speeds round off, and only if both rounds saw one placement of the cores.
    const row = stdout.match(/\| tg4 \| 1 \| one \| 2 \* \| fake \| [\d.]+ \| 10\.00 \| tokens\/s \| ([\d.]+) \|/);
    if (row) assert.ok(Math.abs(Number(row[1]) - (one + two) / 2) < 0.006, row[0]);
    assert.ok(row || stdout.includes('| near |'), stdout);
  }
});

test('a rival that measures something else is refused', () => {
  const {status, stderr} = run_rivals(small, {FAKE_THREADS: '7'});
  assert.equal(status, 1);
  assert.match(stderr, /fake_llama_bench: expected the speed of pp8 tg0 on 1 threads, found .*"n_threads":7/);
});

test('a rival that fails is quoted', () => {
  const {status, stderr} = run_rivals(small, {BITNET_RIVAL_FAKE_FLAGS: '--magic 1'});
  assert.equal(status, 1);
  assert.match(stderr, /found exit status 3\n {2}unknown option --magic/);
});

test('wrong kernels are not timed', () => {
  const program = script('wrong', '[ "$1" = --version ] && exit; echo "gemm_t16 differs" >&2; exit 1');
  const {status, stderr} = run_rivals(small, {BITNET_PROGRAM: program});
  assert.equal(status, 1);
  assert.match(stderr, /wrong doctor: expected success, found exit status 1\n {2}gemm_t16 differs/);
});

test('a rival with a program for text must continue as ours does', () => {
  const ours = ['-m', path.join(source, 'models/prose-nano'), '-n', '8', '--temp', '0'];
  const same = script('same', `shift 7; exec "${process.env.BITNET_PROGRAM}" run ${ours.join(' ')} "$@" 2>/dev/null`);
  const agreeing = run_rivals(['--pp', '8', '--tg', '0', '--threads', '1', '--rounds', '1'],
    {BITNET_RIVAL_FAKE_CLI: same});
  assert.match(agreeing.stdout, /fake: the same 8 greedy tokens as ours on 4 prompts/, agreeing.stderr);
  const {status, stderr} = run_rivals(small, {BITNET_RIVAL_FAKE_CLI: script('other', 'echo something else')});
  assert.equal(status, 1);
  assert.match(stderr, /fake on 'The capital of France is': expected '.*', found 'something else'/);
});

test('what is missing is named', () => {
  assert.match(run_rivals(small, {BITNET_RIVAL_FAKE: '/no/such'}).stderr,
    /BITNET_RIVAL_FAKE: expected a file, found none at \/no\/such/);
  assert.match(run_rivals(small, {BITNET_RIVAL_FAKE_MODEL: ''}).stderr,
    /BITNET_RIVAL_FAKE_MODEL: expected a path, found nothing/);
  assert.match(run_rivals(['--help']).stdout, /BITNET_RIVAL_X_MODEL/);
});
