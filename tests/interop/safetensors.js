// SPDX-License-Identifier: MIT
// A safetensors file, read by its definition: header length, JSON header, bytes.
import {readFileSync} from 'node:fs';

import {bfloat16_value, float16_value} from './float_formats.js';

const kReaders = {
  F32: (view, i) => view.getFloat32(4 * i, true),
  F16: (view, i) => float16_value(view.getUint16(2 * i, true)),
  BF16: (view, i) => bfloat16_value(view.getUint16(2 * i, true)),
  I32: (view, i) => view.getInt32(4 * i, true),
  U8: (view, i) => view.getUint8(i),
};

/** name -> {dtype, shape, values: Float64Array} of all tensors of a file. */
export function read_safetensors(path) {
  const file = readFileSync(path);
  const header_bytes = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, 8 + header_bytes));
  delete header.__metadata__;
  const tensors = new Map();
  for (const [name, {dtype, shape, data_offsets: [begin, end]}] of Object.entries(header)) {
    const start = file.byteOffset + 8 + header_bytes + begin;
    const view = new DataView(file.buffer, start, end - begin);
    const count = shape.reduce((product, dim) => product * dim, 1);
    const values = Float64Array.from({length: count}, (_, i) => kReaders[dtype](view, i));
    tensors.set(name, {dtype, shape, values});
  }
  return tensors;
}
