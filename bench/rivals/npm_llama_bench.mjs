#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// llama.cpp as the package node-llama-cpp brings it, speaking as its llama-bench does: one test, flash attention on,
// 16-bit keys and values. NODE_LLAMA_CPP names the package's folder. The native binding is used, since the
// package's JavaScript layer insists on a tokenizer.
import path from 'node:path';
import {pathToFileURL} from 'node:url';
import {parseArgs} from 'node:util';

const kLargestBatch = 512;  // llama-bench's
const kTokenIds = 200;      // any model has as many

function parse_options() {
  const text = (short, value) => ({type: 'string', short, default: value});
  const {values} = parseArgs({options: {model: text('m', ''), prompt: text('p', '512'), generation: text('n', '0'),
    threads: text('t', '1'), repetitions: text('r', '1'), output: text('o', 'json')}});
  return {model: values.model, prompt: Number(values.prompt), generation: Number(values.generation),
    threads: Number(values.threads), repetitions: Number(values.repetitions)};
}

async function load_binding(folder) {
  if (!folder) throw new Error('NODE_LLAMA_CPP: expected the folder of the package node-llama-cpp, found nothing');
  const {getLlama, LlamaLogLevel} = await import(pathToFileURL(path.resolve(folder, 'dist/index.js')));
  const llama = await getLlama({gpu: false, build: 'never', skipDownload: true, progressLogs: false,
    logLevel: LlamaLogLevel.error});
  return {llama, binding: llama._bindings};
}

async function load_context(binding, {model: file, prompt, generation, threads}) {
  const model = new binding.AddonModel(file, {addonExports: binding, gpuLayers: 0, useMmap: true});
  if (!await model.init()) throw new Error(`llama.cpp refuses ${file}`);
  const context = new binding.AddonContext(model, {
    contextSize: Math.max(prompt, generation), batchSize: kLargestBatch, sequences: 1, threads, flashAttention: true,
  });
  if (!await context.init()) throw new Error(`llama.cpp has no context for ${file}`);
  return {model, context};
}

/** Reads `count` tokens in batches of at most `size`, with logits after the last of each. */
async function forward(context, count, size) {
  for (let begin = 0; begin < count; begin += size) {
    const ids = Uint32Array.from({length: Math.min(size, count - begin)}, (_, i) => (begin + i) * 7919 % kTokenIds);
    context.initBatch(ids.length);
    context.addToBatch(0, begin, ids, Uint32Array.of(ids.length - 1));
    await context.decodeBatch();
  }
}

/** Tokens per second, of the median repetition after one that warms up. */
async function measure(context, {prompt, generation, repetitions}) {
  const [count, size] = prompt === 0 ? [generation, 1] : [prompt, kLargestBatch];
  const seconds = [];
  for (let i = 0; i <= repetitions; ++i) {
    context.disposeSequence(0);
    const start = performance.now();
    await forward(context, count, size);
    if (i !== 0) seconds.push((performance.now() - start) / 1e3);
  }
  return count / seconds.sort((a, b) => a - b)[seconds.length >> 1];
}

async function main() {
  const options = parse_options();
  if ((options.prompt === 0) === (options.generation === 0)) throw new Error('expected one of -p and -n to be 0');
  const {llama, binding} = await load_binding(process.env.NODE_LLAMA_CPP);
  const {model, context} = await load_context(binding, options);
  const row = {
    build_commit: llama.llamaCppRelease.release, model_type: model.getModelDescription(),
    n_prompt: options.prompt, n_gen: options.generation, n_threads: context.getThreads(),
    avg_ts: await measure(context, options),
  };
  console.log(JSON.stringify([row]));
  await context.dispose();
  await model.dispose();
  await llama.dispose();
}

try {
  await main();
} catch (error) {
  console.error(`npm_llama_bench: error: ${error.message}`);
  process.exitCode = 1;
}
