// SPDX-License-Identifier: MIT
// `bitnet quantize`: a checkpoint in, a ternary one out; `convert` with ternary matrices asked for.
#include <CLI/CLI.hpp>
#include <memory>

#include "conversion.h"

namespace bitnet::cli {

void add_quantize_command(CLI::App& app, Command& chosen) {
  CLI::App* command = app.add_subcommand("quantize", "Turn a checkpoint into a ternary GGUF file");
  command->footer(
      R"(The projection matrices become {-1, 0, 1} with one scale each (absmean, as BitNet b1.58 models
define it); matrices that are ternary already keep their codes and scale. Embedding and head stay
as they are unless --embedding-type says otherwise. Memory use does not grow with the model.

Without --type each matrix is stored as i2_s, or the smallest of q2_0, q4_0 and f16 that its number
of columns allows. `bitnet convert` has more ways to write a checkpoint.

Examples:
  bitnet quantize models/bitnet-2b4t -o bitnet-2b4t.gguf --embedding-type q6_k
  bitnet quantize model.safetensors -o model.gguf      config.json lies beside model.safetensors
  bitnet quantize models/falcon3 -o falcon3.gguf --for llama.cpp)");
  auto conversion = std::make_shared<ConversionCommand>();
  conversion->progress_label = "quantizing";
  conversion->options.ternarize = true;
  add_type_option(*command, *conversion);
  add_conversion_options(*command, *conversion);
  command->callback(
      [conversion, &chosen] { chosen = [conversion] { return run_conversion(*conversion); }; });
}

}  // namespace bitnet::cli
