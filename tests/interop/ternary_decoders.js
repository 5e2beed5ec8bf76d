// SPDX-License-Identifier: MIT
// Naive decoders of the ternary types of GGUF, from their byte layouts: `count` values, row-major.
import {float16_value} from './float_formats.js';

const float16_at = (bytes, at) => float16_value(bytes.readUInt16LE(at));

/** 256 elements: 64 bytes, byte 32 g + m holds 128 g + m + {0, 32, 64, 96} from the low bits up. */
function tq2_0(bytes, begin, count) {
  return Float64Array.from({length: count}, (_, at) => {
    const block = begin + 66 * Math.floor(at / 256);
    const i = at % 256;
    const byte = bytes[block + 32 * Math.floor(i / 128) + i % 32];
    const code = (byte >> (2 * Math.floor(i % 128 / 32))) & 3;
    return float16_at(bytes, block + 64) * (code - 1);
  });
}

/** Digit n of a byte q = ceil(256 x / 243) of five base-3 digits, the first most significant. */
const base3_digit = (byte, n) => Math.floor(3 * ((byte * 3 ** n) % 256) / 256);

/** 256 elements: 32 bytes of 5, 16 bytes of 5, 4 bytes of 4; a byte's elements lie a stride apart. */
function tq1_0(bytes, begin, count) {
  return Float64Array.from({length: count}, (_, at) => {
    const block = begin + 54 * Math.floor(at / 256);
    const i = at % 256;
    const [first, start, stride] = i < 160 ? [0, 0, 32] : i < 240 ? [32, 160, 16] : [48, 240, 4];
    const byte = bytes[block + first + (i - start) % stride];
    const code = base3_digit(byte, Math.floor((i - start) / stride));
    return float16_at(bytes, block + 52) * (code - 1);
  });
}

/** 64 elements: scale, then element j in byte j / 4, from the low bits up. */
function q2_0(bytes, begin, count) {
  return Float64Array.from({length: count}, (_, at) => {
    const block = begin + 18 * Math.floor(at / 64);
    const i = at % 64;
    const code = (bytes[block + 2 + Math.floor(i / 4)] >> (2 * (i % 4))) & 3;
    return float16_at(bytes, block) * (code - 1);
  });
}

/** 128 elements: byte m holds m + {0, 32, 64, 96} from the high bits down; one float32 behind all. */
function i2_s(bytes, begin, count) {
  const scale = bytes.readFloatLE(begin + count / 4);
  return Float64Array.from({length: count}, (_, at) => {
    const byte = bytes[begin + 32 * Math.floor(at / 128) + at % 32];
    return scale * (((byte >> (6 - 2 * Math.floor(at % 128 / 32))) & 3) - 1);
  });
}

const f16 = (bytes, begin, count) =>
  Float64Array.from({length: count}, (_, at) => float16_at(bytes, begin + 2 * at));

/** GGUF type number -> decoder(bytes, begin, count). */
export const kTernaryDecoders = {1: f16, 34: tq1_0, 35: tq2_0, 36: i2_s, 42: q2_0};
