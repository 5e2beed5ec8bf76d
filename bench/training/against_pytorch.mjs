// SPDX-License-Identifier: MIT
// Training with `bitnet train`'s code against plain PyTorch: the two programs in strict rotation, Markdown out.
import {execFileSync} from 'node:child_process';
import {parseArgs} from 'node:util';

import {spread_of} from '../rivals/statistics.mjs';

const kHelp = `Compares training steps with plain PyTorch, in strict rotation.

usage, from the root of the sources: node bench/training/against_pytorch.mjs [options]

  --threads N,N   numbers of threads                 (1)
  --rounds N      rounds                             (7)
  --seconds N     of each turn                       (10)
  --python FILE   a Python that has torch            (/usr/bin/python3; Debian: python3-torch)
  --help

PyTorch takes part twice: as it comes, and with the kernels that OPENBLAS_CORETYPE names (SkylakeX unless set),
for where OpenBLAS does not know the processor.
`;

const {values} = parseArgs({options: {
  threads: {type: 'string', default: '1'}, rounds: {type: 'string', default: '7'},
  seconds: {type: 'string', default: '10'}, python: {type: 'string', default: '/usr/bin/python3'},
  help: {type: 'boolean', default: false},
}});
if (values.help) {
  process.stdout.write(kHelp);
  process.exit(0);
}

const ours = ['build/release/bitnet_bench_transformer_step'];
const pytorch = [values.python, 'bench/training/plain_pytorch.py'];
const core_type = process.env.OPENBLAS_CORETYPE ?? 'SkylakeX';
const contenders = [
  {name: 'ours, ternary', command: ours},
  {name: 'ours, float', command: [...ours, '--float']},
  {name: 'PyTorch, ternary', command: pytorch, unset: true},
  {name: `PyTorch, ternary, OPENBLAS_CORETYPE=${core_type}`, command: pytorch},
  {name: `PyTorch, float, OPENBLAS_CORETYPE=${core_type}`, command: [...pytorch, '--float']},
];

function measure({command: [program, ...options], unset}, threads) {
  const env = {...process.env, OMP_NUM_THREADS: threads, OPENBLAS_NUM_THREADS: threads, OPENBLAS_CORETYPE: core_type};
  if (unset) delete env.OPENBLAS_CORETYPE;
  const args = [...options, '--threads', threads, '--seconds', values.seconds];
  return JSON.parse(execFileSync(program, args, {env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit']}));
}

const digits = ({median, p10, p90}, places) =>
  `${median.toFixed(places)} (${p10.toFixed(places)}-${p90.toFixed(places)})`;

console.log('| threads | | tokens/s, median (10-90 %) | ours, ternary / this | peak MB |\n|--:|---|--:|--:|--:|');
for (const threads of values.threads.split(',')) {
  const rounds = Array.from({length: Number(values.rounds)}, () => contenders.map((one) => measure(one, threads)));
  contenders.forEach(({name}, i) => {
    const rate = spread_of(rounds.map((round) => round[i].tokens_per_second));
    const ratio = spread_of(rounds.map((round) => round[0].tokens_per_second / round[i].tokens_per_second));
    const peak = spread_of(rounds.map((round) => round[i].peak_mb)).median;
    console.log(`| ${threads} | ${name} | ${digits(rate, 0)} | ${digits(ratio, 2)} | ${peak.toFixed(0)} |`);
  });
}
