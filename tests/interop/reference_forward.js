// SPDX-License-Identifier: MIT
// The forward pass of the golden models in float64, written from its formula:
//
//   h = Emb[ids]
//   a = Norm(h);  q, k, v = Lin(a);  rotate pairs (i, i + D/2) of q, k by position * theta^(-2i/D)
//   h += Lin_o([Norm] softmax(q k^T / sqrt(D), causal) v)
//   f = Norm(h);  h += Lin_down([Norm] silu(Lin_gate(f)) * Lin_up(f));   logits = Norm(h) Head^T
//
// What a program does to the input of a Lin is a parameter: that is all in which programs differ.
// Legend: T tokens, K in_features, N out_features, D head_dim, V vocabulary.
import {round_half_even, round_to_bfloat16, round_to_float16} from './float_formats.js';

/** One code per element, scale = absmax / 127 of each block, as `scale_of` stores it. */
function by_blocks(row, size, scale_of) {
  const result = new Float64Array(row.length);
  for (let start = 0; start < row.length; start += size) {
    const block = row.subarray(start, start + size);
    const absmax = block.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    if (absmax === 0) continue;
    const step = Math.fround(absmax / 127);
    block.forEach((x, i) => {
      result[start + i] = Math.min(127, round_half_even(Math.fround(x / step))) * scale_of(step);
    });
  }
  return result;
}

/** row [K] -> row [K]: what is left of activations in front of a product. */
export const kActivations = {
  exact: (row) => row,
  /** BitNet's own rule: one scale per token. */
  per_token(row) {
    const absmax = row.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    const inverse = Math.fround(127 / Math.max(absmax, Math.fround(1e-5)));
    return row.map((x) =>
      Math.max(-128, Math.min(127, round_half_even(Math.fround(x * inverse)))) / inverse);
  },
  /** llama.cpp beside weights of each type: F16; BF16; Q2_0 (Q8_0); TQ1_0 and TQ2_0 (Q8_K). */
  float16: (row) => row.map(round_to_float16),
  bfloat16: (row) => row.map(round_to_bfloat16),
  q8_0: (row) => by_blocks(row, 32, round_to_float16),
  q8_k: (row) => by_blocks(row, 256, (step) => step),
};

function norm(row, gain, eps, jitter) {
  if (!gain) return row;
  const mean = row.reduce((sum, x) => sum + x * x, 0) / row.length;
  const factor = 1 / Math.sqrt(mean + eps);
  return row.map((x, i) => x * factor * gain[i] * jitter());
}

/** input [K] times {rows: N, columns: K, trits, scale} -> [N]. */
function linear(input, {rows, columns, trits, scale}) {
  const output = new Float64Array(rows);
  for (let n = 0; n < rows; ++n) {
    let sum = 0;
    for (let k = 0; k < columns; ++k) sum += input[k] * trits[n * columns + k];
    output[n] = sum * scale;
  }
  return output;
}

/** Rotates every head of row [heads * D] in place. */
function rotate(row, position, D, theta) {
  for (let head = 0; head < row.length; head += D) {
    for (let i = 0; i < D / 2; ++i) {
      const angle = position * theta ** (-2 * i / D);
      const [x, y] = [row[head + i], row[head + i + D / 2]];
      row[head + i] = x * Math.cos(angle) - y * Math.sin(angle);
      row[head + i + D / 2] = x * Math.sin(angle) + y * Math.cos(angle);
    }
  }
}

/** Rows q, k, v [T][heads * D] -> [T][heads * D]. */
function attention(q, k, v, D) {
  const group = q[0].length / k[0].length;  // query heads per KV head
  return q.map((query, t) => {
    const output = new Float64Array(query.length);
    for (let head = 0; head < query.length / D; ++head) {
      const shared = Math.floor(head / group) * D;
      const scores = new Float64Array(t + 1);
      for (let s = 0; s <= t; ++s) {
        for (let d = 0; d < D; ++d) scores[s] += query[head * D + d] * k[s][shared + d];
        scores[s] /= Math.sqrt(D);
      }
      const most = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - most));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      for (let s = 0; s <= t; ++s) {
        for (let d = 0; d < D; ++d) output[head * D + d] += weights[s] / total * v[s][shared + d];
      }
    }
    return output;
  });
}

const add = (rows, others) => rows.map((row, t) => row.map((x, i) => x + others[t][i]));

/**
 * Logits [T, V] of token ids. `before_ternary` and `before_head` are of kActivations; `jitter` is a
 * factor near 1 on every normed value, to see how far rounding alone can carry.
 */
export function reference_logits(model, ids, before_ternary, before_head, jitter = () => 1) {
  const {config} = model;
  const H = config.hidden_size;
  const D = config.head_dim ?? H / config.num_attention_heads;
  const normed = (rows, gain) =>
    rows.map((row) => norm(row, gain, config.rms_norm_eps, jitter));
  let h = ids.map((id) => model.embedding.slice(id * H, (id + 1) * H));
  for (const layer of model.layers) {
    const project = (rows, name) => rows.map((row) => linear(row, layer.projections[name]));
    const a = normed(h, layer.input_norm).map(before_ternary);
    const [q, k, v] = ['q', 'k', 'v'].map((name) => project(a, `self_attn.${name}_proj`));
    for (const rows of [q, k]) rows.forEach((row, t) => rotate(row, t, D, config.rope_theta));
    const context = normed(attention(q, k, v, D), layer.attention_sub_norm).map(before_ternary);
    h = add(h, project(context, 'self_attn.o_proj'));
    const f = normed(h, layer.ffn_norm).map(before_ternary);
    const up = project(f, 'mlp.up_proj');
    const gated = project(f, 'mlp.gate_proj').map((row, t) =>
      row.map((x, i) => x / (1 + Math.exp(-x)) * up[t][i]));
    h = add(h, project(normed(gated, layer.ffn_sub_norm).map(before_ternary), 'mlp.down_proj'));
  }
  const V = config.vocab_size;
  const logits = new Float64Array(ids.length * V);
  normed(h, model.norm).map(before_head).forEach((row, t) => {
    for (let token = 0; token < V; ++token) {
      for (let k = 0; k < H; ++k) logits[t * V + token] += row[k] * model.head[token * H + k];
    }
  });
  return logits;
}
