// SPDX-License-Identifier: MIT
// From any dialect of checkpoint to any other: Hugging Face folder or GGUF file in, either out.
#pragma once

#include <bitnet/checkpoint.h>
#include <bitnet/lora.h>
#include <bitnet/runtime.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bitnet {

/// Where the float32 scale of a ternary matrix goes when its encoding has no place for it. I2_S and
/// packed Hugging Face matrices have one.
enum class ScalePlacement {
  tensor,   ///< a tensor X.scale beside bare trits: always exact
  block,    ///< into the blocks or numbers themselves; an UnsupportedError when that would round it
  rounded,  ///< as block, rounded to the encoding's float16 (or element type): up to 2^-11 off
};

/// Programs that a file can be made for.
enum class TargetProgram { llama_cpp, ik_llama_cpp, bitnet_cpp, transformers };
std::string_view to_string(TargetProgram program);

struct ConversionOptions {
  Checkpoint::Format format = Checkpoint::Format::gguf;
  /// Storage of the projection matrices (q k v o gate up down). Trits: i2_s, tq1_0, tq2_0, q2_0 in
  /// GGUF, u8 (four rows to a byte) in safetensors. Floats: f32, f16, bf16, in GGUF q8_0, q6_k,
  /// q4_k, q4_0; these hold scaled trits when the input is ternary. nullopt: trits for a ternary
  /// model, in GGUF i2_s where the columns divide by 128, else the smallest exact type; else as
  /// stored.
  std::optional<Encoding> matrix_encoding = std::nullopt;
  /// Storage of embedding and head: f32, f16, bf16, in GGUF also q8_0, q6_k, q4_k, q4_0. nullopt:
  /// as stored, f32 where the output format lacks that type.
  std::optional<Encoding> embedding_encoding = std::nullopt;
  /// Whether float matrices become ternary (absmean, one scale each). nullopt: when the matrix
  /// encoding is one of trits, or the model is a ternary one, unless safetensors of a float type
  /// are wanted: there, programs ternarize when they load.
  std::optional<bool> ternarize = std::nullopt;
  ScalePlacement scales = ScalePlacement::tensor;
  /// Defaults of the three fields above, and the GGUF architecture, as this program needs them.
  std::optional<TargetProgram> program = std::nullopt;
  /// In GGUF: "bitnet" or "bitnet-b1.58" instead of the usual one.
  std::optional<std::string> architecture = std::nullopt;
  /// Adapters to merge: each matrix becomes W + Σ scale * B A, ternarized anew. Latents of a
  /// ternary model that go to safetensors stay floats, f32 unless matrix_encoding says otherwise.
  std::vector<ScaledLora> lora = {};

  // How the input is to be understood where it does not say.
  /// Of a GGUF file: "relu2" or "silu".
  std::optional<std::string> hidden_act = std::nullopt;
  /// Of packed weights: "bitlinear" (scales divide) or "autobitlinear" (they multiply).
  std::optional<std::string> linear_class = std::nullopt;
  /// i2_s, i2_s_64 or i2_s_rows4.
  std::optional<Encoding> i2_s_layout = std::nullopt;
  /// tokenizer.ggml.pre, when the tokenizer's regex is not a known one.
  std::optional<std::string> pre_tokenizer = std::nullopt;

  /// Called after each block of rows: bytes read so far, and in all.
  std::function<void(std::uint64_t done, std::uint64_t total)> on_progress = nullptr;
};

/// What merging adapters into ternary matrices kept of them. W: the weights (latents, or scaled
/// trits where there is nothing else), D = Σ scale * B A, Q(...): ternarized. Sums over all
/// weights.
struct MergeLoss {
  std::uint64_t weights = 0;
  std::uint64_t trits_changed = 0;  ///< between Q(W) and Q(W + D)
  double base_squares = 0;          ///< Σ W²
  double base_errors = 0;           ///< Σ (Q(W) - W)²
  double merged_squares = 0;        ///< Σ (W + D)²
  double merged_errors = 0;         ///< Σ (Q(W + D) - (W + D))²
  double update_squares = 0;        ///< Σ D²
  double change_squares = 0;        ///< Σ (Q(W + D) - Q(W))²
  double change_times_update = 0;   ///< Σ (Q(W + D) - Q(W)) D

  MergeLoss& operator+=(const MergeLoss& other);
  /// 10 log10(squares / errors); infinity when there is no error.
  double base_sqnr_db() const;
  double merged_sqnr_db() const;
  /// |Q(W + D) - Q(W)| / |D|: how large the change is that took place. 0 when D is 0.
  double change_ratio() const;
  /// (Q(W + D) - Q(W)) · D / |D|²: how much of D it holds; 1: all. 0 when D is 0.
  double survival() const;
};

/// What became of one tensor.
struct TensorReport {
  std::string name;         ///< in the output
  std::string source_name;  ///< in the input
  Encoding encoding;        ///< in the output
  Shape shape;              ///< of the weight: packed matrices show their weights, not their bytes
  bool ternary = false;
  bool was_ternary = false;  ///< the input already held {-s, 0, s}: codes and scale kept
  float scale = 0;           ///< ternary only
  double sparsity = 0;       ///< ternary only
  double sqnr_db = 0;        ///< 10 log10(Σw² / Σ(w - ŵ)²); ternary only, infinity when exact
  std::optional<MergeLoss> merge_loss;  ///< of a matrix of a ternary model that an adapter changes
};

/// Whether a program loads the result, by the facts of docs/formats.md.
struct LoaderAdvice {
  enum class Verdict {
    loads,
    loads_after_repacking,
    computes_wrong_results,  ///< loads, but the program's graph is another model's
    refuses,
  };
  TargetProgram program;
  Verdict verdict;
  std::string how;  ///< one sentence: the command, or the reason
};

struct ConversionReport {
  std::string architecture;  ///< GGUF's general.architecture, or the Hugging Face class
  std::vector<TensorReport> tensors;
  std::uint64_t input_bytes = 0;
  std::uint64_t output_bytes = 0;
  std::vector<std::string> notes;  ///< what the input left open and how it was decided
  std::vector<LoaderAdvice> loaders;
};

/// Reads the checkpoint as the model it is and writes that model. Ternary matrices keep codes and
/// scale, or the conversion is refused with the reason; float masters are ternarized by
/// BitNetConfig::b158(). `output` is a GGUF file, or for safetensors a folder that gets
/// model.safetensors, config.json and the tokenizer's files. Streams: peak memory is some row
/// blocks, whatever the checkpoint's size. The weights appear complete or not at all. The same
/// input gives the same bytes for any thread count and ISA. Throws UnsupportedError listing the
/// known architectures for another one, InvalidArgument for options that contradict each other,
/// and what reading and writing throw.
ConversionReport convert_checkpoint(const Checkpoint& input, const std::filesystem::path& output,
                                    const ConversionOptions& options = {},
                                    const Runtime& runtime = Runtime::serial());

}  // namespace bitnet
