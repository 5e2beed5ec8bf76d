// SPDX-License-Identifier: MIT
#include <bitnet/convert_checkpoint.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "formats/ternary_encodings.h"
#include "gguf_matrix.h"
#include "reference/golden_file.h"
#include "reference/naive_quantize.h"
#include "tiny_model.h"

namespace bitnet {
namespace {

struct Projection {
  const char* hugging_face;
  const char* gguf;
};
constexpr Projection kProjections[] = {
    {"self_attn.q_proj", "attn_q"}, {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"}, {"self_attn.o_proj", "attn_output"},
    {"mlp.gate_proj", "ffn_gate"},  {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"}};

std::string hugging_face_name(int layer, const Projection& projection) {
  return "model.layers." + std::to_string(layer) + "." + projection.hugging_face;
}
std::string gguf_name(int layer, const Projection& projection) {
  return "blk." + std::to_string(layer) + "." + projection.gguf;
}

/// A model, quantized into a folder of its own: a golden one, or any absolute path.
class QuantizedModel {
 public:
  explicit QuantizedModel(const std::filesystem::path& model, ConversionOptions options = {},
                          const Runtime& runtime = Runtime::serial())
      : report(convert_checkpoint(
            open_checkpoint(std::filesystem::path(BITNET_GOLDEN_DIR) / "models" / model), path(),
            ternarizing(std::move(options)), runtime)),
        file(open_checkpoint(path())) {}

  std::filesystem::path path() const { return folder_.path() / "out.gguf"; }
  std::string bytes() const { return read_bytes(path()); }
  UnpackedMatrix matrix(const std::string& name) const { return unpack_gguf(file, name); }

 private:
  /// Types that hold floats as well, q4_0 and f16, hold trits here.
  static ConversionOptions ternarizing(ConversionOptions options) {
    options.ternarize = true;
    return options;
  }

  TemporaryFolder folder_;

 public:
  ConversionReport report;
  Checkpoint file;
};

reference::NaiveWeights naive(const std::vector<float>& masters) {
  return reference::naive_weights(masters, masters.size(), reference::Form::multiply);
}

void expect_same(const UnpackedMatrix& matrix, const reference::NaiveWeights& expected) {
  EXPECT_EQ(matrix.trits, expected.trits);
  EXPECT_EQ(matrix.scale, expected.scales.front());
}

// Oracle: both folders hold the same model, quantized by an independent program.
TEST(ConvertCheckpoint, MastersAndPackedFormGiveTheSameFile) {
  const QuantizedModel latent("bitnet-2b4t/latent");
  const QuantizedModel packed("bitnet-2b4t/packed");
  EXPECT_TRUE(latent.bytes() == packed.bytes());
  EXPECT_EQ(latent.report.output_bytes, latent.bytes().size());
}

// Oracle: the golden packed bytes, unpacked naively; autobitlinear multiplies by weight_scale.
TEST(ConvertCheckpoint, MastersGiveTheTritsAndScalesOfThePackedForm) {
  const reference::GoldenFile packed("models/bitnet-2b4t/packed/model.safetensors");
  const QuantizedModel latent("bitnet-2b4t/latent");
  for (int layer = 0; layer < 3; ++layer) {
    for (const Projection& projection : kProjections) {
      const std::string source = hugging_face_name(layer, projection);
      SCOPED_TRACE(source);
      const UnpackedMatrix matrix = latent.matrix(gguf_name(layer, projection));
      EXPECT_EQ(matrix.trits, unpack_hugging_face(packed.at(source + ".weight")));
      EXPECT_EQ(matrix.scale, packed.at(source + ".weight_scale").floats().front());
    }
  }
}

// Oracle: the naive quantizer, on float16 masters and on names without "model.".
TEST(ConvertCheckpoint, EveryFamilyAgreesWithTheNaiveQuantizer) {
  const reference::GoldenFile onebitllm("models/onebitllm/latent/model.safetensors");
  const reference::GoldenFile embedding("models/bitnet-embedding/latent/model.safetensors");
  const QuantizedModel quantized_onebitllm("onebitllm/latent");
  const QuantizedModel quantized_embedding("bitnet-embedding/latent");
  for (int layer = 0; layer < 2; ++layer) {
    for (const Projection& projection : kProjections) {
      const std::string source = hugging_face_name(layer, projection) + ".weight";
      const std::string name = gguf_name(layer, projection);
      SCOPED_TRACE(source);
      expect_same(quantized_onebitllm.matrix(name), naive(onebitllm.at(source).floats()));
      expect_same(quantized_embedding.matrix(name),
                  naive(embedding.at(source.substr(std::strlen("model."))).floats()));
    }
  }
}

// Oracle: nested loops over heads, halves and pairs on the golden packed bytes; linear_class is
// absent, so the layer divides by weight_scale.
TEST(ConvertCheckpoint, LlamaRowsOfQueryAndKeyInterleave) {
  constexpr std::size_t kColumns = 256;
  constexpr std::size_t kHalf = 32;
  const reference::GoldenFile packed("models/llama-ternary/packed/model.safetensors");
  const QuantizedModel quantized("llama-ternary/packed");
  for (const Projection& projection : kProjections) {
    const std::string source = hugging_face_name(1, projection);
    SCOPED_TRACE(source);
    const std::vector<int> trits = unpack_hugging_face(packed.at(source + ".weight"));
    const UnpackedMatrix matrix = quantized.matrix(gguf_name(1, projection));
    EXPECT_EQ(matrix.scale, 1.0F / packed.at(source + ".weight_scale").floats().front());
    const bool interleaved = &projection < &kProjections[2];
    if (!interleaved) {
      EXPECT_EQ(matrix.trits, trits);
      continue;
    }
    std::vector<int> expected;
    for (std::size_t head = 0; head < trits.size() / kColumns / (2 * kHalf); ++head) {
      for (std::size_t j = 0; j < kHalf; ++j) {
        for (std::size_t half = 0; half < 2; ++half) {
          const std::size_t row = head * 2 * kHalf + half * kHalf + j;
          expected.insert(expected.end(), trits.begin() + static_cast<long>(row * kColumns),
                          trits.begin() + static_cast<long>((row + 1) * kColumns));
        }
      }
    }
    EXPECT_EQ(matrix.trits, expected);
  }
}

// Oracle: the golden bytes. Norm gains of 1e-32 would vanish on the way through float16.
TEST(ConvertCheckpoint, EmbeddingsAreKeptAndNormsWidened) {
  const reference::GoldenFile packed("models/bitnet-2b4t/packed/model.safetensors");
  const QuantizedModel quantized("bitnet-2b4t/packed");
  const StoredTensor* const embedding = quantized.file.find("token_embd.weight");
  ASSERT_NE(embedding, nullptr);
  EXPECT_EQ(embedding->encoding, Encoding::bf16);
  const reference::GoldenTensor& expected = packed.at("model.embed_tokens.weight");
  EXPECT_TRUE(std::equal(embedding->bytes.begin(), embedding->bytes.end(), expected.bytes.begin(),
                         expected.bytes.end()));

  float smallest = 1;
  for (const auto& [source, name] :
       {std::pair{"model.norm", "output_norm"},
        std::pair{"model.layers.0.mlp.ffn_sub_norm", "blk.0.ffn_sub_norm"},
        std::pair{"model.layers.2.self_attn.attn_sub_norm", "blk.2.attn_sub_norm"}}) {
    const StoredTensor* const norm = quantized.file.find(std::string(name) + ".weight");
    ASSERT_NE(norm, nullptr) << name;
    EXPECT_EQ(norm->encoding, Encoding::f32);
    const std::vector<float> gains = packed.at(std::string(source) + ".weight").floats();
    ASSERT_EQ(norm->bytes.size(), gains.size() * sizeof(float));
    EXPECT_EQ(std::memcmp(norm->bytes.data(), gains.data(), norm->bytes.size()), 0) << name;
    for (const float gain : gains) {
      smallest = gain == 0 ? smallest : std::min(smallest, std::abs(gain));
    }
  }
  EXPECT_LT(smallest, 1e-30F);  // else this test saw no tiny gain
}

// Oracle: the contract, "the same bytes for any thread count and ISA".
TEST(ConvertCheckpoint, BytesDependNeitherOnThreadsNorOnIsa) {
  for (const char* model :
       {"bitnet-2b4t/latent", "bitnet-odd/packed", "llama-ternary/packed", "onebitllm/latent"}) {
    SCOPED_TRACE(model);
    const std::string expected =
        QuantizedModel(model, {}, Runtime({.threads = 1, .isa = Isa::scalar})).bytes();
    for (const Isa isa : supported_isas()) {
      for (const int threads : {1, 2, 5}) {
        const Runtime runtime({.threads = threads, .isa = isa});
        EXPECT_TRUE(QuantizedModel(model, {}, runtime).bytes() == expected)
            << to_string(isa) << ", " << threads << " threads";
      }
    }
  }
}

// Oracle: the naive quantizer. How each encoding lays out trits is tested in tests/formats.
TEST(ConvertCheckpoint, EveryEncodingHoldsTheSameTritsAndExactScale) {
  const reference::GoldenFile latent("models/bitnet-2b4t/latent/model-00001-of-00002.safetensors");
  const reference::NaiveWeights expected =
      naive(latent.at("model.layers.0.mlp.down_proj.weight").floats());
  for (const Encoding encoding : {Encoding::i2_s, Encoding::tq1_0, Encoding::tq2_0, Encoding::q2_0,
                                  Encoding::q4_0, Encoding::f16}) {
    SCOPED_TRACE(to_string(encoding));
    const QuantizedModel quantized("bitnet-2b4t/latent", {.matrix_encoding = encoding});
    const StoredTensor* const tensor = quantized.file.find("blk.0.ffn_down.weight");
    ASSERT_NE(tensor, nullptr);
    EXPECT_EQ(tensor->encoding, encoding);
    std::vector<float> values(expected.trits.size());
    decode_to_float(*tensor, 0, tensor->shape.rows(), values);
    float scale = 1;
    if (encoding != Encoding::i2_s) {
      const StoredTensor* const scale_tensor = quantized.file.find("blk.0.ffn_down.scale");
      ASSERT_NE(scale_tensor, nullptr);
      EXPECT_EQ(scale_tensor->encoding, Encoding::f32);
      ASSERT_EQ(scale_tensor->bytes.size(), sizeof scale);
      std::memcpy(&scale, scale_tensor->bytes.data(), sizeof scale);
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      ASSERT_EQ(values[i] * scale, static_cast<float>(expected.trits[i]) * expected.scales[0]) << i;
    }
  }
}

// Oracle: the documented fallback, and the naive quantizer. 192 = 3 * 64, 416 = 13 * 32, 20 fits no
// block.
TEST(ConvertCheckpoint, ColumnsThatFitNoBlockFallBack) {
  const QuantizedModel odd("bitnet-odd/packed");
  EXPECT_EQ(odd.file.find("blk.0.ffn_gate.weight")->encoding, Encoding::q2_0);
  EXPECT_EQ(odd.file.find("blk.0.ffn_down.weight")->encoding, Encoding::q4_0);
  const reference::GoldenFile packed("models/bitnet-odd/packed/model.safetensors");
  for (const Projection& projection : kProjections) {
    EXPECT_EQ(odd.matrix(gguf_name(1, projection)).trits,
              unpack_hugging_face(packed.at(hugging_face_name(1, projection) + ".weight")));
  }

  const TemporaryFolder folder;
  const TinyModel tiny(20, 44);
  tiny.write(folder.path());
  const QuantizedModel quantized(folder.path());
  for (const Projection& projection : kProjections) {
    EXPECT_EQ(quantized.file.find(gguf_name(0, projection) + ".weight")->encoding, Encoding::f16);
    expect_same(quantized.matrix(gguf_name(0, projection)),
                naive(tiny.floats(hugging_face_name(0, projection) + ".weight")));
  }
}

// Oracle: the trits and the scale that the test itself multiplied.
TEST(ConvertCheckpoint, TernaryMastersKeepTheirScale) {
  const TemporaryFolder folder;
  TinyModel tiny(128, 128);
  constexpr float kScale = 0.0123F;
  std::vector<int> trits;
  std::vector<float> masters;
  for (int i = 0; i < 128 * 128; ++i) {
    trits.push_back(i < 128 || i % 5 > 2 ? 0 : i % 3 - 1);  // the first row is all zeros
    masters.push_back(static_cast<float>(trits.back()) * kScale);
  }
  tiny.set_floats("model.layers.0.mlp.up_proj.weight", {128, 128}, masters);
  tiny.write(folder.path());
  const QuantizedModel quantized(folder.path());
  const UnpackedMatrix matrix = quantized.matrix("blk.0.ffn_up");
  EXPECT_EQ(matrix.trits, trits);
  EXPECT_EQ(matrix.scale, kScale);
}

// Oracle: plain sums in double over the naive quantizer's result.
TEST(ConvertCheckpoint, ReportsScaleSparsityAndSqnr) {
  const reference::GoldenFile latent("models/onebitllm/latent/model.safetensors");
  const QuantizedModel quantized("onebitllm/latent");
  std::size_t ternary = 0;
  for (const TensorReport& tensor : quantized.report.tensors) {
    SCOPED_TRACE(tensor.name);
    ternary += tensor.ternary ? 1 : 0;
    if (!tensor.ternary) {
      continue;
    }
    const std::vector<float> masters = latent.at(tensor.source_name).floats();
    const reference::NaiveWeights expected = naive(masters);
    double zeros = 0;
    double squares = 0;
    double errors = 0;
    for (std::size_t i = 0; i < masters.size(); ++i) {
      const double w = masters[i];
      const double error = w - static_cast<double>(expected.scales[0]) * expected.trits[i];
      zeros += expected.trits[i] == 0 ? 1 : 0;
      squares += w * w;
      errors += error * error;
    }
    EXPECT_FALSE(tensor.was_ternary);
    EXPECT_EQ(tensor.scale, expected.scales[0]);
    EXPECT_EQ(tensor.sparsity, zeros / static_cast<double>(masters.size()));
    // Two orders of adding n positive doubles differ by n * 2^-53 at most.
    EXPECT_NEAR(tensor.sqnr_db, 10 * std::log10(squares / errors), 1e-9);
  }
  EXPECT_EQ(ternary, 14U);
}

// Oracle: kept codes and scale are exact by definition.
TEST(ConvertCheckpoint, ReportsPackedInputAsExact) {
  const QuantizedModel quantized("bitnet-odd/packed");
  for (const TensorReport& tensor : quantized.report.tensors) {
    EXPECT_EQ(tensor.was_ternary, tensor.ternary);
    EXPECT_TRUE(!tensor.ternary || std::isinf(tensor.sqnr_db));
  }
}

// Oracle: config.json of each model, and what readers of GGUF expect under which key and type.
TEST(ConvertCheckpoint, WritesTheMetadataThatReadersNeed) {
  const auto metadata = QuantizedModel("bitnet-2b4t/latent").file.metadata();
  const auto text = [&](const char* key) { return std::get<std::string>(metadata.at(key)); };
  const auto number = [&](const char* key) { return std::get<std::uint64_t>(metadata.at(key)); };
  EXPECT_EQ(text("general.architecture"), "bitnet-b1.58");
  EXPECT_EQ(text("bitnet-b1.58.hidden_activation"), "relu2");
  EXPECT_EQ(number("bitnet-b1.58.vocab_size"), 512U);
  EXPECT_EQ(number("bitnet-b1.58.context_length"), 1024U);
  EXPECT_EQ(number("bitnet-b1.58.embedding_length"), 256U);
  EXPECT_EQ(number("bitnet-b1.58.block_count"), 3U);
  EXPECT_EQ(number("bitnet-b1.58.feed_forward_length"), 768U);
  EXPECT_EQ(number("bitnet-b1.58.rope.dimension_count"), 64U);
  EXPECT_EQ(number("bitnet-b1.58.attention.head_count"), 4U);
  EXPECT_EQ(number("bitnet-b1.58.attention.head_count_kv"), 2U);
  EXPECT_EQ(number("general.file_type"), 40U);
  EXPECT_EQ(number("general.quantization_version"), 2U);
  EXPECT_EQ(std::get<double>(metadata.at("bitnet-b1.58.rope.freq_base")), 500000.0);
  EXPECT_EQ(std::get<double>(metadata.at("bitnet-b1.58.attention.layer_norm_rms_epsilon")),
            static_cast<double>(1e-5F));
  EXPECT_FALSE(metadata.contains("bitnet-b1.58.attention.key_length"));

  const auto embedding = QuantizedModel("bitnet-embedding/latent").file.metadata();
  EXPECT_EQ(std::get<std::string>(embedding.at("general.architecture")), "qwen3");
  EXPECT_EQ(std::get<std::uint64_t>(embedding.at("qwen3.attention.key_length")), 32U);
}

// Oracle: the tensors of the checkpoint, counted by hand; order as a reader computes.
TEST(ConvertCheckpoint, WritesEmbeddingFirstThenLayerByLayer) {
  const QuantizedModel quantized("bitnet-2b4t/latent");
  std::vector<std::string> names;
  for (const StoredTensor& tensor : quantized.file.tensors()) {
    names.push_back(tensor.name);
  }
  ASSERT_EQ(names.size(), 2U + 3 * 11);
  const std::vector<std::string> expected = {
      "token_embd.weight",          "output_norm.weight",       "blk.0.attn_norm.weight",
      "blk.0.attn_q.weight",        "blk.0.attn_k.weight",      "blk.0.attn_v.weight",
      "blk.0.attn_sub_norm.weight", "blk.0.attn_output.weight", "blk.0.ffn_norm.weight",
      "blk.0.ffn_gate.weight",      "blk.0.ffn_up.weight",      "blk.0.ffn_sub_norm.weight",
      "blk.0.ffn_down.weight",      "blk.1.attn_norm.weight"};
  EXPECT_EQ(std::vector<std::string>(names.begin(), names.begin() + 14), expected);
}

// Oracle: the contract of on_progress.
TEST(ConvertCheckpoint, ProgressGrowsToTheTotal) {
  for (const char* model : {"bitnet-2b4t/latent", "llama-ternary/packed"}) {
    std::uint64_t last = 0;
    std::uint64_t end = 0;
    ConversionOptions options;
    options.on_progress = [&](std::uint64_t done, std::uint64_t total) {
      EXPECT_GE(done, last);
      last = done;
      end = total;
    };
    const QuantizedModel quantized(model, options);
    EXPECT_GT(end, 0U);
    EXPECT_EQ(last, end);
  }
}

}  // namespace
}  // namespace bitnet
