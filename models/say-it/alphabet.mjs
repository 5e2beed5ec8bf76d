// SPDX-License-Identifier: MIT
// What words and pronunciations are spelled with.

/** In the order of their bytes. */
export const kLetters = [..."'-.abcdefghijklmnopqrstuvwxyz"];

const kVowels = ['AA', 'AE', 'AH', 'AO', 'AW', 'AY', 'EH', 'ER', 'EY', 'IH', 'IY', 'OW', 'OY', 'UH', 'UW'];
const kConsonants = ['B', 'CH', 'D', 'DH', 'F', 'G', 'HH', 'JH', 'K', 'L', 'M', 'N', 'NG', 'P', 'R', 'S',
                     'SH', 'T', 'TH', 'V', 'W', 'Y', 'Z', 'ZH'];
/** 0: unstressed, 1: primary stress, 2: secondary stress. */
const kStresses = ['0', '1', '2'];

/** The phonemes of CMUdict, a vowel once for each stress. */
export const kPhonemes = [
  ...kVowels.flatMap((vowel) => kStresses.map((stress) => vowel + stress)), ...kConsonants,
].sort();
