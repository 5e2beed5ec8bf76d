// SPDX-License-Identifier: MIT
#include "model/target_programs.h"

#include <algorithm>

#include "base/message.h"

namespace bitnet {
namespace {

using Verdict = LoaderAdvice::Verdict;

/// What decides whether a program loads a GGUF file of ours.
struct FileTraits {
  std::string architecture;
  std::string hidden_act;
  bool has_i2_s = false;
  bool has_tq = false;
  bool has_q2_0 = false;
  bool has_scale_tensors = false;
  bool has_projection_norms = false;
  bool has_latents = false;  // floats that the model would ternarize

  bool is_bitnet() const { return architecture.starts_with("bitnet"); }
};

FileTraits traits_of(const ModelSource& source, const ConversionPlan& plan) {
  FileTraits traits{.architecture = plan.architecture, .hidden_act = source.config().hidden_act};
  bool has_ternary = false;
  for (const PlannedTensor& tensor : plan.tensors) {
    traits.has_i2_s |= tensor.encoding == Encoding::i2_s;
    traits.has_tq |= tensor.encoding == Encoding::tq1_0 || tensor.encoding == Encoding::tq2_0;
    traits.has_q2_0 |= tensor.encoding == Encoding::q2_0;
    traits.has_scale_tensors |= !tensor.scale_name.empty();
    traits.has_projection_norms |= tensor.name.find("_norm_in.") != std::string::npos;
    has_ternary |= tensor.ternary;
  }
  traits.has_latents = !has_ternary && is_ternary_model(source);
  return traits;
}

LoaderAdvice judge_llama_cpp(const FileTraits& file) {
  const auto verdict = [](Verdict v, std::string how) {
    return LoaderAdvice{TargetProgram::llama_cpp, v, std::move(how)};
  };
  if (file.architecture == "bitnet-b1.58" || file.architecture == "bitnet-25") {
    return verdict(Verdict::refuses, "it does not know the architecture " + file.architecture);
  }
  if (file.has_i2_s) {
    return verdict(Verdict::refuses, "it has no type I2_S (36); convert with --for llama.cpp");
  }
  if (file.has_projection_norms) {
    return verdict(Verdict::refuses, "it has no graph with a norm in front of each projection");
  }
  if (file.is_bitnet() && file.hidden_act != "silu") {
    return verdict(Verdict::computes_wrong_results,
                   "its graph for " + file.architecture + " computes SiLU where this model needs " +
                       file.hidden_act + ": text comes out, but perplexity is several times worse");
  }
  return verdict(Verdict::loads,
                 file.has_scale_tensors
                     ? "llama-cli -m FILE (a version that reads .scale tensors, 2026)"
                     : "llama-cli -m FILE");
}

LoaderAdvice judge_bitnet_cpp(const FileTraits& file) {
  const auto verdict = [](Verdict v, std::string how) {
    return LoaderAdvice{TargetProgram::bitnet_cpp, v, std::move(how)};
  };
  if (file.has_q2_0) {
    return verdict(Verdict::refuses, "it has no type Q2_0 (42)");
  }
  if (!file.is_bitnet() && file.architecture != "llama") {
    return verdict(Verdict::refuses, "its converter writes files of its own for such models");
  }
  if (file.has_scale_tensors && file.architecture != "bitnet") {
    return verdict(Verdict::refuses, "it takes .scale tensors for an error with architecture " +
                                         file.architecture + "; convert with --type i2_s");
  }
  if (file.is_bitnet() && file.architecture == "bitnet" && file.hidden_act != "silu") {
    return verdict(Verdict::computes_wrong_results,
                   "it computes SiLU for architecture bitnet; use bitnet-b1.58");
  }
  if (file.architecture != "bitnet" && file.is_bitnet() && file.hidden_act == "silu") {
    return verdict(Verdict::computes_wrong_results,
                   "it computes ReLU squared for architecture " + file.architecture);
  }
  std::string how = "run_inference.py -m FILE";
  if (file.has_i2_s) {
    how +=
        " (x86 builds; Arm builds since November 2025 read I2_S in another layout and print "
        "garbage)";
  }
  if (file.architecture == "bitnet-b1.58") {
    how += "; versions of 2026 compute SiLU here, a regression: use one of 2025";
  }
  return verdict(Verdict::loads, how);
}

LoaderAdvice judge_ik_llama_cpp(const FileTraits& file) {
  const auto verdict = [](Verdict v, std::string how) {
    return LoaderAdvice{TargetProgram::ik_llama_cpp, v, std::move(how)};
  };
  if (file.has_tq || file.has_q2_0) {
    return verdict(Verdict::refuses, "it has no types TQ1_0, TQ2_0 and Q2_0; use --type i2_s");
  }
  if (file.has_projection_norms) {
    return verdict(Verdict::refuses, "it has no graph with a norm in front of each projection");
  }
  if (file.has_scale_tensors && file.architecture != "bitnet") {
    return verdict(Verdict::refuses,
                   "it takes .scale tensors for an error with architecture " + file.architecture);
  }
  if (file.architecture == "bitnet" && file.hidden_act != "silu") {
    return verdict(Verdict::computes_wrong_results,
                   "it computes SiLU for architecture bitnet; use bitnet-b1.58");
  }
  if (file.has_i2_s) {
    return verdict(Verdict::loads_after_repacking,
                   "llama-quantize --allow-requantize --token-embedding-type f16 "
                   "--output-tensor-type f16 FILE OUT iq2_bn");
  }
  return verdict(Verdict::loads, "llama-cli -m FILE");
}

LoaderAdvice judge_transformers(const ModelSource& source, const ConversionPlan& plan) {
  const FileTraits file = traits_of(source, plan);
  const bool packed = std::any_of(plan.tensors.begin(), plan.tensors.end(), [](const auto& tensor) {
    return tensor.encoding == Encoding::u8;
  });
  if (source.family().hugging_face == "BitnetForCausalLM") {
    return {TargetProgram::transformers, Verdict::refuses,
            "1bitLLM's models bring code of their own; transformers has no BitnetForCausalLM"};
  }
  if (source.find("blk.0.attn_q_norm_in.weight") != nullptr) {
    return {TargetProgram::transformers, Verdict::refuses,
            "bitnet-embedding models bring code of their own for the norm in each projection"};
  }
  return {TargetProgram::transformers, Verdict::loads,
          packed ? "AutoModelForCausalLM.from_pretrained(DIR), version 4.52 or later (scales "
                   "multiply: linear_class autobitlinear)"
                 : "AutoModelForCausalLM.from_pretrained(DIR)"};
}

}  // namespace

std::vector<LoaderAdvice> judge_loaders(const ModelSource& source, const ConversionPlan& plan) {
  if (plan.format == Checkpoint::Format::safetensors) {
    return {judge_transformers(source, plan)};
  }
  const FileTraits file = traits_of(source, plan);
  std::vector<LoaderAdvice> advice = {judge_llama_cpp(file), judge_bitnet_cpp(file),
                                      judge_ik_llama_cpp(file)};
  for (LoaderAdvice& entry : advice) {
    if (file.has_latents && entry.verdict != Verdict::refuses) {
      entry = {entry.program, Verdict::computes_wrong_results,
               "it computes with the float weights, where this model rounds them to trits"};
    }
  }
  return advice;
}

}  // namespace bitnet
