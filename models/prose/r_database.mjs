// SPDX-License-Identifier: MIT
// Reads the lazy-load database of an R package: NAME.rdx says where in NAME.rdb each object lies;
// both hold objects as R's serialize() writes them (R Internals, "Serialization Formats"), compressed.
import {readFileSync} from 'node:fs';
import {inflateSync, unzipSync} from 'node:zlib';

const kNull = 254;
const kReference = 255;
const kSymbol = 1;
const kPairList = 2;
const kString = 9;
const kLogicals = 10;
const kIntegers = 13;
const kStrings = 16;
const kList = 19;
const kHasAttributes = 1 << 9;
const kHasTag = 1 << 10;
/// The length of a string that is NA.
const kNotAvailable = -1;

/// Reads vectors of strings and integers and named lists of them, which is what data sets of text are.
class ObjectReader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
    this.symbols = [];
    this.read_header();
  }

  integer() {
    this.at += 4;
    return this.bytes.readInt32BE(this.at - 4);
  }

  text(length) {
    this.at += length;
    return this.bytes.toString('utf8', this.at - length, this.at);
  }

  read_header() {
    const format = this.text(2);
    const version = this.integer();
    if (format !== 'X\n' || (version !== 2 && version !== 3)) {
      throw new Error(`R object: expected format X of version 2 or 3, found '${format.trim()}', ${version}`);
    }
    this.at += 8;  // the versions of R that wrote it and that can read it
    if (version === 3) this.text(this.integer());  // the encoding of strings that do not name theirs
  }

  string(length = this.integer()) {
    return length === kNotAvailable ? null : this.text(length);
  }

  vector(read_element) {
    return Array.from({length: this.integer()}, read_element);
  }

  /** The pairs of a list from here on, as an object. */
  pairs(flags) {
    const pairs = {};
    for (; (flags & 0xff) === kPairList; flags = this.integer()) {
      if (flags & kHasAttributes) this.object();
      const tag = flags & kHasTag ? this.object() : '';
      pairs[tag] = this.object();
    }
    return pairs;
  }

  symbol() {
    this.symbols.push(this.object());
    return this.symbols.at(-1);
  }

  value(flags) {
    switch (flags & 0xff) {
      case kNull: return null;
      case kReference: return this.symbols[(flags >> 8) - 1];
      case kSymbol: return this.symbol();
      case kPairList: return this.pairs(flags);
      case kString: return this.string();
      case kLogicals:
      case kIntegers: return this.vector(() => this.integer());
      case kStrings:
      case kList: return this.vector(() => this.object());
      default: throw new Error(`R object: expected text or integers, found type ${flags & 0xff}`);
    }
  }

  /** Arrays; a list with names becomes an object. */
  object() {
    const flags = this.integer();
    const value = this.value(flags);
    if (!Array.isArray(value) || !(flags & kHasAttributes)) return value;
    const names = this.pairs(this.integer()).names;
    return names ? Object.fromEntries(names.map((name, i) => [name, value[i]])) : value;
  }
}

/** The objects of STEM.rdb by name. */
export function read_database(stem) {
  const {variables} = new ObjectReader(unzipSync(readFileSync(`${stem}.rdx`))).object();
  const database = readFileSync(`${stem}.rdb`);
  return Object.fromEntries(Object.entries(variables).map(([name, [offset, length]]) => {
    const deflated = database.subarray(offset + 4, offset + length);  // behind the inflated length
    return [name, new ObjectReader(inflateSync(deflated)).object()];
  }));
}
