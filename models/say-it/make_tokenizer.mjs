// SPDX-License-Identifier: MIT
// node make_tokenizer.mjs FOLDER: writes tokenizer.json and tokenizer_config.json, in which each letter of a
// word is a token, each phoneme is one, and every text ends with </s>:
//
//   "colonel"         c o l o n e l </s>
//   "K ER1 N AH0 L"   K ER1 N AH0 L </s>
//
// It is byte-pair encoding as SentencePiece's, which puts U+2581 for a space in front of a text and takes it off
// again, so that the first phoneme of a text is the same token as further ones: "▁K". Merges lead from U+2581 over
// "▁E" and "▁ER" to "▁ER1". Letters are added tokens: they are cut out before the rest gets its U+2581.
import {mkdirSync, writeFileSync} from 'node:fs';
import path from 'node:path';

import {kLetters, kPhonemes} from './alphabet.mjs';

const kSpace = '\u2581';
const kUnknown = '<unk>';
const kEnd = '</s>';

const unique = (items) => [...new Set(items)];

/** "▁E", "▁ER", "▁ER1", ...: shorter ones first. */
const kPrefixes = unique(kPhonemes.flatMap((phoneme) =>
  [...phoneme].map((_, i) => kSpace + phoneme.slice(0, i + 1))))
  .sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
const kMerges = kPrefixes.map((prefix) => [prefix.slice(0, -1), prefix.slice(-1)]);

/** What only merges pass through comes last, so that models can see that its ids are never used. */
const kTokens = unique([
  kUnknown, kEnd, ...kLetters, ...kPhonemes.map((phoneme) => kSpace + phoneme),
  kSpace, ...[...kPhonemes.join('')].sort(), ...kPrefixes,
]);

function added_token(content, special) {
  return {id: kTokens.indexOf(content), content, single_word: false, lstrip: false, rstrip: false,
          normalized: false, special};
}

const kTokenizer = {
  version: '1.0', truncation: null, padding: null,
  added_tokens: [
    added_token(kUnknown, true), added_token(kEnd, true), ...kLetters.map((letter) => added_token(letter, false)),
  ],
  normalizer: {
    type: 'Sequence',
    normalizers: [
      {type: 'Prepend', prepend: kSpace}, {type: 'Replace', pattern: {String: ' '}, content: kSpace},
    ],
  },
  pre_tokenizer: null,
  post_processor: {
    type: 'TemplateProcessing',
    single: [{Sequence: {id: 'A', type_id: 0}}, {SpecialToken: {id: kEnd, type_id: 0}}],
    pair: [
      {Sequence: {id: 'A', type_id: 0}}, {SpecialToken: {id: kEnd, type_id: 0}},
      {Sequence: {id: 'B', type_id: 0}}, {SpecialToken: {id: kEnd, type_id: 0}},
    ],
    special_tokens: {[kEnd]: {id: kEnd, ids: [kTokens.indexOf(kEnd)], tokens: [kEnd]}},
  },
  decoder: {
    type: 'Sequence',
    decoders: [
      {type: 'Replace', pattern: {String: kSpace}, content: ' '}, {type: 'Fuse'},
      {type: 'Strip', content: ' ', start: 1, stop: 0},
    ],
  },
  model: {
    type: 'BPE', dropout: null, unk_token: kUnknown, continuing_subword_prefix: null, end_of_word_suffix: null,
    fuse_unk: true, byte_fallback: true, ignore_merges: false,
    vocab: Object.fromEntries(kTokens.map((token, id) => [token, id])), merges: kMerges.map((pair) => pair.join(' ')),
  },
};

const kConfig = {
  tokenizer_class: 'PreTrainedTokenizerFast', add_bos_token: false, add_eos_token: true, eos_token: kEnd,
  unk_token: kUnknown, clean_up_tokenization_spaces: false,
};

function main([folder]) {
  mkdirSync(folder, {recursive: true});
  for (const [file, content] of [['tokenizer.json', kTokenizer], ['tokenizer_config.json', kConfig]]) {
    writeFileSync(path.join(folder, file), `${JSON.stringify(content, null, 1)}\n`);
  }
  console.log(`${kTokens.length} tokens, ${kMerges.length} merges`);
}

main(process.argv.slice(2));
