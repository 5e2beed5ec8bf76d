// SPDX-License-Identifier: MIT
// node check_tokenizer.mjs PROGRAM FOLDER: has `bitnet tokenize` read all words and pronunciations that prepare.mjs
// wrote to FOLDER. Oracle: the place of each letter and phoneme in alphabet.mjs.
import {execFileSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import path from 'node:path';
import {fileURLToPath} from 'node:url';

import {kLetters, kPhonemes} from './alphabet.mjs';

const kTokenizer = fileURLToPath(new URL('.', import.meta.url));
const kEnd = 1;
const kFirstLetter = 2;
const kFirstPhoneme = kFirstLetter + kLetters.length;

function tokenize(program, options, input) {
  return execFileSync(program, ['tokenize', '-m', kTokenizer, ...options],
                      {input, encoding: 'utf8', maxBuffer: 1 << 30});
}

/** No token reaches over the end of a word, so all of them in a row are as each on its own. */
function check(program, what, text, expected) {
  const ids = JSON.parse(tokenize(program, ['--ids'], text));
  const wrong = [...expected, kEnd].findIndex((id, i) => ids[i] !== id);
  if (wrong >= 0) throw new Error(`${what} ${wrong}: expected token ${expected[wrong] ?? kEnd}, found ${ids[wrong]}`);
  if (ids.length !== expected.length + 1) throw new Error(`expected ${expected.length} ${what}s, found ${ids.length - 1}`);
  if (tokenize(program, ['--decode', '-'], JSON.stringify(ids)) !== text) throw new Error(`${what}s: decoded to another text`);
}

function main([program, folder]) {
  const pairs = ['train', 'dev', 'test'].flatMap((split) =>
    readFileSync(path.join(folder, `${split}.jsonl`), 'utf8').trim().split('\n').map((line) => JSON.parse(line)));
  const letters = pairs.flatMap(({prompt}) => [...prompt]);
  const phonemes = pairs.flatMap(({completion}) => completion.split(' '));
  check(program, 'letter', letters.join(''), letters.map((letter) => kFirstLetter + kLetters.indexOf(letter)));
  check(program, 'phoneme', phonemes.join(' '), phonemes.map((phoneme) => kFirstPhoneme + kPhonemes.indexOf(phoneme)));
  console.log(`tokenizer: ${letters.length} letters and ${phonemes.length} phonemes are a token each, and come back`);
}

main(process.argv.slice(2));
