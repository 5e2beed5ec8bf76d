// SPDX-License-Identifier: MIT
// Text that covers nothing: each label takes the first of its places that is free.

/** Wider than any usual sans-serif font on average, as the font is the viewer's. */
const kWidthPerSize = 0.6;
const kAscentPerSize = 0.75;

export const text_width = (text, size) => text.length * kWidthPerSize * size;

/**
 * A label as squares along its line, so that turned text is no case of its own. x, y: the baseline where `anchor`
 * (start, middle, end) says; angle in degrees, clockwise.
 */
function squares_of({text, x, y, size, anchor, angle = 0}) {
  const width = text_width(text, size);
  const first = {start: 0, middle: -width / 2, end: -width}[anchor];
  const [cos, sin] = [Math.cos(angle * Math.PI / 180), Math.sin(angle * Math.PI / 180)];
  const half = kAscentPerSize * size / 2;
  const count = Math.max(1, Math.ceil(width / (2 * half)));
  return Array.from({length: count}, (_, i) => {
    const along = first + (i + 0.5) * width / count;
    return {x: x + along * cos + half * sin, y: y + along * sin - half * cos, half};
  });
}

const touch = (a, b) => Math.max(Math.abs(a.x - b.x), Math.abs(a.y - b.y)) < a.half + b.half;

export class Space {
  #taken = [];

  /** left, top, right, bottom: where labels may lie. */
  constructor(bounds) {
    this.bounds = bounds;
  }

  take_point(x, y, half) {
    this.#taken.push({x, y, half});
  }

  take_line(points) {
    for (let i = 1; i < points.length; ++i) {
      const [[x0, y0], [x1, y1]] = [points[i - 1], points[i]];
      const steps = Math.ceil(Math.hypot(x1 - x0, y1 - y0) / 3);
      for (let s = 0; s <= steps; ++s) this.take_point(x0 + (x1 - x0) * s / steps, y0 + (y1 - y0) * s / steps, 1.5);
    }
  }

  #is_inside({x, y, half}) {
    const {left, top, right, bottom} = this.bounds;
    return x - half >= left && x + half <= right && y - half >= top && y + half <= bottom;
  }

  /** The first free one of the places, now taken; null when there is none. */
  place(places) {
    for (const place of places) {
      const squares = squares_of(place);
      if (squares.every((square) => this.#is_inside(square) && !this.#taken.some((other) => touch(square, other)))) {
        this.#taken.push(...squares);
        return place;
      }
    }
    return null;
  }
}
