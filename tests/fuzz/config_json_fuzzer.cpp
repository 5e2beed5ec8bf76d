// SPDX-License-Identifier: MIT
// Any bytes as config.json: parsed to a model whose sizes keep what ModelConfig promises, or an
// Error.
#include <bitnet/error.h>

#include <cstddef>
#include <cstdlib>

#include "model/model_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto config = bitnet::parse_model_config({reinterpret_cast<const char*>(data), size});
    if (config.num_key_value_heads == 0 ||
        config.num_attention_heads % config.num_key_value_heads != 0 || config.head_dim == 0 ||
        config.head_dim % 2 != 0 || !(config.rms_norm_eps > 0) ||
        (config.sliding_window && *config.sliding_window == 0) ||
        (config.query_pre_attn_scalar && !(*config.query_pre_attn_scalar > 0))) {
      std::abort();
    }
  } catch (const bitnet::Error&) {
    return 0;
  }
  return 0;
}
