// SPDX-License-Identifier: MIT
// models/say-it/score. Oracle: values worked out by hand; a program that prints known lines.
import assert from 'node:assert/strict';
import {execFileSync, spawnSync} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {test} from 'node:test';
import {fileURLToPath} from 'node:url';

import {edit_distance, nearest, parse_dictionary, parse_pronunciation, report, score, typical, without_stress}
  from '../../models/say-it/scoring.mjs';

const kScore = fileURLToPath(new URL('../../models/say-it/score', import.meta.url));
const words = (text) => text.split(' ').filter((word) => word !== '');

test('edit distance', () => {
  const cases = [
    ['', '', 0], ['', 'A B', 2], ['A B', '', 2], ['A B C', 'A B C', 0],
    ['A B C', 'A X C', 1],              // replaced
    ['A B C', 'A C', 1],                // deleted
    ['A C', 'A B C', 1],                // inserted
    ['A B', 'B A', 2],                  // a swap is two
    ['K I T T E N', 'S I T T I N G', 3],  // the textbook's
    ['X A B C', 'A B C X', 2],          // a shift is one at each end
    ['AA1', 'AA0', 1],                  // phonemes are compared whole
  ];
  for (const [a, b, distance] of cases) assert.equal(edit_distance(words(a), words(b)), distance, `${a} | ${b}`);
});

test('the nearest variant has the fewest errors, the first of equals', () => {
  const variants = [words('A B C D'), words('A X'), words('X B')];
  // To A B: 2 deletions, 1 replacement, 1 replacement.
  assert.deepEqual(nearest(words('A B'), variants), {variant: variants[1], errors: 1});
  assert.deepEqual(nearest(words('A B C D E'), variants), {variant: variants[0], errors: 1});
});

test('stress is the digit behind a vowel', () => {
  assert.deepEqual(without_stress(words('K ER1 N AH0 L')), words('K ER N AH L'));
});

test('a dictionary', () => {
  assert.deepEqual(parse_dictionary('a\tAH0\tEY1\nab\tAE1 B\n'), [
    {word: 'a', variants: [['AH0'], ['EY1']]}, {word: 'ab', variants: [['AE1', 'B']]},
  ]);
  assert.throws(() => parse_dictionary('a\n'), /found 'a'/);
  assert.deepEqual(parse_pronunciation(''), []);
});

const kDictionary = 'colonel\tK ER1 N AH0 L\n' +
  'a\tAH0\tEY1\n' +
  'read\tR EH1 D\tR IY1 D\n' +
  'axe\tAE1 K S\n';
//   right; only the stress is wrong; the other variant; one wrong, one too many
const kFound = ['K ER1 N AH0 L', 'EY2', 'R IY1 D', 'AA1 K S IY0'];

test('rates', () => {
  const result = score(parse_dictionary(kDictionary), kFound.map(words));
  // Nearest: 5 phonemes, 1 (AH0, as both are 1 off), 3, 3. Errors: 0, 1, 0, 2.
  assert.deepEqual(result.with_stress, {
    phoneme_errors: 3, phonemes: 12, phoneme_error_rate: 3 / 12, wrong_words: 2, words: 4, word_error_rate: 2 / 4});
  assert.deepEqual(result.without_stress, {
    phoneme_errors: 2, phonemes: 12, phoneme_error_rate: 2 / 12, wrong_words: 1, words: 4, word_error_rate: 1 / 4});
  assert.deepEqual(result.mistakes, [
    {word: 'axe', found: 'AA1 K S IY0', expected: 'AE1 K S', errors: 2},
    {word: 'a', found: 'EY2', expected: 'AH0', errors: 1},
  ]);
  const text = report(result, 1);
  assert.match(text, /with stress +25\.00 % +50\.00 %\n/);
  assert.match(text, /without stress +16\.67 % +25\.00 %\n/);
});

test('typical mistakes are evenly spread', () => {
  assert.deepEqual(typical([9, 8, 7, 6, 5, 4], 3), [9, 7, 5]);
  assert.deepEqual(typical([9, 8], 3), [9, 8]);
  assert.deepEqual(typical([], 3), []);
});

test('the program', (context) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'bitnet-test-'));
  context.after(() => rmSync(folder, {recursive: true}));
  const program = path.join(folder, 'bitnet');
  const dictionary = path.join(folder, 'test.tsv');
  writeFileSync(dictionary, kDictionary);
  const lines = kFound.map((completion) => JSON.stringify({completion})).join('\n');
  // Answers only to what a reader of its --help would ask.
  writeFileSync(program, `#!/usr/bin/env bash
[[ $* == 'run -m some/model --lines - --json --temp 0 -n 64' && $(cat) == $'colonel\\na\\nread\\naxe' ]] || exit 3
echo '${lines}'
`, {mode: 0o755});
  const env = {...process.env, BITNET_PROGRAM: program};
  const result = JSON.parse(execFileSync(kScore, ['some/model', dictionary, '--json', '--list', '1'], {env}));
  assert.equal(result.with_stress.phoneme_errors, 3);
  assert.equal(result.mistakes.length, 1);
  assert.match(execFileSync(kScore, ['some/model', dictionary], {env, encoding: 'utf8'}), /^4 words, 12 phonemes\n/);
  for (const [args, message] of [[[], /MODEL/], [['other/model', dictionary], /exit status 0, found 3/],
                                 [['some/model', '/nonexistent'], /nonexistent/], [['m', dictionary, '--frob'], /frob/]]) {
    const {status, stderr} = spawnSync(kScore, args, {env, encoding: 'utf8'});
    assert.equal(status, 1);
    assert.match(stderr, message);
  }
});
