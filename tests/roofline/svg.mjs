// SPDX-License-Identifier: MIT
// Reads a picture back: what stands where. Knows the shape of its elements, nothing of how they were placed.

const attributes = (text) =>
  Object.fromEntries([...text.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));
const unescaped = (text) => text.replaceAll('&lt;', '<').replaceAll('&amp;', '&');
const of_path = (text) => text.slice(1).split('L').map((pair) => pair.split(' ').map(Number));

function texts_of(svg) {
  return [...svg.matchAll(/<text ([^>]*)>([^<]*)<\/text>/g)].map(([, head, text]) => {
    const {class: style, x, y, transform = '', 'text-anchor': anchor = 'start'} = attributes(head);
    return {text: unescaped(text), style, x: Number(x), y: Number(y), anchor, angle: Number(transform.match(/rotate\((\S+)/)?.[1] ?? 0)};
  });
}

/** Where the grid lines of an axis are, and what is written at them. */
function ticks_of(body, axis) {
  const line = {x: /class="grid" d="M(\S+) 0V/g, y: /class="grid" d="M0 (\S+)H/g}[axis];
  const positions = [...body.matchAll(line)].map(([, at]) => Number(at));
  const numbers = texts_of(body).filter(({style}) => style.endsWith(`${axis}-tick`)).map(({text}) => Number(text));
  return positions.map((at, i) => ({at, value: numbers[i]}));
}

/** The plots of a picture: [{left, top, texts, x_ticks, y_ticks, roofs, lines, marks: [{layout, x, y, title}]}]. */
export function plots_of(svg) {
  return [...svg.matchAll(/<g class="plot" transform="translate\((\S+) (\S+)\)">([^]*?)<\/g>/g)]
    .map(([, left, top, body]) => ({
      left: Number(left), top: Number(top), texts: texts_of(body), x_ticks: ticks_of(body, 'x'), y_ticks: ticks_of(body, 'y'),
      roofs: [...body.matchAll(/<path class="roof" d="([^"]*)"/g)].map(([, d]) => of_path(d)),
      lines: [...body.matchAll(/<path class="line (\w+)" d="([^"]*)"/g)].map(([, layout, d]) => ({layout, points: of_path(d)})),
      marks: [...body.matchAll(/<use ([^>]*)><title>([^<]*)</g)].map(([, head, title]) => {
        const {href, x, y} = attributes(head);
        return {layout: href.slice(1), x: Number(x), y: Number(y), title};
      }),
    }));
}

/** All texts, in the coordinates of the picture. */
export function all_texts(svg) {
  const inside = plots_of(svg).flatMap(({left, top, texts}) =>
    texts.map((text) => ({...text, x: text.x + left, y: text.y + top})));
  const outside = texts_of(svg.replaceAll(/<g class="plot"[^]*?<\/g>/g, ''));
  return [...outside, ...inside];
}

/** What turns a position along an axis into its value, from its first and last tick. */
export function value_at(ticks) {
  const [first, last] = [ticks[0], ticks.at(-1)];
  const per_pixel = Math.log(last.value / first.value) / (last.at - first.at);
  return (position) => first.value * Math.exp((position - first.at) * per_pixel);
}

/** Corners of the box of a text, of letters 0.6 em wide and 0.75 em high. */
export function corners_of({text, style, x, y, anchor, angle}) {
  const size = {title: 17, panel: 14}[style] ?? 12;
  const width = 0.6 * size * text.length;
  const left = {start: 0, middle: -width / 2, end: -width}[anchor];
  const turn = angle * Math.PI / 180;
  return [[left, 0], [left + width, 0], [left + width, -0.75 * size], [left, -0.75 * size]].map(([across, up]) =>
    [x + across * Math.cos(turn) - up * Math.sin(turn), y + across * Math.sin(turn) + up * Math.cos(turn)]);
}

/** Whether two convex polygons overlap: no edge of either separates them. */
export function overlap(a, b) {
  for (const polygon of [a, b]) {
    for (let i = 0; i < polygon.length; ++i) {
      const [[x0, y0], [x1, y1]] = [polygon[i], polygon[(i + 1) % polygon.length]];
      const along = ([x, y]) => (x - x0) * (y1 - y0) - (y - y0) * (x1 - x0);
      const [of_a, of_b] = [a.map(along), b.map(along)];
      if (Math.max(...of_a) <= Math.min(...of_b) || Math.max(...of_b) <= Math.min(...of_a)) return false;
    }
  }
  return true;
}
