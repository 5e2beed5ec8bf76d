// SPDX-License-Identifier: MIT
// The report as Markdown.
import path from 'node:path';

import {all_comparisons} from './comparisons.mjs';
import {spread_of} from './statistics.mjs';

/** Medians of fewer rounds are not to be quoted. */
const kRoundsToQuote = 5;

const table = (heads, rows) =>
  [heads, heads.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');

function machine_line({cpu, cores, cpus_used, memory_gib, virtual, kernel, load_average, date}, kernels) {
  return `${date}: ${cpu}, ${cores} CPUs (used: ${cpus_used.join(', ')}), ${memory_gib} GiB` +
    `${virtual ? ', a virtual machine' : ''}, ${kernel}, load average ${load_average.toFixed(2)}; ` +
    `our kernels ${kernels}`;
}

/** What a contender ran: its own program says which model it took the file for. */
function contender_row({name, version, model, model_bytes, flags}, {turns}) {
  const {build_commit, model_type, head_bytes, bytes_per_token} = turns[name];
  return [name, build_commit ?? version, path.basename(model), model_bytes ? (model_bytes / 1e6).toFixed(0) : '',
    model_type ?? `${(bytes_per_token / 1e6).toFixed(0)} MB per token, head ${(head_bytes / 1e6).toFixed(0)} MB`,
    flags.join(' ')];
}

const comparison_row = ({test, threads, placement, rounds, opponent, unit, ours, theirs, ratio}) => [
  test, threads, placement, rounds < kRoundsToQuote ? `${rounds} *` : rounds, opponent,
  ours.median.toFixed(2), theirs.median.toFixed(2), unit,
  ratio.median.toFixed(2), `${ratio.p10.toFixed(2)}-${ratio.p90.toFixed(2)}`];

function probe_lines(judged) {
  const line = (what, unit, value) => {
    const {median, p10, p90} = spread_of(judged.map(value));
    return `* ${what}: ${median.toFixed(2)} ${unit} (10-90 %: ${p10.toFixed(2)}-${p90.toFixed(2)})`;
  };
  return [
    line('clock', 'GHz', (round) => round.probes.core_ghz),
    line(`memory reads on ${judged[0].probes.threads} threads`, 'GB/s', (round) => round.probes.read_gb_per_s),
    line('empty parallel region', 'µs', (round) => round.probes.region_us),
    line('steal', '%', (round) => 100 * round.steal),
  ].join('\n');
}

function results(judged, void_reasons, our_name) {
  if (void_reasons.length !== 0) {
    return `**Void**: more than a third of the rounds dropped. ${void_reasons.join('; ')}.`;
  }
  const rows = all_comparisons(judged, our_name);
  const few = rows.some(({rounds}) => rounds < kRoundsToQuote);
  return table(['test', 'threads', 'placement', 'rounds', 'against', 'ours', 'theirs', 'unit', 'ratio', '10-90 %'],
    rows.map(comparison_row)) +
    '\n\nMedians of each; the ratio is the median of the ratios within each round: not the quotient of the two.' +
    (few ? `\n\\* fewer than ${kRoundsToQuote} rounds: not to be quoted.` : '');
}

/** run: {machine, command, correctness, contenders, judged, void_reasons}; the first contender is ours. */
export function markdown({machine, command, correctness, contenders, judged, void_reasons}) {
  const dropped = judged.filter((round) => round.dropped)
    .map(({test, threads, round, dropped}) => `${test}, threads ${threads}, round ${round}: ${dropped}`);
  return `# bitnet against its rivals

${machine_line(machine, judged[0].probes.kernels)}

\`${command}\`

${table(['contender', 'version', 'model', 'MB', 'as its program sees it', 'options'],
    contenders.map((contender) => contender_row(contender, judged[0])))}

${results(judged, void_reasons, contenders[0].name)}

## Probes of all rounds

${probe_lines(judged)}

Dropped: ${dropped.length === 0 ? 'none' : dropped.join('; ')}.

## Correctness

${correctness.map((line) => `* ${line}`).join('\n')}
* llama-bench chooses its prompt at random, ours is fixed: with dense weights the work is the same.
`;
}
