// SPDX-License-Identifier: MIT
// How far two programs' logits may lie apart, and on which prompts that can be said. README.md derives
// the numbers.
/** What a program does to activations (name in kActivations) -> largest difference from the reference. */
export const kReferenceBound =
  {exact: 1e-3, bfloat16: 1e-3, q8_0: 1e-3, q8_k: 1e-3, float16: 0.02};

/** Largest and root-mean-square difference. A NaN makes both NaN, which is within no bound. */
export function difference(found, expected) {
  let max = 0;
  let squares = 0;
  found.forEach((x, i) => {
    max = Math.max(max, Math.abs(x - expected[i]));
    squares += (x - expected[i]) ** 2;
  });
  return {max, rms: Math.sqrt(squares / found.length)};
}

/** A generator of factors 1 + 2^-20 u, u in [-1, 1), the same in every run (Park and Miller). */
function jitter_from(seed) {
  let state = seed;
  return () => {
    state = state * 48271 % 2147483647;
    return 1 + 2 ** -20 * (2 * state / 2147483647 - 1);
  };
}

const kLength = 6;
const kSeeds = [1, 2, 3, 4];

/**
 * The first `count` windows of `ids` where jitter moves no logit of the reference further than a quarter
 * of `bound`: [{ids, logits}]. There no rounding that another order of summation turned over can be the excuse.
 */
export function calm_prompts(reference, ids, bound, count) {
  const calm = [];
  for (let start = 0; calm.length < count; start += kLength) {
    if (start + kLength > ids.length) throw new Error(`only ${calm.length} prompts are calm`);
    const window = ids.slice(start, start + kLength);
    const logits = reference(window);
    const is_calm = (seed) =>
      difference(reference(window, jitter_from(seed)), logits).max <= bound / 4;
    if (kSeeds.every(is_calm)) calm.push({ids: window, logits});
  }
  return calm;
}
