// SPDX-License-Identifier: MIT
// What is drawn: the JSON of `bitnet bench --kernels`, in the coordinates of the picture.
import {spread_of} from '../rivals/statistics.mjs';

const unique = (values) => [...new Set(values)];

function roof_of({threads, read_gb_per_s, dot_gmac_per_s}, measurements) {
  const rounds = measurements.filter((m) => m.threads === threads).flatMap((m) => m.rounds);
  const band = (value) => spread_of(rounds.map(value));
  return {
    threads, reads: read_gb_per_s, peak: dot_gmac_per_s,
    reads_band: band((round) => round.read_gb_per_s), peak_band: band((round) => round.dot_gmac_per_s),
  };
}

const point_of = (m) => ({
  tokens: m.tokens, intensity: m.rows * m.inputs * m.tokens / m.weight_bytes, gmac_per_s: m.gmac_per_s,
  title: `${m.layout}, ${m.rows} x ${m.inputs}, tokens: ${m.tokens}, threads: ${m.threads}\n` +
    `${m.ms.toPrecision(3)} ms, ${m.gmac_per_s.toFixed(1)} GMAC/s, ${m.mac_per_cycle.toFixed(1)} MAC/cycle, ` +
    `${m.weight_gb_per_s.toFixed(2)} GB/s\n` +
    `${m.percent_of_bandwidth.toFixed(0)} % of bandwidth, ${m.percent_of_peak.toFixed(0)} % of peak`,
});

/** The points of one matrix, layout and number of threads, joined by a line. */
function series_of(measurements) {
  const key = ({layout, threads}) => `${layout} ${threads}`;
  return unique(measurements.map(key)).map((name) => {
    const some = measurements.filter((m) => key(m) === name).sort((a, b) => a.tokens - b.tokens);
    return {layout: some[0].layout, threads: some[0].threads, points: some.map(point_of)};
  });
}

/**
 * {cpu, kernels, roofs: [{threads, reads, peak, reads_band, peak_band}], panels: [{title, series}]}; reads in GB/s, the
 * rest in GMAC/s. Throws when the text is something else.
 */
export function read_report(text) {
  const expected = 'expected the output of `bitnet bench --kernels --json`';
  let json;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new Error(`${expected}: ${error.message}`);
  }
  const {cpu, kernels, machine, measurements} = json;
  if (!machine?.length || !measurements?.length) throw new Error(`${expected}, found no measurements`);
  const shape = (m) => `${m.rows} × ${m.inputs}`;
  return {
    cpu, kernels, roofs: machine.map((limits) => roof_of(limits, measurements)),
    panels: unique(measurements.map(shape)).map((title) =>
      ({title, series: series_of(measurements.filter((m) => shape(m) === title))})),
  };
}
