// SPDX-License-Identifier: MIT
// Texts that tokenizers disagree on if they disagree anywhere; the same in every run.
import {readdirSync, readFileSync, statSync} from 'node:fs';
import path from 'node:path';

/** Marsaglia's xorshift32, seeded: integers from 0 to n - 1. */
export function random_numbers(seed) {
  let state = seed;
  return (n) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % n;
  };
}

/**
 * What Unicode 15 to 17 added: a PCRE2 and a Node of different age do not agree on what is a letter
 * there. Found by comparing Perl 5.36 (Unicode 14) with Node.
 */
const kAddedLater = `88f 897 c5c cdc cf3 ece 1acf-1add 1ae0-1aeb 1b4e-1b4f 1b7f 1c89-1c8a 20c1 2427-2429
2b96 2ffc-2fff 31e4-31e5 31ef a7cb-a7cf a7d2 a7d4 a7da-a7dc a7f1 fbc3-fbd2 fd90-fd91 fdc8-fdce
105c0-105f3 10940-10959 10d40-10d8f 10ec2-10eff 1123f-11241 11380-113e2 116d0-116e3 11b00-11bf9
11db0-11de9 11f00-11f5a 1342f-143fa 16100-16139 16d40-16d79 16ea0-16ed3 16ff2-16ff6 187f8-187ff
18cff-18d1e 18d80-18df2 1b132 1b155 1cc00-1cef0 1d2c0-1d2d3 1df25-1df2a 1e030-1e08f 1e4d0-1e5ff
1e6c0-1e6ff 1f6d8-1f6dc 1f774-1f77f 1f7d9 1f8b2-1f8d8 1fa54-1fa57 1fa75-1fa77 1fa87-1fa8f 1faad-1faaf
1fabb-1fadf 1fae8-1faef 1faf7-1faf8 1fbcb-1fbef 1fbfa 2b739-2b73f 2cea2-2cead 2ebf0-2ee5d 31350-33479`
  .split(/\s/).map((range) => range.split('-').map((hex) => parseInt(hex, 16)))
  .map(([first, last = first]) => [first, last]);

const is_stable = (code_point) => !(code_point >= 0xd800 && code_point <= 0xdfff) &&
  kAddedLater.every(([first, last]) => code_point < first || code_point > last);

/** Every code point that all versions of Unicode agree on. */
export function all_code_points() {
  const code_points = [];
  for (let code_point = 0; code_point <= 0x10ffff; ++code_point) {
    if (is_stable(code_point)) code_points.push(code_point);
  }
  return code_points;
}

/** Mostly of a few blocks, so that neighbours meet that belong together. */
export function random_unicode(random, length) {
  const blocks = [[0, 0x80], [0x80, 0x250], [0x300, 0x70], [0x370, 0x190], [0x590, 0x170], [0x900, 0x80],
    [0x1100, 0x100], [0x2000, 0x70], [0x2190, 0x400], [0x3040, 0xc0], [0x4e00, 0x5200], [0xac00, 0x2ba4],
    [0xd7a0, 0x60], [0xe000, 0x20], [0xf900, 0x200], [0xfe00, 0x200], [0x10000, 0x800], [0x1d400, 0x400],
    [0x1f1e6, 26], [0x1f300, 0x400], [0x20000, 0x1000], [0xe0000, 0x80], [0x10fff0, 0x10], [0, 0x110000]];
  let text = '';
  while (text.length < length) {
    const [first, size] = blocks[random(blocks.length)];
    for (let n = random(6); n >= 0; --n) {
      const code_point = first + random(size);
      if (is_stable(code_point)) text += String.fromCodePoint(code_point);
    }
  }
  return text;
}

/** Pieces at which patterns cut, in every order. */
export function random_mixture(random, length) {
  const pieces = [' ', '  ', '\n', '\r\n', '\t', '\u00a0', '\u0085', '\u3000', '\u180e', '\ufeff', '\u200d', "'s",
    "'LL", "'\u017f", '’t', '1', '42', '2026', '٣', '½', 'Ⅷ', '², ', 'word', 'Word', 'WORD', 'naïve', 'e\u0301', 'é',
    'ẞ', 'ǆ', 'नमस्ते', 'สวัสดี', '你好', '한국', '\u1112\u1161\u11ab', '👩‍👩‍👧', '🇩🇪', '👍🏽', '1️⃣', '...', '!', '?!', '_', '$', '`', '|',
    '<|', '|>', '<|eot', '\u0000', '\u007f', '\ud7ff', '\ue000', '\uffff', '\u{10ffff}'];
  let text = '';
  while (text.length < length) text += pieces[random(pieces.length)];
  return text;
}

export function long_runs() {
  return [' ', '\n', '\r\n', '\t', 'a', 'A', '7', '.', 'é', 'e\u0301', '你', '👍', ' a', 'a ', ' \n', '12 ', '\u0301']
    .flatMap((unit) => [2, 3, 5, 17, 48, 49, 333, 3000].map((count) => unit.repeat(count)));
}

/** Sources and prose of the packages at hand, up to `limit` characters. */
export function files_below(folder, limit) {
  const texts = [];
  let length = 0;
  const visit = (at) => {
    for (const name of readdirSync(at).sort()) {
      const file = path.join(at, name);
      const status = statSync(file);
      if (status.isDirectory()) {
        visit(file);
      } else if (/\.(md|js|ts|json|txt|c|h|cpp)$/.test(name) && status.size < 200_000 && length < limit) {
        texts.push(readFileSync(file, 'utf8'));
        length += texts.at(-1).length;
      }
    }
  };
  visit(folder);
  return texts;
}
