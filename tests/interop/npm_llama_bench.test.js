// SPDX-License-Identifier: MIT
// Oracle: this test's own clock. Loading apart, two passes (one warms up) fit into the time that the program ran, so
// its speed is at least tokens / that time; and it must name what was asked for.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import path from 'node:path';
import {test} from 'node:test';

import {convert_golden} from './bitnet_program.js';

const bench = path.join(process.env.BITNET_SOURCE_DIR, 'bench/rivals/npm_llama_bench.mjs');
const environment = {...process.env, NODE_LLAMA_CPP: path.resolve('node_modules/node-llama-cpp')};

for (const [prompt, generation] of [[600, 0], [0, 20]]) {
  test(`${prompt} tokens of a prompt, ${generation} generated`, () => {
    const model = convert_golden('bitnet-2b4t/packed', 'tq2_0', '--for', 'llama.cpp');
    const args = ['-m', model, '-p', prompt, '-n', generation, '-t', 1, '-r', 1, '-o', 'json'].map(String);
    const start = performance.now();
    const rows = JSON.parse(execFileSync(process.execPath, [bench, ...args], {encoding: 'utf8', env: environment}));
    const seconds = (performance.now() - start) / 1e3;
    assert.equal(rows.length, 1);
    const [{n_prompt, n_gen, n_threads, model_type, avg_ts}] = rows;
    assert.deepEqual([n_prompt, n_gen, n_threads], [prompt, generation, 1]);
    assert.match(model_type, /TQ2_0/);
    assert.ok(avg_ts > (prompt + generation) / seconds, `${avg_ts} tokens/s within ${seconds} s`);
  });
}
