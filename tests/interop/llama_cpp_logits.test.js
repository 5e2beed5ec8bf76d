// SPDX-License-Identifier: MIT
// Oracles: logits of the golden models, and a float64 forward pass that treats activations as
// llama.cpp does beside weights of each type. README.md derives the bounds.
import assert from 'node:assert/strict';
import {writeFileSync} from 'node:fs';
import {after, describe, test} from 'node:test';

import {convert_golden, logits, read_gguf, temporary_file} from './bitnet_program.js';
import {source_row} from './gguf_names.js';
import {read_expected, read_golden_model} from './golden_model.js';
import {close_llama_cpp, llama_cpp_logits} from './llama_cpp.js';
import {calm_prompts, difference, kReferenceBound} from './logit_bounds.js';
import {kActivations, reference_logits} from './reference_forward.js';

const kPrompts = ['len1', 'len7', 'len64'];

// What llama.cpp does to activations in front of a product with a matrix of this type.
const kBesideType = {f16: 'float16', q2_0: 'q8_0', tq1_0: 'q8_k', tq2_0: 'q8_k'};

const kModels = {
  onebitllm: {folder: 'onebitllm/latent', types: ['f16', 'q2_0']},
  'llama-ternary': {folder: 'llama-ternary/packed', types: ['f16', 'q2_0', 'tq1_0', 'tq2_0']},
  'bitnet-2b4t': {folder: 'bitnet-2b4t/packed', types: ['f16', 'q2_0', 'tq1_0', 'tq2_0']},
};

function assert_within(found, expected, bound, what) {
  assert.equal(found.length, expected.length, what);
  const seen = difference(found, expected);
  assert.ok(seen.max <= bound.max && seen.rms <= bound.rms,
    `${what}: expected at most ${JSON.stringify(bound)}, found ${JSON.stringify(seen)}`);
}

/** Twice the effect of the nearest mistakes that the golden data knows. */
function effect_of_other_activations({mistakes}) {
  const effects = ['activations:none', 'activations:block256'].filter((name) => mistakes[name])
    .flatMap((name) => [mistakes[name].len7, mistakes[name].len64]);
  return {max: 2 * Math.max(...effects.map(({max_abs}) => max_abs)),
          rms: 2 * Math.max(...effects.map(({rms}) => rms))};
}

/** Where the best token leads by more than two errors of `most` can turn around, it must win. */
function assert_same_top1(found, expected, V, most) {
  let decided = 0;
  for (let row = 0; row < expected.length; row += V) {
    const logits = Array.from(expected.subarray(row, row + V));
    const ranked = [...logits.keys()].sort((a, b) => logits[b] - logits[a]);
    if (logits[ranked[0]] - logits[ranked[1]] <= 2 * most) continue;
    ++decided;
    const ours = found.subarray(row, row + V);
    assert.equal(ours.indexOf(Math.max(...ours)), ranked[0], `row ${row / V}`);
  }
  return decided;
}

/** A copy of `file` in which `change(bytes, tensors)` has done damage. */
async function damaged(file, change) {
  const {bytes, tensors} = await read_gguf(file);
  change(bytes, tensors);
  const path = temporary_file('damaged.gguf');
  writeFileSync(path, bytes);
  return path;
}

/** Rows of a matrix, as bytes; `row_of(i)` is the row that comes to stand at i. */
function reorder_rows(bytes, {shape: [rows], begin}, size, row_of) {
  const row_bytes = size / rows;
  const before = Buffer.from(bytes.subarray(begin, begin + size));
  for (let i = 0; i < rows; ++i) {
    before.copy(bytes, begin + i * row_bytes, row_of(i) * row_bytes, (row_of(i) + 1) * row_bytes);
  }
}

const kBytesPerWeight = {f16: 2, q2_0: 18 / 64, tq1_0: 54 / 256, tq2_0: 66 / 256};

const size_of = (tensor, type) => tensor.shape[0] * tensor.shape[1] * kBytesPerWeight[type];

// Damage -> (bytes, tensors, type, D). All must be seen in the files of every type.
const kDamages = {
  'q and k in the order of another architecture'(bytes, tensors, type, D) {
    for (const [name, tensor] of tensors) {
      if (!/attn_(q|k)\.weight/.test(name)) continue;
      reorder_rows(bytes, tensor, size_of(tensor, type), (i) => source_row(i, D));
    }
  },
  'two rows exchanged'(bytes, tensors, type) {
    const tensor = tensors.get('blk.0.ffn_down.weight');
    reorder_rows(bytes, tensor, size_of(tensor, type), (i) => i < 2 ? 1 - i : i);
  },
  'one scale 31 % too small'(bytes, tensors) {
    const {begin} = tensors.get('blk.1.attn_output.scale');
    bytes.writeFloatLE(0.69 * bytes.readFloatLE(begin), begin);
  },
  'one scale inverted'(bytes, tensors) {
    const {begin} = tensors.get('blk.0.attn_q.scale');
    bytes.writeFloatLE(1 / bytes.readFloatLE(begin), begin);
  },
};

after(close_llama_cpp);

for (const [name, {folder, types}] of Object.entries(kModels)) {
  describe(name, () => {
    const model = read_golden_model(folder);
    const golden = read_expected(name);
    // llama.cpp's graphs of these architectures have no other function.
    const as_loaded = {...model, config: {...model.config, hidden_act: 'silu'}};
    const V = model.config.vocab_size;
    const D = model.config.head_dim ?? model.config.hidden_size / model.config.num_attention_heads;

    test('the reference computes the golden logits', () => {
      for (const prompt of kPrompts) {
        const found = reference_logits(model, golden.prompts[prompt], kActivations.per_token,
          kActivations.exact);
        const {max_abs: max, rms} = golden.tolerance[prompt];
        assert_within(found, golden.logits[prompt], {max, rms}, prompt);
      }
    });

    for (const type of types) {
      const rule = kBesideType[type];
      const bound = kReferenceBound[rule];
      const reference = (ids, jitter) =>
        reference_logits(as_loaded, ids, kActivations[rule], kActivations.exact, jitter);
      const calm = calm_prompts(reference, golden.prompts.len300, bound, 3);
      // A head of float32, so that nothing but the ternary products rounds.
      const file = convert_golden(folder, type, '--for', 'llama.cpp', '--embedding-type', 'f32');

      /** Largest difference from the reference over the calm prompts. */
      async function distance_from_reference(path) {
        const distances = [];
        for (const {ids, logits} of calm) {
          distances.push(difference(await llama_cpp_logits(path, ids, V), logits).max);
        }
        return Math.max(...distances);
      }

      if (model.config.hidden_act === as_loaded.config.hidden_act) {
        test(`${type}: llama.cpp's logits are the golden ones but for its activations`, async () => {
          const loose = effect_of_other_activations(golden);
          let decided = 0;
          for (const prompt of kPrompts) {
            const found = await llama_cpp_logits(file, golden.prompts[prompt], V);
            assert_within(found, golden.logits[prompt], loose, prompt);
            decided += assert_same_top1(found, golden.logits[prompt], V, loose.max);
          }
          assert.ok(decided >= 20, `only ${decided} rows have a clear best token`);
        });

        test(`${type}: bitnet and llama.cpp agree but for llama.cpp's activations`, async () => {
          const loose = effect_of_other_activations(golden);
          let decided = 0;
          for (const prompt of kPrompts) {
            const theirs = await llama_cpp_logits(file, golden.prompts[prompt], V);
            const ours = logits(file, golden.prompts[prompt]);
            assert_within(theirs, ours, loose, prompt);
            decided += assert_same_top1(theirs, ours, V, loose.max);
          }
          assert.ok(decided >= 20, `only ${decided} rows have a clear best token`);
        });
      }

      test(`${type}: llama.cpp's logits are the reference's`, async (context) => {
        const seen = await distance_from_reference(file);
        context.diagnostic(`largest difference ${seen}`);
        assert.ok(seen <= bound, `expected at most ${bound}, found ${seen}`);
      });

      test(`${type}: damage is seen`, async (context) => {
        for (const [what, change] of Object.entries(kDamages)) {
          const path = await damaged(file, (bytes, tensors) => change(bytes, tensors, type, D));
          const seen = await distance_from_reference(path);
          context.diagnostic(`${what}: ${seen}`);
          assert.ok(seen > bound, `${what}: ${seen} is not seen`);
        }
      });
    }
  });
}
