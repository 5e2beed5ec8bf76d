#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Trains models/say-it and its float twin from nothing, writes model.safetensors and its companions, scores
# both. An interrupted run goes on where it stood. Not run to its end yet: no weights are shipped.
#
#   models/say-it/train.sh [THREADS]      (1)
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/prepare"

threads=${1:-1}
folder=build/models/say-it
data=$folder/data

install_missing "${build_packages[@]}" "${train_packages[@]}"
build release bitnet_cli bitnet_train_program
PATH=$PWD/build/release:$PATH
# `bitnet train` computes on OpenMP's threads.
export OMP_NUM_THREADS=$threads OPENBLAS_NUM_THREADS=1

models/say-it/fetch "$data"
awk 'NR % 7 == 0' "$data/dev.jsonl" > "$folder/dev-sample.jsonl"

# train_model NAME [OPTIONS...]
train_model() {
  heading "Training $1"
  bitnet train models/say-it/train.json -o "$folder/$1" --threads "$threads" --data "$data/train.jsonl" \
    --dev "$folder/dev-sample.jsonl" --tokenizer models/say-it "${@:2}"
}
train_model ternary
train_model float --float --learning-rate 1e-3 --second-peak 6.5e-4

heading 'The shipped files'
bitnet convert "$folder/ternary" --to safetensors --type packed -o models/say-it

for set in dev test; do
  heading "Scores of $set: ternary"
  models/say-it/score "$folder/ternary" "$data/$set.tsv" --list 0
  heading "Scores of $set: float"
  models/say-it/score "$folder/float" "$data/$set.tsv" --list 0 --float
done
