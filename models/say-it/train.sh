#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Trains models/say-it and its float twin from nothing, writes model.safetensors and its companions, scores
# both. An interrupted run goes on where it stood.
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

# train_model NAME [OPTIONS...]: hot and regularized, then cold and hardly so.
train_model() {
  heading "Training $1"
  local common=(--threads "$threads" --data "$data/train.jsonl" --dev "$folder/dev-sample.jsonl" "${@:2}")
  bitnet train models/say-it/train.json -o "$folder/$1-hot" --tokenizer models/say-it "${common[@]}"
  bitnet train models/say-it/train.json -o "$folder/$1" --from "$folder/$1-hot" --steps 24000 \
    --schedule linear --learning-rate 7e-4 --least-learning-rate 0 --warmup-steps 200 --weight-decay 0 \
    --dropout 0.1 --label-smoothing 0 "${common[@]}"
}
train_model ternary
train_model float --float

heading 'The shipped files'
bitnet convert "$folder/ternary" --to safetensors --type packed -o models/say-it

for set in dev test; do
  heading "Scores of $set: ternary"
  models/say-it/score "$folder/ternary" "$data/$set.tsv" --list 0
  heading "Scores of $set: float"
  models/say-it/score "$folder/float" "$data/$set.tsv" --list 0 --float
done
