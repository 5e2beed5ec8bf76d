// SPDX-License-Identifier: MIT
// `npm run lock`: node-llama-cpp lists builds for every machine, among them 600 MB for CUDA. The lock
// keeps the one that package.json names.
import {readFileSync, writeFileSync} from 'node:fs';

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));
const wanted = Object.keys(lock.packages[''].dependencies);
const isForeignBuild = (name) => name.startsWith('@node-llama-cpp/') && !wanted.includes(name);
for (const path of Object.keys(lock.packages)) {
  if (isForeignBuild(path.replace('node_modules/', ''))) delete lock.packages[path];
}
delete lock.packages['node_modules/node-llama-cpp'].optionalDependencies;
writeFileSync('package-lock.json', `${JSON.stringify(lock, null, 2)}\n`);
