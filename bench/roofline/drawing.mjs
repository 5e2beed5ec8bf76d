// SPDX-License-Identifier: MIT
// The picture. Colours and fonts are classes of one style sheet, which follows the viewer's light or dark scheme.
import {Space, text_width} from './labels.mjs';

const kLight = {paper: '#ffffff', ink: '#1f2328', muted: '#59636e', grid: '#e6eaef', roof: '#59636e', t16: '#0a58ca', t2: '#c2410c'};
const kDark = {paper: '#0d1117', ink: '#e6edf3', muted: '#9198a1', grid: '#21262d', roof: '#9198a1', t16: '#6cb0ff', t2: '#ff9457'};

const kPlot = {width: 388, height: 300};
const kMargin = {left: 60, right: 74, top: 44, bottom: 32};
const kHead = 66;
const kFoot = 34;
const kPad = 12;
const kSize = 12;

const colours = ({paper, ink, muted, grid, roof, t16, t2}) => `
.paper { fill: ${paper} } text { fill: ${ink}; stroke: ${paper} } .muted { fill: ${muted} } .grid { stroke: ${grid} }
.roof { stroke: ${roof} } .band { fill: ${roof} } text.t16 { fill: ${t16} } text.t2 { fill: ${t2} }
.line.t16 { stroke: ${t16} } .line.t2 { stroke: ${t2} } .mark.t16 { fill: ${t16} } .mark.t2 { fill: ${t2} }
.mark { stroke: ${paper} }`;

const kStyle = `
text { font: ${kSize}px system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; stroke-width: 3px;
  stroke-linejoin: round; paint-order: stroke }
.title { font-size: 17px; font-weight: 600 } .panel { font-size: 14px; font-weight: 600 }
.grid { stroke-width: 1 } .roof { fill: none; stroke-width: 1.75 } .band { opacity: 0.16 }
.line { fill: none; stroke-width: 1.5; opacity: 0.55 } .mark { stroke-width: 1 }
text.t16, text.t2 { font-weight: 600 }`;

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const fixed = (value) => Number(value.toFixed(2));
const path = (points) => `M${points.map(([x, y]) => `${fixed(x)} ${fixed(y)}`).join('L')}`;
const plural = (count, what) => `${count} ${what}${count === 1 ? '' : 's'}`;

function text_element({text, x, y, anchor = 'start', angle, style}) {
  const turn = angle === undefined ? '' : ` transform="rotate(${fixed(angle)} ${fixed(x)} ${fixed(y)})"`;
  const start = anchor === 'start' ? '' : ` text-anchor="${anchor}"`;
  return `<text class="${style}" x="${fixed(x)}" y="${fixed(y)}"${start}${turn}>${escaped(text)}</text>`;
}

/** {at(value), first, last, per_decade}: where a value lies between two edges of the plot. */
function log_scale([first, last], [from, to]) {
  const per_decade = (to - from) / Math.log10(last / first);
  return {first, last, per_decade, at: (value) => from + Math.log10(value / first) * per_decade};
}

/** 1, 2 and 5 times the powers of ten, or the powers alone. */
function ticks({first, last}, factors) {
  const values = [];
  for (let power = Math.floor(Math.log10(first)); power <= Math.log10(last); ++power) {
    values.push(...factors.map((factor) => factor * 10 ** power));
  }
  return values.filter((value) => value >= first && value <= last);
}

/** The same scales for all panels, with room for labels around what is drawn. */
function scales_of({roofs, panels}) {
  const points = panels.flatMap(({series}) => series.flatMap((some) => some.points));
  const intensities = points.map(({intensity}) => intensity);
  const speeds = points.map(({gmac_per_s}) => gmac_per_s);
  return {
    x: log_scale([Math.min(...intensities) / 4, Math.max(...intensities) * 1.6], [0, kPlot.width]),
    y: log_scale([Math.min(...speeds) / 2.6, 1.45 * Math.max(...speeds, ...roofs.map(({peak}) => peak))],
      [kPlot.height, 0]),
  };
}

function grid({x, y}) {
  const lines = [];
  for (const value of ticks(y, [1, 2, 5])) {
    const at = fixed(y.at(value));
    lines.push(`<path class="grid" d="M0 ${at}H${kPlot.width}"/>`,
      text_element({text: `${value}`, x: -8, y: at + 4, anchor: 'end', style: 'muted y-tick'}));
  }
  for (const value of ticks(x, [1])) {
    const at = fixed(x.at(value));
    lines.push(`<path class="grid" d="M${at} 0V${kPlot.height}"/>`,
      text_element({text: `${value}`, x: at, y: kPlot.height + 18, anchor: 'middle', style: 'muted x-tick'}));
  }
  return lines;
}

/** Corners of the roof: where the slope enters the plot, the ridge, the right edge. */
function roof_corners({x, y}, reads, peak) {
  const start = Math.max(x.first, y.first / reads);
  return [[x.at(start), y.at(reads * start)], [x.at(peak / reads), y.at(peak)], [x.at(x.last), y.at(peak)]];
}

function roof_band(scales, {reads_band, peak_band}) {
  const upper = roof_corners(scales, reads_band.p90, peak_band.p90);
  const lower = roof_corners(scales, reads_band.p10, peak_band.p10);
  return `<path class="band" d="${path([...upper, ...lower.reverse()])}Z"/>`;
}

/** Along the slope, from its lower end up; then along the flat, from the right, above and below it. */
function roof_labels(space, {x, y}, {threads, reads, peak}) {
  const common = {size: kSize, style: 'muted'};
  const angle = -Math.atan2(-y.per_decade, x.per_decade) * 180 / Math.PI;
  const [start, ridge, end] = roof_corners({x, y}, reads, peak);
  const [cos, sin] = [Math.cos(angle * Math.PI / 180), Math.sin(angle * Math.PI / 180)];
  const who = plural(threads, 'thread');
  const speed = `${reads.toFixed(reads < 9.95 ? 1 : 0)} GB/s`;
  const on_slope = (text, part, off) => ({
    ...common, angle, anchor: 'middle', text,
    x: start[0] + part * (ridge[0] - start[0]) + off * sin, y: start[1] + part * (ridge[1] - start[1]) - off * cos,
  });
  const on_flat = (at, off) => ({
    ...common, anchor: 'end', text: `${who}: ${peak.toFixed(0)} GMAC/s`, x: at, y: end[1] + off});
  const parts = Array.from({length: 36}, (_, i) => 0.5 + (i % 2 ? 1 : -1) * Math.ceil(i / 2) * 0.025);
  const ends = Array.from({length: 60}, (_, i) => end[0] - 4 - 4 * i);
  return [
    space.place([`${who}: ${speed}`, speed].flatMap((text) =>
      parts.flatMap((part) => [on_slope(text, part, 6), on_slope(text, part, -6 - 0.75 * kSize)]))),
    space.place([...ends.map((at) => on_flat(at, -6)), ...ends.map((at) => on_flat(at, 6 + 0.75 * kSize))]),
  ];
}

/** How many tokens each column of points has, at the foot of the plot. */
function token_labels(space, {x}, series) {
  const points = series.flatMap((some) => some.points);
  return [...new Set(points.map(({tokens}) => tokens))].sort((a, b) => a - b).map((tokens) => {
    const column = points.filter((point) => point.tokens === tokens);
    const middle = column.reduce((sum, {intensity}) => sum + x.at(intensity), 0) / column.length;
    return space.place([{text: tokens === 1 ? plural(tokens, 'token') : `${tokens}`, x: middle, y: kPlot.height - 8,
      size: kSize, anchor: 'middle', style: 'muted'}]);
  });
}

/** t16p is t16 in another byte code. */
const style_of = (layout) => layout === 't16p' ? 't16' : layout;

/** The layout, beside the first point of its line. */
function layout_label(space, {x, y}, {layout, points: [{intensity, gmac_per_s}]}) {
  const [left, base] = [x.at(intensity), y.at(gmac_per_s)];
  const common = {text: layout, size: kSize, style: style_of(layout)};
  return space.place([
    {...common, x: left + 8, y: base + 6, anchor: 'start'}, {...common, x: left, y: base + 19, anchor: 'middle'},
    {...common, x: left + 6, y: base + 17, anchor: 'start'}, {...common, x: left, y: base - 9, anchor: 'middle'},
  ]);
}

/** The number of threads, right of where its lines end; pushed apart where they end together. */
function thread_labels(series, {y}) {
  const threads = [...new Set(series.map((some) => some.threads))];
  const labels = threads.map((count) => {
    const ends = series.filter((some) => some.threads === count).map(({points}) => y.at(points.at(-1).gmac_per_s));
    return {text: plural(count, 'thread'), x: kPlot.width + 8, style: 'end',
      y: 4 + ends.reduce((sum, end) => sum + end, 0) / ends.length};
  }).sort((a, b) => a.y - b.y);
  for (let i = 1; i < labels.length; ++i) labels[i].y = Math.max(labels[i].y, labels[i - 1].y + kSize + 3);
  return labels;
}

const kMarks = '<circle id="t16" r="4.5"/><path id="t2" d="M0-5.6L5.6 0L0 5.6L-5.6 0Z"/>';

function panel(scales, roofs, {title, series}) {
  const {x, y} = scales;
  const space = new Space({left: 2, top: 2, right: kPlot.width - 2, bottom: kPlot.height - 2});
  const place = ({intensity, gmac_per_s}) => [x.at(intensity), y.at(gmac_per_s)];
  const lines = series.map(({points}) => points.map(place));
  lines.forEach((line) => {
    space.take_line(line);
    line.forEach(([at, up]) => space.take_point(at, up, 6));
  });
  const corners = roofs.map(({reads, peak}) => roof_corners(scales, reads, peak));
  corners.forEach((line) => space.take_line(line));
  const lowest = series.filter(({threads}) => threads === Math.min(...series.map((some) => some.threads)));
  const labels = [
    ...token_labels(space, scales, series), ...lowest.map((some) => layout_label(space, scales, some)),
    ...roofs.flatMap((roof) => roof_labels(space, scales, roof)),
  ].filter((label) => label !== null);
  return [
    text_element({text: title, x: 0, y: -14, style: 'panel'}),
    text_element({text: 'GMAC/s', x: -8, y: -14, anchor: 'end', style: 'muted'}),
    ...grid(scales), ...roofs.map((roof) => roof_band(scales, roof)),
    ...corners.map((line) => `<path class="roof" d="${path(line)}"/>`),
    ...series.map(({layout}, i) => `<path class="line ${style_of(layout)}" d="${path(lines[i])}"/>`),
    ...series.flatMap(({layout, points}, i) => points.map((point, j) =>
      `<use class="mark ${style_of(layout)}" href="#${style_of(layout)}" ` +
      `x="${fixed(lines[i][j][0])}" y="${fixed(lines[i][j][1])}">` +
      `<title>${escaped(point.title)}</title></use>`)),
    ...[...labels, ...thread_labels(series, scales)].map(text_element),
  ];
}

/** Breaks a sentence into lines no wider than width. */
function wrapped(text, width) {
  const lines = [''];
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (text_width(longer, kSize) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/** The SVG of a report (report.mjs). */
export function draw_roofline({cpu, kernels, roofs, panels}) {
  const [columns, rows] = [Math.min(2, panels.length), Math.ceil(panels.length / 2)];
  const cell = {width: kMargin.left + kPlot.width + kMargin.right, height: kMargin.top + kPlot.height + kMargin.bottom};
  const width = 2 * kPad + columns * cell.width;
  const peak = /^(avx512|neon)-/.test(kernels) ? 'dot products' : 'multiply-adds';
  const legend = wrapped(`${cpu}, kernels ${kernels}. Slopes: bandwidth of memory reads. Flats: peak of int8 ${peak}. ` +
    'Columns: tokens that share a read of the weights.', width - 2 * kPad - 16);
  const head = kHead + (legend.length - 1) * 17;
  const height = head + rows * cell.height + kFoot;
  const scales = scales_of({roofs, panels});
  const body = panels.flatMap((some, i) => {
    const [left, top] = [kPad + (i % 2) * cell.width + kMargin.left, head + Math.floor(i / 2) * cell.height + kMargin.top];
    return [`<g class="plot" transform="translate(${left} ${top})">`, ...panel(scales, roofs, some), '</g>'];
  });
  const title = 'Roofline of the ternary matrix product';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img">
<title>${title}</title>
<style>${kStyle}${colours(kLight)}
@media (prefers-color-scheme: dark) {${colours(kDark)}
}
</style>
<defs>${kMarks}</defs>
<rect class="paper" width="${width}" height="${height}" rx="8"/>
${[
    text_element({text: title, x: kPad + 8, y: 34, style: 'title'}),
    ...legend.map((text, i) => text_element({text, x: kPad + 8, y: 56 + 17 * i, style: 'muted'})), ...body,
    ...Array.from({length: columns}, (_, i) => text_element({text: 'multiply-adds per byte of weights read',
      x: kPad + i * cell.width + kMargin.left, y: height - 20, style: 'muted'})),
  ].join('\n')}
</svg>
`;
}
