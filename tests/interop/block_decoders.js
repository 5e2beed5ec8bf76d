// SPDX-License-Identifier: MIT
// Naive decoders of the types of embeddings and heads, from their byte layouts: `count` values of bytes from
// `begin` on, row-major.
import {bfloat16_value, float16_value} from './float_formats.js';

const float16_at = (bytes, at) => float16_value(bytes.readUInt16LE(at));

const one_by_one = (size, value_at) => (bytes, begin, count) =>
  Float64Array.from({length: count}, (_, i) => value_at(bytes, begin + size * i));

/** `value_at(bytes, block, i)` is element i of the block that begins at `block`. */
const in_blocks = (elements, size, value_at) => (bytes, begin, count) =>
  Float64Array.from({length: count}, (_, i) =>
    value_at(bytes, begin + size * Math.floor(i / elements), i % elements));

/** Scale, then 32 signed bytes. */
const q8_0 = in_blocks(32, 34, (bytes, block, i) =>
  float16_at(bytes, block) * bytes.readInt8(block + 2 + i));

/** Scale, then element j in the low and j + 16 in the high nibble of byte j, plus 8. */
const q4_0 = in_blocks(32, 18, (bytes, block, i) =>
  float16_at(bytes, block) * (((bytes[block + 2 + i % 16] >> (i < 16 ? 0 : 4)) & 15) - 8));

/** Two scales; 8 sub-blocks of 32 with 6-bit scale and minimum in 12 bytes; nibbles by pairs of sub-blocks. */
const q4_k = in_blocks(256, 144, (bytes, block, i) => {
  const s = bytes.subarray(block + 4, block + 16);
  const j = Math.floor(i / 32);
  const scale = j < 4 ? s[j] & 63 : (s[j + 4] & 15) | ((s[j - 4] >> 6) << 4);
  const minimum = j < 4 ? s[j + 4] & 63 : (s[j + 4] >> 4) | ((s[j] >> 6) << 4);
  const byte = bytes[block + 16 + 32 * Math.floor(j / 2) + i % 32];
  const code = (byte >> (4 * (j % 2))) & 15;
  return float16_at(bytes, block) * scale * code - float16_at(bytes, block + 2) * minimum;
});

/** 128 bytes of low nibbles, 64 of high bit pairs, 16 signed scales, one scale; per half of 128. */
const q6_k = in_blocks(256, 210, (bytes, block, i) => {
  const half = Math.floor(i / 128);
  const quarter = Math.floor(i % 128 / 32);
  const l = i % 32;
  const low = bytes[block + 64 * half + 32 * (quarter % 2) + l] >> (quarter < 2 ? 0 : 4);
  const high = bytes[block + 128 + 32 * half + l] >> (2 * quarter);
  const code = (low & 15) | ((high & 3) << 4);
  const scale = bytes.readInt8(block + 192 + 8 * half + 2 * quarter + Math.floor(l / 16));
  return float16_at(bytes, block + 208) * scale * (code - 32);
});

/** GGUF type number -> decoder(bytes, begin, count). */
export const kBlockDecoders = {
  0: one_by_one(4, (bytes, at) => bytes.readFloatLE(at)),
  1: one_by_one(2, float16_at),
  2: q4_0, 8: q8_0, 12: q4_k, 14: q6_k,
  30: one_by_one(2, (bytes, at) => bfloat16_value(bytes.readUInt16LE(at))),
};
