// SPDX-License-Identifier: MIT
// From the measuring program to the picture. Oracle: the JSON in between.
import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import path from 'node:path';
import {test} from 'node:test';

import {plots_of} from './svg.mjs';

const run = (program, args, input) => spawnSync(program, args, {encoding: 'utf8', input});
const draw = (args, input) =>
  run(process.execPath, [path.join(process.env.BITNET_SOURCE_DIR, 'bench/roofline/roofline.mjs'), ...args], input);

test('what bitnet bench measured is drawn', () => {
  const bench = run(process.env.BITNET_PROGRAM,
    ['bench', '--kernels', '--shapes', '512x640,1024x640', '--tokens', '1,8', '-t', '1', '-r', '1', '--json']);
  assert.equal(bench.status, 0, bench.stderr);
  const {measurements} = JSON.parse(bench.stdout);
  const {status, stdout, stderr} = draw([], bench.stdout);
  assert.equal(status, 0, stderr);
  const plots = plots_of(stdout);
  assert.equal(plots.length, 2);
  const titles = plots.flatMap(({marks}) => marks.map(({title}) => title));
  for (const {layout, rows, inputs, tokens, gmac_per_s} of measurements) {
    const about = titles.filter((title) => title.startsWith(`${layout}, ${rows} x ${inputs}, tokens: ${tokens}, threads: 1\n`));
    assert.equal(about.length, 1);
    assert.ok(about[0].includes(` ${gmac_per_s.toFixed(1)} GMAC/s`), about[0]);
  }
});

test('what cannot be drawn is refused', () => {
  for (const [args, input, expected] of [
    [[], '12 tokens/s', /roofline: error: expected the output of `bitnet bench --kernels --json`: /],
    [[], '{"tests": []}', /roofline: error: expected the output of .*, found no measurements/],
    [['/no/such'], '', /roofline: error: .*\/no\/such/],
    [['a', 'b'], '', /roofline: error: expected one file, found a b/],
  ]) {
    const {status, stdout, stderr} = draw(args, input);
    assert.equal(status, 1);
    assert.equal(stdout, '');
    assert.match(stderr, expected);
  }
  assert.match(draw(['--help']).stdout, /Example:\n.*--kernels/);
});
