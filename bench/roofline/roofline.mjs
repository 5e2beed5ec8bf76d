#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// Draws what `bitnet bench --kernels --json` measured; --help says how.
import {readFileSync} from 'node:fs';
import {parseArgs} from 'node:util';

import {draw_roofline} from './drawing.mjs';
import {read_report} from './report.mjs';

const kHelp = `Draws the roofline of \`bitnet bench --kernels --json\` as an SVG that needs no other file.

usage: node bench/roofline/roofline.mjs [FILE] > roofline.svg

FILE is the JSON; without it, standard input is read. A panel for each matrix. Across: multiply-adds for each
byte of weights that is read, more of them the more tokens share a read. Up: multiply-adds a second. Nothing
that reads its weights from memory is above the slope, which is the bandwidth of plain reads; nothing that
multiplies is above the flat, which is the peak of int8 dot products. Medians; the shades behind the roofs hold
80 % of their probes. The points' titles tell their figures.

Example:
  build/release/bitnet bench --kernels -t 1,2 -r 7 --json | node bench/roofline/roofline.mjs > roofline.svg
`;

function main(args) {
  const {values, positionals} = parseArgs({
    args, allowPositionals: true, options: {help: {type: 'boolean', default: false}}});
  if (values.help) {
    process.stdout.write(kHelp);
    return;
  }
  if (positionals.length > 1) throw new Error(`expected one file, found ${positionals.join(' ')}`);
  const source = positionals[0] ?? 0;
  process.stdout.write(draw_roofline(read_report(readFileSync(source, 'utf8'))));
}

try {
  main(process.argv.slice(2));
} catch (error) {
  console.error(`roofline: error: ${error.message}`);
  process.exitCode = 1;
}
