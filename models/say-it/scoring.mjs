// SPDX-License-Identifier: MIT
// Error rates of pronunciations, as papers on grapheme-to-phoneme conversion count them on CMUdict.
// A pronunciation is a list of phonemes; a word of the dictionary has one or more.

/** Phonemes to insert, delete or replace to make one pronunciation of the other (Levenshtein). */
export function edit_distance(a, b) {
  let row = b.map((_, j) => j + 1);  // from the first i of a to the first j + 1 of b
  row.unshift(0);
  a.forEach((phoneme, i) => {
    const above = row;
    row = [i + 1];
    b.forEach((other, j) => {
      row.push(Math.min(above[j + 1] + 1, row[j] + 1, above[j] + (phoneme === other ? 0 : 1)));
    });
  });
  return row.at(-1);
}

/** The variant with the fewest errors, the first one of equals. */
export function nearest(found, variants) {
  return variants
    .map((variant) => ({variant, errors: edit_distance(found, variant)}))
    .reduce((best, candidate) => (candidate.errors < best.errors ? candidate : best));
}

/** Without the digits behind vowels. */
export function without_stress(pronunciation) {
  return pronunciation.map((phoneme) => phoneme.replace(/\d$/, ''));
}

/** Lines of a word and its pronunciations, tabs between them. */
export function parse_dictionary(text) {
  return text.split('\n').filter((line) => line !== '').map((line) => {
    const [word, ...variants] = line.split('\t');
    if (variants.length === 0) throw new Error(`expected WORD TAB PRONUNCIATION, found '${line}'`);
    return {word, variants: variants.map(parse_pronunciation)};
  });
}

export function parse_pronunciation(text) {
  return text.split(' ').filter((phoneme) => phoneme !== '');
}

/** Errors over all phonemes of the nearest variants, and words of which no variant was hit. */
function rates(entries, found, simplify) {
  let errors = 0;
  let phonemes = 0;
  let wrong_words = 0;
  entries.forEach(({variants}, i) => {
    const best = nearest(simplify(found[i]), variants.map(simplify));
    errors += best.errors;
    phonemes += best.variant.length;
    wrong_words += best.errors === 0 ? 0 : 1;
  });
  return {phoneme_errors: errors, phonemes, phoneme_error_rate: errors / phonemes,
          wrong_words, words: entries.length, word_error_rate: wrong_words / entries.length};
}

/** Most errors first, the order of the dictionary among equals. */
function mistakes(entries, found) {
  return entries
    .map(({word, variants}, i) => {
      const {variant, errors} = nearest(found[i], variants);
      return {word, found: found[i].join(' '), expected: variant.join(' '), errors};
    })
    .filter(({errors}) => errors !== 0)
    .sort((a, b) => b.errors - a.errors);
}

/** `entries` of a dictionary and a pronunciation found for each. */
export function score(entries, found) {
  return {
    with_stress: rates(entries, found, (pronunciation) => pronunciation),
    without_stress: rates(entries, found, without_stress),
    mistakes: mistakes(entries, found),
  };
}

const percent = (rate) => `${(100 * rate).toFixed(2)} %`;

/** `mistakes` evenly spread: the worst alone would show no usual one. */
export function typical(mistakes, count) {
  const step = Math.max(1, mistakes.length / count);
  return Array.from({length: Math.min(count, mistakes.length)}, (_, i) => mistakes[Math.floor(i * step)]);
}

/** Tables of fixed width. */
export function report({with_stress, without_stress, mistakes}, count) {
  const row = (name, {phoneme_error_rate, word_error_rate}) =>
    `${name.padEnd(16)}${percent(phoneme_error_rate).padStart(10)}${percent(word_error_rate).padStart(10)}`;
  const list = (entries) => entries.map(({word, found, expected, errors}) =>
    `  ${String(errors).padStart(2)}  ${word.padEnd(16)} ${found}\n${' '.repeat(22)}${expected}`);
  return [
    `${with_stress.words} words, ${with_stress.phonemes} phonemes`, '',
    `${' '.repeat(16)}${'phonemes'.padStart(10)}${'words'.padStart(10)}   wrong`,
    row('with stress', with_stress), row('without stress', without_stress), '',
    `The ${Math.min(count, mistakes.length)} worst: errors, word, found, expected below`, ...list(mistakes.slice(0, count)), '',
    'From the worst to the least, evenly spread', ...list(typical(mistakes, count)),
  ].join('\n');
}
