// SPDX-License-Identifier: MIT
// Oracle: llama.cpp's own decoders. Its logits must be those of the golden model whose embedding and
// head are replaced by what the naive decoders here find in the same file.
import assert from 'node:assert/strict';
import {after, test} from 'node:test';

import {convert_golden, read_gguf} from './bitnet_program.js';
import {kBlockDecoders} from './block_decoders.js';
import {read_expected, read_golden_model} from './golden_model.js';
import {close_llama_cpp, llama_cpp_logits} from './llama_cpp.js';
import {calm_prompts, difference, kReferenceBound} from './logit_bounds.js';
import {kActivations, reference_logits} from './reference_forward.js';

// Embedding type -> what llama.cpp does to the input of a head of this type.
const kBesideHead = {
  f32: 'exact', f16: 'float16', bf16: 'bfloat16', q8_0: 'q8_0', q4_0: 'q8_0', q4_k: 'q8_k', q6_k: 'q8_k',
};

const kFolder = 'llama-ternary/packed';  // 256 columns; head apart from the embedding
const golden = read_golden_model(kFolder);
const {prompts} = read_expected('llama-ternary');

after(close_llama_cpp);

for (const [type, beside_head] of Object.entries(kBesideHead)) {
  test(`embedding and head as ${type}`, async (context) => {
    const path = convert_golden(kFolder, 'tq2_0', '--for', 'llama.cpp', '--embedding-type', type);
    const {tensors, bytes} = await read_gguf(path);
    const decoded = (name) => {
      const {type: number, shape: [rows, columns], begin} = tensors.get(name);
      return kBlockDecoders[number](bytes, begin, rows * columns);
    };
    const model =
      {...golden, embedding: decoded('token_embd.weight'), head: decoded('output.weight')};
    const reference = (ids, jitter) => reference_logits(model, ids, kActivations.q8_k,
      kActivations[beside_head], jitter);
    const bound = kReferenceBound[beside_head];
    for (const {ids, logits} of calm_prompts(reference, prompts.len300, bound, 3)) {
      const found = await llama_cpp_logits(path, ids, model.config.vocab_size);
      const seen = difference(found, logits);
      context.diagnostic(`tokens ${ids}: ${JSON.stringify(seen)}`);
      assert.ok(seen.max <= bound, `tokens ${ids}: ${JSON.stringify(seen)}`);
    }
  });
}
