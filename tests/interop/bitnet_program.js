// SPDX-License-Identifier: MIT
// The program under test, and the GGUF files that it writes for these tests.
import {execFileSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';

import {gguf} from '@huggingface/gguf';

import {golden_folder} from './golden_model.js';

const folder = mkdtempSync(path.join(tmpdir(), 'bitnet-interop-'));
process.on('exit', () => rmSync(folder, {recursive: true}));

/** What the program prints, given `input` on its standard input. */
export const run_with_input = (input, ...args) =>
  execFileSync(process.env.BITNET_PROGRAM, args, {encoding: 'utf8', maxBuffer: 1 << 28, input});

export const run = (...args) => run_with_input('', ...args);

export const temporary_file = (name) => path.join(folder, name);

/** Path of the GGUF file that `bitnet convert` makes of `input`. */
export function convert(input, type, ...options) {
  const output = temporary_file(`${path.basename(path.dirname(input))}-${type}${options.join('')}.gguf`);
  run('convert', input, '-o', output, '--type', type, ...options);
  return output;
}

/** A golden model (NAME/latent or NAME/packed) whose matrices are stored as `type`; Q8_0 holds no trits exactly. */
export const convert_golden = (model, type, ...options) =>
  convert(golden_folder(model), type, ...(type === 'q8_0' ? ['--keep-latents'] : []), ...options);

/** Logits [ids.length * V] that the program itself computes. */
export function logits(file, ids) {
  const output = temporary_file('logits.npy');
  run('logits', '-m', file, '--tokens', ids.join(','), '-o', output);
  const bytes = readFileSync(output);
  const begin = 10 + bytes.readUInt16LE(8);  // magic, version, length of the header
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset + begin,
    bytes.byteOffset + bytes.length));
}

export const inspect = (file) => JSON.parse(run('inspect', file, '--json'));

/**
 * {metadata, tensors: name -> {type, shape, begin}, data_begin} as @huggingface/gguf reads it; `shape`
 * is [rows, columns] or [n], `begin` counts from the start of the file.
 */
export async function read_gguf(file) {
  const {metadata, tensorInfos, tensorDataOffset} = await gguf(file, {allowLocalFile: true});
  const data_begin = Number(tensorDataOffset);
  const tensors = new Map(tensorInfos.map(({name, dtype, shape, offset}) =>
    [name, {type: dtype, shape: shape.map(Number).reverse(), begin: data_begin + Number(offset)}]));
  return {metadata, tensors, data_begin, bytes: readFileSync(file)};
}
