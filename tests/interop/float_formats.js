// SPDX-License-Identifier: MIT
// Narrow floats by their definition: sign, exponent, mantissa; no tables, no tricks.

/** The float16 of a 16-bit pattern. */
export function float16_value(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 31) return mantissa ? NaN : sign * Infinity;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  return sign * (1024 + mantissa) * 2 ** (exponent - 25);
}

/** The bfloat16 of a 16-bit pattern: the upper half of a float32. */
export function bfloat16_value(bits) {
  return new Float32Array(new Uint32Array([bits * 65536]).buffer)[0];
}

/** 2.5 -> 2, 3.5 -> 4. */
export function round_half_even(x) {
  const down = Math.floor(x);
  const rest = x - down;
  if (rest !== 0.5) return rest < 0.5 ? down : down + 1;
  return down % 2 === 0 ? down : down + 1;
}

/** `x` rounded to `bits` explicit mantissa bits, spacing no finer than 2^(lowest - bits). */
function round_mantissa(x, bits, lowest) {
  const float = new Float32Array([x]);
  const exponent = ((new Uint32Array(float.buffer)[0] >>> 23) & 255) - 127;
  const step = 2 ** (Math.max(exponent, lowest) - bits);
  return round_half_even(float[0] / step) * step;
}

export const round_to_float16 = (x) => round_mantissa(x, 10, -14);
export const round_to_bfloat16 = (x) => round_mantissa(x, 7, -126);
