// SPDX-License-Identifier: MIT
// Oracle: the figures that went in, read back from the picture by its own ticks; boxes of texts as polygons.
import assert from 'node:assert/strict';
import {test} from 'node:test';

import {draw_roofline} from '../../bench/roofline/drawing.mjs';
import {read_report} from '../../bench/roofline/report.mjs';
import {all_texts, corners_of, overlap, plots_of, value_at} from './svg.mjs';

const kPeak = {1: 400, 2: 800};
const kReads = {1: 16, 2: 32};
const kBytesPerWeight = {t16: 0.2, t16p: 0.2, t2: 0.25};

/** As far below the roof of its number of threads as `share` says, or above it. */
function measurement({rows, inputs, layout, tokens, threads, share}) {
  const weight_bytes = rows * inputs * kBytesPerWeight[layout];
  const intensity = tokens / kBytesPerWeight[layout];
  const gmac_per_s = share * Math.min(kReads[threads] * intensity, kPeak[threads]);
  const ms = rows * inputs * tokens / gmac_per_s / 1e6;
  return {threads, layout, rows, inputs, tokens, weight_bytes, ms, gmac_per_s, mac_per_cycle: gmac_per_s / 3 / threads,
    weight_gb_per_s: weight_bytes / ms / 1e6, percent_of_bandwidth: 12, percent_of_peak: 34,
    rounds: [{ms, core_ghz: 3, read_gb_per_s: kReads[threads], dot_gmac_per_s: kPeak[threads]}]};
}

function report({shapes = [[2560, 2560]], tokens = [1, 8, 32, 128, 512], threads = [1, 2], share = () => 0.8,
  layouts = ['t16', 't2']} = {}) {
  const measurements = [];
  for (const count of threads) for (const layout of layouts) for (const [rows, inputs] of shapes) {
    for (const some of tokens) {
      measurements.push(measurement({rows, inputs, layout, tokens: some, threads: count, share: share(layout, some, count)}));
    }
  }
  return {cpu: 'Some CPU <1> & co', kernels: 'avx512-vbmi', measurements,
    machine: threads.map((count) => ({threads: count, core_ghz: 3, read_gb_per_s: kReads[count], dot_gmac_per_s: kPeak[count]}))};
}

const draw = (json) => draw_roofline(read_report(JSON.stringify(json)));
const near = (actual, expected, what) =>
  assert.ok(Math.abs(actual / expected - 1) < 0.01, `${what}: expected ${expected}, found ${actual}`);

test('points and roofs stand where their figures say', () => {
  const json = report({shapes: [[3840, 2560], [2560, 6912], [96, 64]]});
  const plots = plots_of(draw(json));
  assert.equal(plots.length, 3);
  for (const {texts, x_ticks, y_ticks, roofs, marks, lines} of plots) {
    const [title] = texts.filter(({style}) => style === 'panel');
    const [rows, inputs] = title.text.split(' × ').map(Number);
    const [x, y] = [value_at(x_ticks), value_at(y_ticks)];
    const expected = json.measurements.filter((m) => m.rows === rows && m.inputs === inputs);
    assert.equal(marks.length, expected.length);
    for (const [i, m] of expected.entries()) {
      near(x(marks[i].x), m.tokens / kBytesPerWeight[m.layout], 'multiply-adds per byte');
      near(y(marks[i].y), m.gmac_per_s, 'GMAC/s');
      assert.equal(marks[i].layout, m.layout);
      assert.ok(marks[i].title.startsWith(`${m.layout}, ${rows} x ${inputs}, tokens: ${m.tokens}, threads: ${m.threads}\n`));
    }
    assert.deepEqual(lines.flatMap(({points}) => points), marks.map((mark) => [mark.x, mark.y]));
    for (const [i, threads] of [1, 2].entries()) {
      const [start, ridge, end] = roofs[i];
      near(y(start[1]) / x(start[0]), kReads[threads], 'slope');
      near(x(ridge[0]), kPeak[threads] / kReads[threads], 'ridge');
      near(y(ridge[1]), kPeak[threads], 'peak');
      assert.equal(end[1], ridge[1]);
    }
  }
});

/** Different enough to crowd the labels in different ways. */
const kPictures = {
  'below the roofs': report({shapes: [[3840, 2560], [2560, 2560], [13824, 2560], [2560, 6912]]}),
  'tables above the peak': report({share: (_, tokens) => tokens > 8 ? 1.8 : 0.7}),
  'on the roofs': report({share: () => 1}),
  'layouts apart': report({share: (layout) => layout === 't16' ? 1 : 0.45}),
  'threads that gain nothing': report({share: (layout, tokens, threads) => 0.8 / threads}),
  'one thread, one token': report({tokens: [1], threads: [1]}),
  'many tokens only': report({tokens: [100, 110, 120, 130], threads: [2]}),
};

for (const [name, json] of Object.entries(kPictures)) {
  test(`nothing covers text: ${name}`, () => {
    const svg = draw(json);
    const [width, height] = svg.match(/viewBox="0 0 (\d+) (\d+)"/).slice(1).map(Number);
    const texts = all_texts(svg);
    const boxes = texts.map(corners_of);
    for (const [i, box] of boxes.entries()) {
      assert.ok(box.every(([x, y]) => x >= 0 && x <= width && y >= 0 && y <= height), `outside: ${texts[i].text}`);
      for (let j = 0; j < i; ++j) assert.ok(!overlap(box, boxes[j]), `'${texts[i].text}' over '${texts[j].text}'`);
    }
    for (const {left, top, marks, lines, roofs} of plots_of(svg)) {
      const at = ([x, y]) => [x + left, y + top];
      for (const {x, y} of marks) {
        const mark = [[x - 4, y - 4], [x + 4, y - 4], [x + 4, y + 4], [x - 4, y + 4]].map(at);
        boxes.forEach((box, i) => assert.ok(!overlap(box, mark), `a point over '${texts[i].text}'`));
      }
      for (const line of [...lines.map(({points}) => points), ...roofs]) {
        for (let i = 1; i < line.length; ++i) {
          const segment = [line[i - 1], line[i]].map(at);
          boxes.forEach((box, j) => assert.ok(!overlap(box, segment), `a line over '${texts[j].text}'`));
        }
      }
    }
  });
}

test('every number of threads, layout and roof has its label', () => {
  for (const {texts} of plots_of(draw(kPictures['below the roofs']))) {
    const found = texts.map(({text}) => text);
    for (const label of ['1 thread', '2 threads', 't16', 't2', '1 token', '512', '2 threads: 32 GB/s', '1 thread: 400 GMAC/s',
      '2 threads: 800 GMAC/s']) {
      assert.ok(found.includes(label), `${label} is not among ${found.join(', ')}`);
    }
    assert.ok(found.some((text) => text.endsWith('16 GB/s')), found.join(', '));
  }
});

test('t16p looks like t16 under its own name', () => {
  const svg = draw(report({layouts: ['t16p', 't2']}));
  assert.equal(svg.replaceAll(/\bt16p\b/g, 't16'), draw(report()));
  assert.match(svg, />t16p</);
});

test('the picture needs no other file and knows two schemes', () => {
  const svg = draw(report());
  assert.match(svg, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
  assert.match(svg, /@media \(prefers-color-scheme: dark\)/);
  assert.ok(svg.includes('Some CPU &lt;1> &amp; co'));
  assert.doesNotMatch(svg, /<script|<image|@import|url\(|href="[^#]|NaN|undefined|Infinity/);
  const tags = [...svg.matchAll(/<(\/?)(\w+)(?:[^>"]|"[^"]*")*?(\/?)>/g)].filter(([, , , empty]) => !empty);
  const names = (slash) => tags.filter(([, closing]) => closing === slash).map(([, , name]) => name).sort();
  assert.deepEqual(names(''), names('/'));
});

test('the shade behind a roof holds the middle 80 % of its probes', () => {
  const json = report({threads: [1], tokens: [1]});
  const reads = [10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20];
  for (const m of json.measurements) {
    m.rounds = reads.map((read_gb_per_s) => ({...m.rounds[0], read_gb_per_s}));
  }
  // Each of 10 to 20 as often: a tenth of the way between the ends.
  const [{reads_band}] = read_report(JSON.stringify(json)).roofs;
  assert.deepEqual([reads_band.p10, reads_band.median, reads_band.p90], [11, 15, 19]);
});
