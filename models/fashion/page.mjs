// SPDX-License-Identifier: MIT
// The page of models/fashion: one HTML file that needs no other.
import {mosaic, png_url} from './pixels.mjs';

const kKinds = ['T-shirt', 'trousers', 'pullover', 'dress', 'coat', 'sandal', 'shirt', 'sneaker', 'bag', 'ankle boot'];
const kSide = 28;

const kStyle = `
:root { color-scheme: light dark; --text: #1d2430; --soft: #667085; --line: #d9dee7; --page: #ffffff; --card: #f5f7fa;
  --ternary: #c2410c; --float: #2563eb; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9ef; --soft: #98a2b3; --line: #343b47; --page: #14171c;
  --card: #1c2027; --ternary: #fb8c4b; --float: #78a9ff; } }
body { margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 61.5rem; background: var(--page); color: var(--text);
  font: 16px/1.55 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.9rem; } h2 { margin: 3rem 0 .3rem; font-size: 1.2rem; }
p { margin: .3rem 0 1rem; } .soft, figcaption { color: var(--soft); font-size: .875rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(12rem, 1fr)); gap: 1rem; margin: 1.5rem 0; }
.figures div { padding: .9rem 1.1rem; border-radius: .6rem; background: var(--card); }
.figures b { display: block; font-size: 1.8rem; line-height: 1.2; font-weight: 600; font-variant-numeric: tabular-nums; }
.ternary { color: var(--ternary); } .float { color: var(--float); }
svg { display: block; width: 100%; height: auto; } svg text { fill: var(--text); font: 13px system-ui, sans-serif; }
svg .soft { fill: var(--soft); } svg .rule { stroke: var(--line); }
svg path { fill: none; stroke-width: 2; stroke-linejoin: round; }
svg path.ternary { stroke: var(--ternary); } svg path.float { stroke: var(--float); }
svg text.ternary { fill: var(--ternary); } svg text.float { fill: var(--float); }
rect.right { fill: var(--float); } rect.wrong { fill: var(--ternary); } rect.empty { fill: var(--card); fill-opacity: 1; }
img { display: block; image-rendering: pixelated; border-radius: .4rem; background: var(--card); }
.weights { max-width: calc(100% - 1rem); height: auto; margin-bottom: 1rem; padding: .5rem; }
.mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(6.2rem, 1fr)); gap: 1.1rem .8rem; margin: 1rem 0; }
.mistakes figure { margin: 0; } .mistakes img { width: 100%; }
.mistakes figcaption { margin-top: .3rem; line-height: 1.3; font-size: .8rem; }`;

const percent = (share, digits = 2) => `${(100 * share).toFixed(digits)}\u00a0%`;

function draw_curve({ternary, full_precision}) {
  const width = 880, height = 300, left = 44, right = 200, top = 12, bottom = 36;
  const curves = [
    {kind: 'ternary', name: 'ternary', values: ternary.held_out},
    {kind: 'float', name: 'full precision', values: full_precision.held_out}];
  const all = curves.flatMap(({values}) => values);
  const low = Math.floor(Math.min(...all)), high = Math.ceil(Math.max(...all));
  const epochs = ternary.held_out.length;
  const x = (epoch) => left + (width - left - right) * (epoch - 1) / (epochs - 1);
  const y = (value) => top + (height - top - bottom) * (high - value) / (high - low);
  const rules = Array.from({length: high - low + 1}, (_, i) => low + i).filter((v) => (v - low) % Math.ceil((high - low) / 6) === 0).map((v) =>
    `<line class="rule" x1="${left}" x2="${width - right}" y1="${y(v)}" y2="${y(v)}"/>
<text class="soft" x="${left - 8}" y="${y(v) + 4}" text-anchor="end">${v}</text>`);
  const ticks = [1, ...[.25, .5, .75, 1].map((share) => Math.round(share * epochs))].map((epoch) =>
    `<text class="soft" x="${x(epoch)}" y="${height - 14}" text-anchor="middle">${epoch}</text>`);
  const ends = curves.map(({values}) => y(values.at(-1)));
  const apart = Math.max(0, 18 - Math.abs(ends[0] - ends[1])) / 2;
  const lines = curves.map(({kind, name, values}, i) => {
    const label = ends[i] + apart * (ends[i] < ends[1 - i] || (ends[i] === ends[1 - i] && i === 0) ? -1 : 1);
    return `<path class="${kind}" d="M${values.map((v, e) => `${x(e + 1).toFixed(1)} ${y(v).toFixed(1)}`).join('L')}"/>
<text class="${kind}" x="${width - right + 10}" y="${label + 4}">${name} ${values.at(-1).toFixed(1)} %</text>`;
  });
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="Accuracy after each epoch">
${[...rules, ...ticks, ...lines].join('\n')}
<text class="soft" x="${width - right + 22}" y="${height - 14}">epochs</text></svg>`;
}

/** counts[label][found] */
function count_pairs(pictures) {
  const counts = kKinds.map(() => kKinds.map(() => 0));
  for (const {label, found} of pictures) ++counts[label][found];
  return counts;
}

function draw_confusion(counts) {
  const cell = 62, row_height = 40, left = 96, top = 54;
  const cells = counts.flatMap((row, label) => {
    const total = row.reduce((a, b) => a + b);
    return row.map((count, found) => {
      const kind = count === 0 ? 'empty' : label === found ? 'right' : 'wrong';
      // Mistakes are few: the root makes them visible.
      const opacity = label === found ? .75 * count / total : Math.min(.9, 1.6 * Math.sqrt(count / total) - .02);
      const [x, y] = [left + found * cell, top + label * row_height];
      return `<rect class="${kind}" x="${x + 1}" y="${y + 1}" width="${cell - 2}" height="${row_height - 2}" rx="4"` +
        ` fill-opacity="${Math.max(.05, opacity).toFixed(2)}"><title>${kKinds[label]} told as ${kKinds[found]}: ${count}</title></rect>` +
        (count === 0 ? '' : `<text x="${x + cell / 2}" y="${y + row_height / 2 + 4.5}" text-anchor="middle">${count}</text>`);
    });
  });
  const names = kKinds.map((name, i) =>
    `<text x="${left - 8}" y="${top + i * row_height + 25}" text-anchor="end">${name}</text>
<text x="${left + i * cell + cell / 2}" y="${top - 8}" text-anchor="middle" style="font-size:11.5px">${name}</text>
<text class="soft" x="${left + 10 * cell + 14}" y="${top + i * row_height + 25}">${
  percent(counts[i][i] / counts[i].reduce((a, b) => a + b), 1)}</text>`);
  return `<svg viewBox="0 0 ${left + 10 * cell + 80} ${top + 10 * row_height + 4}" role="img" aria-label="Confusion matrix">
<text class="soft" x="${left}" y="14">told as</text><text class="soft" x="${left - 8}" y="${top - 8}" text-anchor="end">label</text>
${cells.join('\n')}
${names.join('\n')}</svg>`;
}

/** -1 blue, +1 red; 0 lets the page through. */
function draw_weights(rows, columns, scale) {
  const tiles = rows.map((row) => Buffer.from(row.map((trit) => trit + 1)).map((code) => [1, 0, 2][code]));
  const {width, height, indices} = mosaic(tiles, kSide, columns, 2);
  const url = png_url(width, height, indices, [[0, 0, 0, 0], [59, 120, 231, 255], [224, 72, 62, 255]]);
  return `<img class="weights" src="${url}" width="${scale * width}" height="${scale * height}" alt="${rows.length} rows of weights as pictures">`;
}

const zeros = (row) => row.reduce((count, trit) => count + (trit === 0), 0);

/** Neighbours in a picture are alike in rows that look for shapes. */
function smoothness(row) {
  let sum = 0;
  row.forEach((trit, k) => { sum += trit * ((k % kSide + 1 < kSide ? row[k + 1] : 0) + (row[k + kSide] ?? 0)); });
  return sum;
}

/** The first of each pair of kinds, the frequent pairs first. */
function draw_mistakes(pictures, counts) {
  const firsts = new Map();
  for (const picture of pictures) {
    const pair = 10 * picture.label + picture.found;
    if (picture.label !== picture.found && !firsts.has(pair)) firsts.set(pair, picture);
  }
  const greys = Array.from({length: 256}, (_, grey) => [grey, grey, grey, 255]);
  const chosen = [...firsts.values()].sort((a, b) => counts[b.label][b.found] - counts[a.label][a.found]).slice(0, 16);
  return chosen.map(({label, found, pixels}) => `<figure><img src="${png_url(kSide, kSide, pixels, greys)}" alt="${kKinds[label]}">
<figcaption><span class="float">${kKinds[label]}</span><br>told as <span class="ternary">${kKinds[found]}</span></figcaption></figure>`).join('\n');
}

export function draw_page({scores, pictures, first_layer}) {
  const counts = count_pairs(pictures);
  const total = pictures.length;
  const {ternary, full_precision} = scores;
  const share_of_zeros = first_layer.reduce((sum, row) => sum + zeros(row), 0) / (first_layer.length * kSide * kSide);
  const by_shape = [...first_layer].sort((a, b) => smoothness(b) - smoothness(a));
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Ternary Fashion-MNIST</title><style>${kStyle}</style>
<h1>Clothes told apart by −1, 0 and +1</h1>
<p class="soft">A multilayer perceptron of BitLinear on Fashion-MNIST: ternary weights, 8-bit activations, integer products.</p>
<div class="figures">
<div><b class="ternary">${percent(ternary.right / total)}</b>ternary: ${ternary.right} of the ${total} test pictures</div>
<div><b class="float">${percent(full_precision.right / total)}</b>its twin in float32: same layers, augmentation and seed</div>
<div><b>${(100 * (full_precision.right - ternary.right) / total).toFixed(2)}</b>percentage points between them</div>
</div>
<h2>Training</h2>
<p class="soft">Percent of the 5000 held-out training pictures told right, after each epoch. They chose the recipe; the test pictures did not.</p>
${draw_curve(scores)}
<h2>Confusion matrix</h2>
<p class="soft">All test pictures by label and by what the ternary network tells them as. On the right, the share of each kind told right.</p>
${draw_confusion(counts)}
<h2>The weights of the first layer</h2>
<p class="soft">Each tile is a row of the matrix laid out as the picture it multiplies: <span style="color:#e0483e">red +1</span>,
<span style="color:#3b78e7">blue −1</span>, nothing for 0 (${percent(share_of_zeros, 1)} of all). The smoothest rows large, then all ${first_layer.length}.</p>
${draw_weights(by_shape.slice(0, 16), 8, 4)}
${draw_weights(by_shape, 32, 1)}
<h2>Mistakes</h2>
<p class="soft">The first test picture of each of the most frequent confusions.</p>
<div class="mistakes">
${draw_mistakes(pictures, counts)}
</div>
</html>
`;
}
