// SPDX-License-Identifier: MIT
#include <bitnet/tokenizer.h>
#include <bitnet/train/trainer.h>
#include <torch/torch.h>

#include <numbers>
#include <vector>

#include "batch_tensors.h"
#include "evaluation_mode.h"

namespace bitnet::train {

double EvaluationResult::bits_per_byte() const {
  return bytes == 0 ? 0 : nll / (std::numbers::ln2 * static_cast<double>(bytes));
}

EvaluationResult evaluate(TransformerImpl& model, const TokenFile& file, const Tokenizer& tokenizer,
                          const BatchOptions& options) {
  const EvaluationMode evaluation(model);
  const SequentialWindows windows(file, options);
  std::vector<std::size_t> bytes(tokenizer.vocab_size());  // of each token's text
  for (TokenId id = 0; id < bytes.size(); ++id) {
    bytes[id] = tokenizer.is_special(id) ? 0 : tokenizer.token_bytes(id).size();
  }
  EvaluationResult result;
  for (std::size_t i = 0; i < windows.batches(); ++i) {
    const Batch batch = windows.batch(i);
    for (const std::int32_t target : batch.targets) {
      if (target >= 0) {
        result.bytes += bytes[target];
        ++result.tokens;
      }
    }
    const BatchTensors tensors = tensors_of(batch, model.embedding().device());
    result.nll += model.loss(tensors.inputs, tensors.targets, 1).item<double>();
  }
  return result;
}

}  // namespace bitnet::train
