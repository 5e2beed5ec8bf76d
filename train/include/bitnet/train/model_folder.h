// SPDX-License-Identifier: MIT
// A Transformer from and to checkpoints.
#pragma once

#include <bitnet/checkpoint.h>
#include <bitnet/train/transformer.h>

#include <filesystem>

namespace bitnet::train {

/// A model with the weights of a checkpoint of any dialect. Floats become latents as they are.
/// Ternary matrices become latents trit * scale / (1 - sparsity), whose codes and absmean scale are
/// those of the checkpoint. Throws what load_model throws.
Transformer load_transformer(const Checkpoint& checkpoint);

/// The same with packed projections and no parameter that learns: the base of an adapter.
Transformer load_frozen_transformer(const Checkpoint& checkpoint);

/// Whether projections are stored as trits with a scale, not as floats or latents.
bool has_stored_trits(const Checkpoint& checkpoint);

/// Writes a Hugging Face folder: model.safetensors with float32 latents, config.json and what
/// stands in `companions` (a folder with a tokenizer; may be empty) under the names of such files.
/// bitnet::load_model and `bitnet convert` make the same codes of it as the model itself. Each file
/// appears complete or not at all.
void save_transformer(const TransformerImpl& model, const std::filesystem::path& folder,
                      const std::filesystem::path& companions = {});

/// What a training moves: the adapter alone (save_lora) where the model has low-rank updates, else
/// as save_transformer.
void save_learned(const TransformerImpl& model, const std::filesystem::path& folder,
                  const std::filesystem::path& companions = {});
/// Reads it back, bit by bit, into a model of the same shape. FormatError for another one.
void restore_learned(TransformerImpl& model, const std::filesystem::path& folder);

}  // namespace bitnet::train
