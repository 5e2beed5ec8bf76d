// SPDX-License-Identifier: MIT
// The program models/say-it/score, which describes it.
import {spawnSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';

import {parse_dictionary, parse_pronunciation, report, score} from './scoring.mjs';

const kBuild = fileURLToPath(new URL('../../build/', import.meta.url));

/** Tokens: no pronunciation of CMUdict has so many, and a model that never ends costs no more. */
const kLongest = '64';

/** What the model makes of each word. */
function pronounce(program, model, is_float, words) {
  const command = is_float ? ['train', '--float', '--from', model, '--continue', '-']
                           : ['run', '-m', model, '--lines', '-', '--json', '--temp', '0', '-n', kLongest];
  const {stdout, status, error} = spawnSync(program, command, {
    input: words.map((word) => `${word}\n`).join(''), encoding: 'utf8', maxBuffer: 1 << 30,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  if (status === null) throw error;  // a program that fails without reading all is an error of the pipe, too
  if (status !== 0) throw new Error(`${program} ${command[0]}: expected exit status 0, found ${status}`);
  const lines = stdout.trimEnd().split('\n').map((line) => JSON.parse(line));
  if (lines.length !== words.length) throw new Error(`expected ${words.length} lines, found ${lines.length}`);
  return lines.map(({completion}) => parse_pronunciation(completion));
}

function main() {
  const {values, positionals} = parseArgs({
    allowPositionals: true,
    options: {float: {type: 'boolean', default: false}, json: {type: 'boolean', default: false}, list: {type: 'string', default: '20'}},
  });
  const [model, file = `${kBuild}models/say-it/data/test.tsv`] = positionals;
  const listed = Number(values.list);
  if (model === undefined || positionals.length > 2 || !Number.isInteger(listed) || listed < 0) {
    throw new Error('expected MODEL [FILE] [--float] [--json] [--list N]');
  }
  const program = process.env.BITNET_PROGRAM ?? `${kBuild}release/bitnet`;
  const entries = parse_dictionary(readFileSync(file, 'utf8'));
  const result = score(entries, pronounce(program, model, values.float, entries.map(({word}) => word)));
  console.log(values.json ? JSON.stringify({...result, mistakes: result.mistakes.slice(0, listed)}, null, 1)
                          : report(result, listed));
}

try {
  main();
} catch (error) {
  console.error(`bitnet: error: ${error.message}`);
  process.exitCode = 1;
}
