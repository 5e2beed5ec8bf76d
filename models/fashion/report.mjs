#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// report.mjs RUN DATA: what train.sh left in the folder RUN becomes scores.json and page.html beside this file.
import {readFileSync, writeFileSync} from 'node:fs';

import {draw_page} from './page.mjs';

/** Rows of trits of a matrix in the form of pack_2bit: sixteen in a word, 1 is +1, 2 is -1. */
function read_trits(path, layer, columns) {
  const file = readFileSync(path);
  const length = Number(file.readBigUInt64LE(0));
  const {shape: [rows, words], data_offsets: [begin]} = JSON.parse(file.subarray(8, 8 + length))[`layers.${layer}.codes`];
  const code = (row, k) => file.readUInt32LE(8 + length + begin + 4 * (row * words + (k >> 4))) >>> 2 * (k & 15) & 3;
  return Array.from({length: rows}, (_, row) => Int8Array.from({length: columns}, (_, k) => [0, 1, -1][code(row, k)]));
}

function main(run, data) {
  const json = (name) => JSON.parse(readFileSync(`${run}/${name}.json`, 'utf8'));
  const [ternary, full_precision, test, sample] = ['ternary', 'full_precision', 'test', 'sample'].map(json);
  const scores = {ternary: {...ternary, right: test.right}, full_precision, sample_right: sample.right};
  const images = readFileSync(`${data}/t10k-images-idx3-ubyte`).subarray(16);
  const labels = readFileSync(`${data}/t10k-labels-idx1-ubyte`).subarray(8);
  const pictures = test.found.map((found, i) => ({found, label: labels[i], pixels: images.subarray(784 * i, 784 * (i + 1))}));
  const beside = (name) => new URL(name, import.meta.url);
  writeFileSync(beside('scores.json'), `${JSON.stringify(scores, null, 1).replaceAll(/\n\s+(?=[\d\]])/g, ' ')}\n`);
  writeFileSync(beside('page.html'), draw_page({
    scores, pictures, first_layer: read_trits(`${run}/model.safetensors`, 0, 784)}));
}

main(...process.argv.slice(2));
