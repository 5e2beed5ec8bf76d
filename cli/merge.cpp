// SPDX-License-Identifier: MIT
// `bitnet merge`: LoRA adapters into the weights of a model, and what ternarizing leaves of them.
#include <CLI/CLI.hpp>
#include <memory>

#include "conversion.h"

namespace bitnet::cli {

void add_merge_command(CLI::App& app, Command& chosen) {
  CLI::App* command = app.add_subcommand("merge", "Merge LoRA adapters into a model's weights");
  command->footer(
      R"(Each matrix that an adapter changes becomes W + scale B A. Trits are coarse: a small update moves few
weights across a rounding boundary, and what does not cross is lost. The report says for every matrix how
many trits changed and how much of the update survived; `bitnet run --lora` keeps all of it.

-o NAME.gguf writes trits. Any other name is a Hugging Face folder: latents stay floats (f32), which
programs ternarize when they load and which training can go on from. Merge into the latent checkpoint
where there is one: a model of trits alone keeps its scales, and an update below half of a scale
changes nothing.

Examples:
  bitnet merge models/bitnet-2b4t-bf16 --lora adapter -o merged
  bitnet merge models/bitnet-2b4t-bf16 --lora adapter -o merged.gguf --embedding-type q6_k
  bitnet merge models/bitnet-2b4t-bf16 --lora-scaled adapter 0.5 --lora other -o merged --json)");
  auto conversion = std::make_shared<ConversionCommand>();
  conversion->progress_label = "merging";
  add_lora_options(*command, conversion->lora);
  add_type_option(*command, *conversion);
  add_conversion_options(*command, *conversion);
  command->callback([conversion, &chosen] {
    if (conversion->lora.empty()) {
      throw CLI::RequiredError("--lora or --lora-scaled");
    }
    conversion->options.format = conversion->output.ends_with(".gguf")
                                     ? Checkpoint::Format::gguf
                                     : Checkpoint::Format::safetensors;
    chosen = [conversion] { return run_conversion(*conversion); };
  });
}

}  // namespace bitnet::cli
