// SPDX-License-Identifier: MIT
// Every text becomes paragraphs, one a line without blank lines between them, whatever lines and
// indentation it was printed with: the form in which models/prose-nano/dev.txt is.

/** One line, with single spaces. */
export const unwrapped = (text) => text.trim().replace(/\s+/g, ' ');

/** The paragraphs of lines that blank lines separate; `begins(line, before)` may see further beginnings. */
export function paragraphs(lines, begins = () => false) {
  const blocks = [];
  let before = '';
  for (const line of lines) {
    if (line.trim() !== '') {
      if (before.trim() === '' || begins(line, before)) blocks.push([]);
      blocks.at(-1).push(line);
    }
    before = line;
  }
  return blocks.map((block) => unwrapped(block.join(' ')));
}

const kTitle = 40;  // characters
const is_title = (paragraph) => paragraph.length < kTitle && !/[.!?:,;)\]”’"]$/.test(paragraph);

/** Without tables of contents: runs of at least `least` titles. */
export function without_lists_of_titles(all, least = 5) {
  const kept = [];
  let run = [];
  const end_run = () => {
    if (run.length < least) kept.push(...run);
    run = [];
  };
  for (const paragraph of all) {
    if (is_title(paragraph)) {
      run.push(paragraph);
    } else {
      end_run();
      kept.push(paragraph);
    }
  }
  end_run();
  return kept;
}
