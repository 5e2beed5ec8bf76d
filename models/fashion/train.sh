#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Trains the classifier and its twin in full precision, and writes model.safetensors, scores.json and page.html.
#
#   models/fashion/train.sh [DATA]    (build/models/fashion/data, fetched when it is missing)
#
# Some minutes on one core. Needs Node.
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/prepare"

data=${1:-build/models/fashion/data}
run=build/models/fashion/run
programs=build/release

install_missing "${build_packages[@]}" "${train_packages[@]}"
build release fashion_train fashion_evaluate
[[ -f $data/train-images-idx3-ubyte ]] || models/fashion/fetch "$data"
mkdir -p "$run"

# Both learn best at this rate: README.md has the others.
train() { "$programs/fashion_train" --data "$data" --learning-rate 5e-4 --seed 1 "$@"; }
train --model "$run/model.safetensors" --curve "$run/ternary.json"
train --full-precision --test --curve "$run/full_precision.json"

evaluate() { "$programs/fashion_evaluate" --json "$run/model.safetensors" "$@"; }
evaluate "$data"/t10k-{images-idx3,labels-idx1}-ubyte >"$run/test.json"
evaluate models/fashion/sample-{images-idx3,labels-idx1}-ubyte >"$run/sample.json"
cp "$run/model.safetensors" models/fashion/
node models/fashion/report.mjs "$run" "$data"
