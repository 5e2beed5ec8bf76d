// SPDX-License-Identifier: MIT
// What a golden model is called in GGUF, and in which order its rows stand there.

export const kGgufProjections = {
  'self_attn.q_proj': 'attn_q', 'self_attn.k_proj': 'attn_k', 'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output', 'mlp.gate_proj': 'ffn_gate', 'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
};

/** In GGUF's `llama`, rotated pairs are neighbours: row 2 j + p of a head is row p D / 2 + j here. */
export function source_row(row, D) {
  const i = row % D;
  return row - i + (i % 2) * (D / 2) + Math.floor(i / 2);
}

export function is_permuted(architecture, projection) {
  return architecture === 'llama' && /\.(q|k)_proj$/.test(projection);
}
