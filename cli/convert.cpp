// SPDX-License-Identifier: MIT
// `bitnet convert`: any dialect of checkpoint in, any other out.
#include <CLI/CLI.hpp>
#include <map>
#include <memory>

#include "conversion.h"

namespace bitnet::cli {

void add_convert_command(CLI::App& app, Command& chosen) {
  CLI::App* command =
      app.add_subcommand("convert", "Convert a checkpoint between GGUF and safetensors dialects");
  command->footer(
      R"(Ternary matrices keep codes and scale exactly, or the conversion is refused with the reason. Float
weights of a BitNet model become ternary, but in safetensors of a float type, which programs ternarize
when they load. Those of other models stay floats unless --type names a ternary type.

Types in GGUF: i2_s tq1_0 tq2_0 q2_0 (ternary), f32 f16 bf16 q8_0 q6_k q4_k q4_0.
Types in safetensors: packed (Hugging Face's four rows to a byte), f32 f16 bf16.

Examples:
  bitnet convert models/bitnet-2b4t -o bitnet.gguf --embedding-type q6_k
  bitnet convert ggml-model-i2_s.gguf -o models/bitnet-2b4t --to safetensors
  bitnet convert models/falcon3 -o falcon3.gguf --for llama.cpp
  bitnet convert arm-build.gguf -o fixed.gguf          I2_S in Arm's layout is recognized and mended
  bitnet convert bitnet.gguf -o bitnet-tq2.gguf --type tq2_0 --scales rounded)");
  static const std::map<std::string, Checkpoint::Format> formats = {
      {"gguf", Checkpoint::Format::gguf}, {"safetensors", Checkpoint::Format::safetensors}};
  auto conversion = std::make_shared<ConversionCommand>();
  conversion->progress_label = "converting";
  command->add_option("--to", conversion->options.format, "gguf (default) or safetensors")
      ->transform(CLI::CheckedTransformer(formats, CLI::ignore_case))
      ->type_name("FORMAT");
  add_type_option(*command, *conversion);
  add_conversion_options(*command, *conversion);
  command->callback([conversion, command, &chosen] {
    if (command->count("--to") == 0 && conversion->options.program == TargetProgram::transformers) {
      conversion->options.format = Checkpoint::Format::safetensors;
    }
    chosen = [conversion] { return run_conversion(*conversion); };
  });
}

}  // namespace bitnet::cli
