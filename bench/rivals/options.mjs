// SPDX-License-Identifier: MIT
import {parseArgs} from 'node:util';

import {allowed_cpus} from './machine.mjs';

export const kHelp = `Compares bitnet with rival engines on this machine, in strict rotation.

usage: [VARIABLE=VALUE ...] node bench/rivals/rivals.mjs [options]

  --pp N,N        prompt lengths                            (512; 0: none)
  --tg N,N        numbers of tokens to generate             (128; 0: none)
  --threads N,N   numbers of threads                        (1 and all CPUs)
  --cpus N,N      CPUs; n threads run on the first n        (all that are allowed)
  --rounds N      rounds of each case                       (11; fewer say little)
  --json FILE     every round, rewritten after each         (rivals.json)
  --help

Ours, from the root of the sources:
  BITNET_MODEL            model file (required)
  BITNET_PROGRAM          build/release/bitnet
  BITNET_PROBES           build/release/bitnet_bench_probes
  BITNET_FLAGS            options of bitnet bench           (--cache-type f16)

Each rival X (IK, LLAMA_CPP, BITNET_CPP or any other name) is a llama-bench program:
  BITNET_RIVAL_X          the program
  BITNET_RIVAL_X_MODEL    its model file (required)
  BITNET_RIVAL_X_FLAGS    its options                       (-fa 1; for IK -fa 1 -rtr 1)
  BITNET_RIVAL_X_CLI      its llama-cli; called with -m -n --temp 0 --no-display-prompt -p, it must
                          continue four prompts with the same text as ours, or nothing is timed

A round of a case: the probes (clock, memory reads, barrier), then each contender once. A round does not
count when the host took more than 1 % of the time (steal) or the clock is more than 5 % off the median. When
a case loses more than a third of its rounds, the run is void.

The report goes to standard output, progress to standard error. Exit status: 0, 1 after an error, 2 when void.

Example:
  BITNET_MODEL=2b.gguf BITNET_RIVAL_IK=ik/bin/llama-bench BITNET_RIVAL_IK_MODEL=2b-iq2_bn_r4.gguf \\
    node bench/rivals/rivals.mjs --threads 1,2 > rivals.md
`;

function numbers(option, text, least) {
  const values = text.split(',').map(Number);
  if (!values.every((value) => Number.isInteger(value) && value >= least)) {
    throw new Error(`--${option}: expected whole numbers from ${least}, found '${text}'`);
  }
  return values;
}

/** {help, pp, tg, threads, cpus, rounds, json}; throws on an argument that makes no sense. */
export function parse_options(args, allowed = allowed_cpus()) {
  const {values} = parseArgs({args, options: {
    pp: {type: 'string', default: '512'}, tg: {type: 'string', default: '128'},
    threads: {type: 'string', default: [...new Set([1, allowed.length])].join(',')},
    cpus: {type: 'string', default: allowed.join(',')},
    rounds: {type: 'string', default: '11'}, json: {type: 'string', default: 'rivals.json'},
    help: {type: 'boolean', default: false},
  }});
  const options = {
    ...values,
    pp: numbers('pp', values.pp, 0).filter(Boolean), tg: numbers('tg', values.tg, 0).filter(Boolean),
    threads: numbers('threads', values.threads, 1), cpus: numbers('cpus', values.cpus, 0),
    rounds: numbers('rounds', values.rounds, 1)[0],
  };
  if (options.pp.length + options.tg.length === 0) throw new Error('--pp, --tg: expected a test, found none');
  const most = Math.max(...options.threads);
  if (most > options.cpus.length) {
    throw new Error(`--threads: expected at most ${options.cpus.length}, one per CPU, found ${most}`);
  }
  return options;
}
