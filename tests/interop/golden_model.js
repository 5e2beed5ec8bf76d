// SPDX-License-Identifier: MIT
// The golden checkpoints as numbers, by the formulas of tests/golden/PROVENANCE.md: every projection
// is trits times one scale, everything else floats. Shares no code with the program under test.
import {readFileSync} from 'node:fs';
import path from 'node:path';

import {round_half_even} from './float_formats.js';
import {read_safetensors} from './safetensors.js';

const kGolden = path.join(process.env.BITNET_SOURCE_DIR, 'tests/golden/models');

export const kProjections = [
  'self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj', 'self_attn.o_proj',
  'mlp.gate_proj', 'mlp.up_proj', 'mlp.down_proj',
];

/** Strips of rows: byte [r][k] of R rows holds row r + i R in bits 2i+1..2i, as trit + 1. */
function unpack(packed, scale) {
  const [R, K] = packed.shape;
  const trits = new Int8Array(4 * R * K);  // [4 R, K]
  for (let i = 0; i < 4; ++i) {
    packed.values.forEach((byte, at) => { trits[i * R * K + at] = ((byte >> (2 * i)) & 3) - 1; });
  }
  return {rows: 4 * R, columns: K, trits, scale};
}

/** Absmean: scale = mean |w|, trit = clamp(half_even(w / scale), -1, 1). */
function ternarize(master) {
  const mean = master.values.reduce((sum, w) => sum + Math.abs(w), 0) / master.values.length;
  const scale = Math.fround(Math.max(mean, Math.fround(1e-5)));
  const inverse = Math.fround(1 / scale);
  const trits = Int8Array.from(master.values, (w) =>
    Math.max(-1, Math.min(1, round_half_even(Math.fround(w * inverse)))));
  return {rows: master.shape[0], columns: master.shape[1], trits, scale};
}

function projection(tensors, name, divides) {
  const weight = tensors.get(`${name}.weight`);
  if (weight.dtype !== 'U8') return ternarize(weight);
  const stored = tensors.get(`${name}.weight_scale`).values[0];
  return unpack(weight, Math.fround(divides ? 1 / stored : stored));
}

export const golden_folder = (folder) => path.join(kGolden, folder);

/** `folder` is NAME/latent or NAME/packed. */
export function read_golden_model(folder) {
  const config = JSON.parse(readFileSync(path.join(kGolden, folder, 'config.json'), 'utf8'));
  const tensors = read_safetensors(path.join(kGolden, folder, 'model.safetensors'));
  const divides = config.quantization_config?.linear_class !== 'autobitlinear';
  const floats = (name) => tensors.get(`${name}.weight`)?.values;
  const layers = [];
  for (let n = 0; n < config.num_hidden_layers; ++n) {
    const prefix = `model.layers.${n}.`;
    layers.push({
      input_norm: floats(`${prefix}input_layernorm`),
      attention_sub_norm: floats(`${prefix}self_attn.inner_attn_ln`),
      ffn_norm: floats(`${prefix}post_attention_layernorm`),
      ffn_sub_norm: floats(`${prefix}mlp.ffn_layernorm`),
      projections: Object.fromEntries(
        kProjections.map((name) => [name, projection(tensors, prefix + name, divides)])),
    });
  }
  const embedding = tensors.get('model.embed_tokens.weight');
  return {config, layers, tensors, embedding: embedding.values,
          embedding_dtype: embedding.dtype,
          head: floats('lm_head') ?? embedding.values, norm: floats('model.norm')};
}

/** {prompts, logits, mistakes, tolerance} of NAME; logits[length] is a Float64Array [length, V]. */
export function read_expected(name) {
  const json = JSON.parse(readFileSync(path.join(kGolden, name, 'expected.json'), 'utf8'));
  const tensors = read_safetensors(path.join(kGolden, name, 'expected.safetensors'));
  const logits = Object.fromEntries(
    ['len1', 'len7', 'len64'].map((length) => [length, tensors.get(`${length}/logits`).values]));
  return {...json, logits};
}
