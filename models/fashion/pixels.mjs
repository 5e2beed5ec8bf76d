// SPDX-License-Identifier: MIT
// Pictures inside a page: PNG files of a palette as data URLs.
import {deflateSync} from 'node:zlib';

function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; ++bit) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), Buffer.from(data)]);
  const ends = Buffer.alloc(8);
  ends.writeUInt32BE(data.length, 0);
  ends.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
}

/** `indices` into `palette` of [red, green, blue, alpha], row by row. */
export function png_url(width, height, indices, palette) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3], 8);  // eight bits a pixel, of a palette
  const rows = Buffer.alloc((width + 1) * height);  // each behind its filter: none
  for (let y = 0; y < height; ++y) rows.set(indices.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  const png = Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', header),
    chunk('PLTE', palette.flatMap((color) => color.slice(0, 3))), chunk('tRNS', palette.map((color) => color[3])),
    chunk('IDAT', deflateSync(rows, {level: 9})), chunk('IEND', [])]);
  return `data:image/png;base64,${png.toString('base64')}`;
}

/** Square tiles side by side, `gap` pixels of index 0 between them. */
export function mosaic(tiles, side, columns, gap) {
  const step = side + gap;
  const width = columns * step - gap;
  const height = Math.ceil(tiles.length / columns) * step - gap;
  const indices = Buffer.alloc(width * height);
  tiles.forEach((tile, i) => {
    const corner = Math.floor(i / columns) * step * width + i % columns * step;
    for (let y = 0; y < side; ++y) indices.set(tile.subarray(y * side, (y + 1) * side), corner + y * width);
  });
  return {width, height, indices};
}
