// SPDX-License-Identifier: MIT
// Oracles: the reader @huggingface/gguf for the container, and config.json for the keys' values.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import path from 'node:path';
import {test} from 'node:test';

import {convert_golden, inspect, read_gguf} from './bitnet_program.js';
import {golden_folder} from './golden_model.js';

const kAlignment = 32;

// Numbers of ggml: [type, elements of a block, bytes of a block]; I2_S has 32 bytes more per tensor.
const kTypes = {
  F32: [0, 1, 4], F16: [1, 1, 2], Q4_0: [2, 32, 18], Q8_0: [8, 32, 34], Q4_K: [12, 256, 144],
  Q6_K: [14, 256, 210], BF16: [30, 1, 2], TQ1_0: [34, 256, 54], TQ2_0: [35, 256, 66],
  I2_S: [36, 4, 1], Q2_0: [42, 64, 18],
};
const kFileTypes = {f16: 1, q4_0: 2, q8_0: 7, bf16: 32, tq1_0: 36, tq2_0: 37, i2_s: 40, q2_0: 41};

function byte_count(type, shape) {
  const [, elements, bytes] = kTypes[type];
  const count = shape.reduce((product, dim) => product * dim, 1);
  return count / elements * bytes + (type === 'I2_S' ? 32 : 0);
}

/** The keys that config.json determines. */
function expected_metadata(model, architecture, type) {
  const config = JSON.parse(readFileSync(path.join(golden_folder(model), 'config.json'), 'utf8'));
  const head_dim = config.head_dim ?? config.hidden_size / config.num_attention_heads;
  const sizes = {
    vocab_size: config.vocab_size,
    context_length: config.max_position_embeddings,
    embedding_length: config.hidden_size,
    block_count: config.num_hidden_layers,
    feed_forward_length: config.intermediate_size,
    'rope.dimension_count': head_dim,
    'attention.head_count': config.num_attention_heads,
    'attention.head_count_kv': config.num_key_value_heads,
    'attention.layer_norm_rms_epsilon': Math.fround(config.rms_norm_eps),
    'rope.freq_base': Math.fround(config.rope_theta),
    hidden_activation: config.hidden_act,
  };
  if (head_dim * config.num_attention_heads !== config.hidden_size) {
    sizes['attention.key_length'] = head_dim;
    sizes['attention.value_length'] = head_dim;
  }
  const entries = Object.entries(sizes).map(([key, value]) => [`${architecture}.${key}`, value]);
  return {
    'general.architecture': architecture,
    'general.file_type': kFileTypes[type],
    'general.quantization_version': 2,
    ...Object.fromEntries(entries),
  };
}

/** Bigints as numbers, as JSON has them. */
const plain = (value) => JSON.parse(JSON.stringify(value, (_, held) =>
  typeof held === 'bigint' ? Number(held) : held));

const kCases = [
  ...['i2_s', 'q2_0', 'q4_0', 'q8_0', 'f16', 'bf16'].map((type) => ['onebitllm/latent', 'bitnet', type]),
  ...['i2_s', 'tq1_0', 'tq2_0', 'q2_0', 'q4_0', 'f16'].map(
    (type) => ['llama-ternary/packed', 'llama', type]),
  ...['i2_s', 'tq2_0'].map((type) => ['bitnet-2b4t/packed', 'bitnet-b1.58', type]),
  ['bitnet-2b4t/latent', 'bitnet-b1.58', 'tq1_0'],
  ['bitnet-odd/packed', 'bitnet-b1.58', 'q4_0'],
  ['bitnet-embedding/latent', 'qwen3', 'q4_0'],
];

for (const [model, architecture, type] of kCases) {
  test(`${model} as ${type} reads as written`, async () => {
    const file = convert_golden(model, type);
    const ours = inspect(file);
    const {metadata, tensors, data_begin, bytes} = await read_gguf(file);

    const {version, tensor_count, kv_count, ...keys} = plain(metadata);
    assert.equal(version, 3);
    assert.equal(tensor_count, ours.tensors.length);
    assert.equal(kv_count, Object.keys(ours.metadata).length);
    assert.deepEqual(keys, ours.metadata);
    for (const [key, value] of Object.entries(expected_metadata(model, architecture, type))) {
      assert.equal(keys[key], value, key);
    }

    assert.deepEqual([...tensors.keys()], ours.tensors.map(({name}) => name));
    let begin = data_begin;
    for (const tensor of ours.tensors) {
      const read = tensors.get(tensor.name);
      assert.equal(read.type, kTypes[tensor.type][0], tensor.name);
      assert.deepEqual(read.shape, tensor.shape, tensor.name);
      assert.equal(tensor.bytes, byte_count(tensor.type, tensor.shape), tensor.name);
      assert.equal(read.begin, begin, `${tensor.name} begins where the one before ends`);
      begin += Math.ceil(tensor.bytes / kAlignment) * kAlignment;
    }
    assert.equal(bytes.length, begin, 'the last tensor is padded and nothing follows it');
  });
}
