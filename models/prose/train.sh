#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Trains models/prose and its float twin from nothing, writes prose.gguf, scores both. An interrupted run
# goes on where it stood.
#
#   models/prose/train.sh [THREADS]      (1; the shipped model was trained with one)
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/prepare"

threads=${1:-1}
folder=build/models/prose
data=$folder/data

install_missing "${build_packages[@]}" "${train_packages[@]}"
build release bitnet_cli bitnet_train_program bitnet_train_tokenizer_program
PATH=$PWD/build/release:$PATH
# `bitnet train` computes on OpenMP's threads.
export OMP_NUM_THREADS=$threads OPENBLAS_NUM_THREADS=1

models/prose/fetch "$data"
mkdir -p "$folder/dev"
head --bytes=60000 "$data/dev/northanger-abbey.txt" > "$folder/dev/northanger-abbey.txt"
cp "$data/dev/sotu/1930-herbert-hoover-r.txt" "$folder/dev/"

heading 'The tokenizer'
bitnet train-tokenizer --data "$data/train" --vocab-size 4096 -o "$folder/tokenizer"

# train_model NAME [OPTIONS...]: Austen counts twice.
train_model() {
  heading "Training $1"
  bitnet train models/prose/train.json -o "$folder/$1" --threads "$threads" \
    --data "$data/train" "$data"/train/{emma,mansfield-park,pride-and-prejudice,sense-and-sensibility}.txt \
    --dev "$folder/dev" --tokenizer "$folder/tokenizer" "${@:2}"
}
train_model ternary
train_model float --float --learning-rate 1e-3 --second-peak 6.5e-4

heading 'The shipped file'
bitnet convert "$folder/ternary" -o "$folder/prose.gguf"

heading 'Scores: bits per byte, windows of 256 tokens'
for set in dev/northanger-abbey.txt dev/sotu test/persuasion.txt test/sotu; do
  for model in ternary float; do
    printf '%-25s %-8s ' "$set" "$model"
    bitnet train --from "$folder/$model" $([[ $model == float ]] && echo --float) \
      --context 256 --evaluate "$data/$set"
  done
done
