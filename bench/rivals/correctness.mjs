// SPDX-License-Identifier: MIT
// Wrong results are not timed.
import {run_program} from './machine.mjs';

const kPrompts = ['The capital of France is', 'Once upon a time there was', 'def fibonacci(n):', '1, 2, 3, 4,'];
const kTokens = 8;

/** Throws when one of our kernels differs from its formula. */
export const require_correct_kernels = (program) => run_program(program, ['doctor']);

/** Throws when a rival that has a program for text continues a prompt otherwise than ours, greedily. */
export function require_same_text(ours, rival) {
  for (const prompt of kPrompts) {
    const [expected, found] = [ours, rival].map((one) => one.generate(prompt, kTokens).trim());
    if (expected !== found) {
      throw new Error(`${rival.name} on '${prompt}': expected '${expected}', found '${found}'; ` +
        'the models or their arithmetic differ');
    }
  }
}

/** Checks all contenders; what was checked, in words. */
export function check_correctness([ours, ...rivals]) {
  require_correct_kernels(ours.program);
  const compared = rivals.filter((rival) => rival.cli);
  for (const rival of compared) require_same_text(ours, rival);
  return ['ours: `bitnet doctor` passed', ...rivals.map(({name}) => compared.some((rival) => rival.name === name)
    ? `${name}: the same ${kTokens} greedy tokens as ours on ${kPrompts.length} prompts`
    : `${name}: not checked (no _CLI; random weights have no tokens to agree on)`)];
}
