// SPDX-License-Identifier: MIT
// Oracle: the original tokenizer.json as @huggingface/tokenizers reads it, against the tokenizer that
// llama.cpp finds in our GGUF file of the same model.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import path from 'node:path';
import {after, test} from 'node:test';

import {Tokenizer} from '@huggingface/tokenizers';

import {convert} from './bitnet_program.js';
import {close_llama_cpp, llama_cpp_tokens} from './llama_cpp.js';

const kModel = path.join(process.env.BITNET_SOURCE_DIR, 'models/prose-nano');

const kTexts = [
  'It was the best of times, it was the worst of times.', 'a', ' ', '  two  spaces ', 'line\n\nline\n',
  '\ttab', "don't we'll I'VE they're", '3.14159 and 1,000,000', 'naïve café, Cửa Việt, нещо', '🦙.cpp 你好',
  'CamelCase snake_case kebab-case', '!!!???...',
  'x'.repeat(300), 'trailing space ', ' leading', 'e\u0301 combining', '\u00a0no-break\u2003em',
];

after(close_llama_cpp);

test('llama.cpp splits text as tokenizer.json says', async () => {
  const read = (name) => JSON.parse(readFileSync(path.join(kModel, name), 'utf8'));
  const tokenizer = new Tokenizer(read('tokenizer.json'), read('tokenizer_config.json'));
  const found = await llama_cpp_tokens(convert(kModel, 'tq2_0', '--for', 'llama.cpp'), kTexts);
  for (const [i, text] of kTexts.entries()) {
    const {ids} = tokenizer.encode(text, {add_special_tokens: false});
    assert.deepEqual(found[i], ids, JSON.stringify(text));
  }
});
