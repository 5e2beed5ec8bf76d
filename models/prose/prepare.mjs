// SPDX-License-Identifier: MIT
// node prepare.mjs PACKAGES FOLDER: writes what fetch has unpacked as documents to train, develop and test with.
import {createHash} from 'node:crypto';
import {mkdirSync, rmSync, writeFileSync} from 'node:fs';
import path from 'node:path';

import {all_documents} from './sources.mjs';

const kSplits = ['train', 'dev', 'test'];
/** A passage this long (characters) is no coincidence, */
const kLongPassage = 200;
/** but an address may quote the one before: once in 224 passages, in 1900. */
const kMostQuoted = 0.01;

const sha256 = (text) => createHash('sha256').update(text).digest('hex');

/** Paragraphs, and sentences of those that hold many: an address is a single paragraph. */
function long_passages({paragraphs}) {
  return paragraphs.flatMap((paragraph) => [paragraph, ...paragraph.split(/(?<=[.!?])\s/)])
    .filter((passage) => passage.length > kLongPassage);
}

function check_nothing_is_shared(documents) {
  const trained = new Set(documents.filter(({split}) => split === 'train').flatMap(long_passages));
  for (const document of documents.filter(({split}) => split !== 'train')) {
    const passages = long_passages(document);
    const shared = passages.filter((passage) => trained.has(passage));
    if (shared.length > kMostQuoted * passages.length) {
      throw new Error(`${document.split}/${document.name}: this is in train/, too: ${shared[0]}`);
    }
  }
}

function write(documents, folder) {
  for (const split of kSplits) rmSync(path.join(folder, split), {recursive: true, force: true});
  return documents.map(({name, split, paragraphs}) => {
    const file = `${split}/${name}.txt`;
    const bytes = Buffer.from(paragraphs.map((paragraph) => `${paragraph}\n`).join(''));
    mkdirSync(path.dirname(path.join(folder, file)), {recursive: true});
    writeFileSync(path.join(folder, file), bytes);
    return {file, split, bytes: bytes.length, sum: `${sha256(bytes)}  ${file}\n`};
  });
}

/** A row for each file in a split's folder, and one for each folder in it. */
function row_of({file, split}) {
  const [first, ...rest] = file.slice(split.length + 1).split('/');
  return rest.length === 0 ? file : `${split}/${first}/`;
}

function print_row(name, files) {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const digest = sha256(files.map(({sum}) => sum).join(''));
  console.log(`${name.padEnd(36)} ${String(files.length).padStart(5)} ${String(bytes).padStart(10)}  ${digest}`);
}

function print_table(files) {
  console.log(`${''.padEnd(36)} files      bytes  sha256 of the lines of SHA256SUMS`);
  for (const row of new Set(files.map(row_of))) print_row(row, files.filter((file) => row_of(file) === row));
  for (const split of kSplits) print_row(`all of ${split}/`, files.filter((file) => file.split === split));
}

function main([packages, folder]) {
  const documents = all_documents(packages);
  check_nothing_is_shared(documents);
  const files = write(documents, folder).sort((a, b) => (a.file < b.file ? -1 : 1));
  writeFileSync(path.join(folder, 'SHA256SUMS'), files.map(({sum}) => sum).join(''));
  print_table(files);
}

main(process.argv.slice(2));
