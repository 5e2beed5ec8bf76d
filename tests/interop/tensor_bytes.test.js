// SPDX-License-Identifier: MIT
// Oracle: the golden checkpoint, unpacked or ternarized here; the tensors of our files, decoded here.
import assert from 'node:assert/strict';
import {test} from 'node:test';

import {convert_golden, read_gguf} from './bitnet_program.js';
import {round_to_float16} from './float_formats.js';
import {kGgufProjections, is_permuted, source_row} from './gguf_names.js';
import {read_golden_model} from './golden_model.js';
import {kTernaryDecoders} from './ternary_decoders.js';

/** The decoded matrix [rows, columns] without its scale, and that scale. */
function stored_projection({tensors, bytes}, name) {
  const {type, shape: [rows, columns], begin} = tensors.get(`${name}.weight`);
  const values = kTernaryDecoders[type](bytes, begin, rows * columns);
  const apart = tensors.get(`${name}.scale`);
  const scale = apart ? bytes.readFloatLE(apart.begin)
                      : values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  return {rows, columns, scale, trits: apart ? values : values.map((x) => x / scale)};
}

const kCases = [
  ['onebitllm/latent', 'i2_s'], ['onebitllm/latent', 'q2_0'], ['onebitllm/latent', 'f16'],
  ['llama-ternary/packed', 'i2_s'], ['llama-ternary/packed', 'tq1_0'],
  ['llama-ternary/packed', 'tq2_0'], ['llama-ternary/packed', 'q2_0'],
  ['llama-ternary/packed', 'f16'],
  ['llama-ternary/packed', 'tq1_0', 'rounded'], ['llama-ternary/packed', 'tq2_0', 'rounded'],
  ['llama-ternary/packed', 'q2_0', 'rounded'], ['llama-ternary/packed', 'f16', 'rounded'],
];

for (const [folder, type, scales = 'tensor'] of kCases) {
  test(`${folder} as ${type}, scales ${scales}: every trit and scale`, async () => {
    const model = read_golden_model(folder);
    const file = await read_gguf(convert_golden(folder, type, '--scales', scales));
    const architecture = file.metadata['general.architecture'];
    const D = Number(file.metadata[`${architecture}.rope.dimension_count`]);
    for (const [n, layer] of model.layers.entries()) {
      for (const [source, name] of Object.entries(kGgufProjections)) {
        const golden = layer.projections[source];
        const stored = stored_projection(file, `blk.${n}.${name}`);
        const {rows, columns} = golden;
        assert.deepEqual([stored.rows, stored.columns], [rows, columns], name);
        const scale = scales === 'rounded' ? round_to_float16(golden.scale) : golden.scale;
        assert.equal(stored.scale, scale, name);
        for (let row = 0; row < rows; ++row) {
          const from = is_permuted(architecture, source) ? source_row(row, D) : row;
          assert.deepEqual(Int8Array.from(stored.trits.slice(row * columns, (row + 1) * columns)),
            golden.trits.slice(from * columns, (from + 1) * columns), `${name} row ${row}`);
        }
      }
    }
  });
}
