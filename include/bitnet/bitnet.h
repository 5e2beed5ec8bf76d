// SPDX-License-Identifier: MIT
// Everything.
#pragma once

#include <bitnet/bit_linear.h>
#include <bitnet/chat_template.h>
#include <bitnet/checkpoint.h>
#include <bitnet/config.h>
#include <bitnet/convert_checkpoint.h>
#include <bitnet/diagnostics.h>
#include <bitnet/embedding.h>
#include <bitnet/error.h>
#include <bitnet/generation.h>
#include <bitnet/inspect_checkpoint.h>
#include <bitnet/lora.h>
#include <bitnet/model.h>
#include <bitnet/model_config.h>
#include <bitnet/perplexity.h>
#include <bitnet/quantize.h>
#include <bitnet/runtime.h>
#include <bitnet/serialization.h>
#include <bitnet/ste.h>
#include <bitnet/tensor.h>
#include <bitnet/ternary_weight.h>
#include <bitnet/tokenizer.h>
#include <bitnet/verify_checkpoint.h>
