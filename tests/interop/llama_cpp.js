// SPDX-License-Identifier: MIT
// llama.cpp, through the native binding of node-llama-cpp: its JavaScript layer insists on a
// tokenizer, which the golden models lack.
import {getLlama, LlamaLogLevel} from 'node-llama-cpp';

const llama = await getLlama({
  gpu: false, build: 'never', skipDownload: true, progressLogs: false,
  logLevel: LlamaLogLevel.error,
});
const binding = llama._bindings;

const kMostTokens = 64;
const kFloat32Cache = 0;  // GGML_TYPE_F32: attention itself adds no rounding of its own

/** Throws when llama.cpp refuses the file. */
async function load(path) {
  const model = new binding.AddonModel(path,
    {addonExports: binding, gpuLayers: 0, useMmap: true, checkTensors: true});
  if (!await model.init()) throw new Error(`llama.cpp refuses ${path}`);
  return model;
}

/** Logits [T, V] after each of the token ids. */
export async function llama_cpp_logits(path, ids, V) {
  const model = await load(path);
  const context = new binding.AddonContext(model, {
    contextSize: kMostTokens, batchSize: kMostTokens, sequences: 1, threads: 1,
    flashAttention: false, kvCacheKeyType: kFloat32Cache, kvCacheValueType: kFloat32Cache,
  });
  if (!await context.init()) throw new Error(`llama.cpp has no context for ${path}`);
  context.initBatch(ids.length);
  const outputs = context.addToBatch(0, 0, Uint32Array.from(ids), Uint32Array.from(ids.keys()));
  await context.decodeBatch();
  const sampler = new binding.AddonSampler(model);
  sampler.applyConfig({temperature: 0});
  const logits = new Float64Array(ids.length * V).fill(NaN);
  for (const [t, output] of outputs.entries()) {
    // A flat list of token, logit, token, logit, ...
    const [, , , pairs] = await context.sampleToken(output, sampler, false, false, true);
    for (let i = 0; i < pairs.length; i += 2) logits[t * V + pairs[i]] = pairs[i + 1];
  }
  sampler.dispose();
  await context.dispose();
  await model.dispose();
  return logits;
}

/** Token ids of text, special tokens not recognized. */
export async function llama_cpp_tokens(path, texts) {
  const model = await load(path);
  const tokens = texts.map((text) => Array.from(model.tokenize(text, false)));
  await model.dispose();
  return tokens;
}

/** For tests' `after`: the backend's threads would keep the process alive. */
export const close_llama_cpp = () => llama.dispose();
