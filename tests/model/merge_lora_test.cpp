// SPDX-License-Identifier: MIT
// Adapters merged into weights. Oracle: W + scale * B A one number at a time in double, ternarized
// by reference/naive_quantize.h; where nothing may change, the conversion without an adapter.
#include <bitnet/convert_checkpoint.h>
#include <bitnet/model.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "formats/ternary_encodings.h"
#include "reference/naive_quantize.h"
#include "reference/random_data.h"
#include "tiny_model.h"

namespace bitnet {
namespace {

constexpr std::size_t kHidden = 128;
constexpr std::size_t kIntermediate = 256;
constexpr std::size_t kRank = 3;
const std::string kGate = "model.layers.0.mlp.gate_proj";
const std::string kQuery = "model.layers.0.self_attn.q_proj";

LoraAdapter adapter_of(float deviation) {
  LoraAdapter adapter{.rank = kRank, .alpha = 6, .matrices = {}};
  adapter.matrices.push_back({kGate, kIntermediate, kHidden,
                              reference::normal_floats(kRank * kHidden, 1),
                              reference::normal_floats(kIntermediate * kRank, 2, deviation)});
  adapter.matrices.push_back({kQuery, kHidden, kHidden,
                              reference::normal_floats(kRank * kHidden, 3),
                              reference::normal_floats(kHidden * kRank, 4, deviation)});
  return adapter;
}

/// scale * B A
std::vector<double> update_of(const LoraMatrix& matrix, double scale) {
  std::vector<double> update(matrix.out_features * matrix.in_features);
  for (std::size_t i = 0; i < update.size(); ++i) {
    for (std::size_t j = 0; j < kRank; ++j) {
      update[i] += scale * matrix.b[i / matrix.in_features * kRank + j] *
                   matrix.a[j * matrix.in_features + i % matrix.in_features];
    }
  }
  return update;
}

const TensorReport& report_of(const ConversionReport& report, const std::string& name) {
  return *std::ranges::find(report.tensors, name, &TensorReport::source_name);
}

std::vector<int> trits_of(const Checkpoint& checkpoint, const std::string& name,
                          std::size_t count) {
  std::vector<std::int8_t> trits(count);
  const StoredTensor& tensor = *checkpoint.find(name);
  decode_trits(tensor, 0, tensor.shape.rows(), trits);
  return {trits.begin(), trits.end()};
}

std::vector<float> logits_of(const std::filesystem::path& path) {
  const auto model = load_model(open_checkpoint(path), Runtime::serial());
  const std::vector<TokenId> ids = {1, 5, 9, 2};
  const auto cache = model->new_kv_cache(ids.size());
  std::vector<float> logits(ids.size() * model->config().vocab_size);
  const SequenceStep step{ids, cache.get(), OutputRows::all};
  model->forward({&step, 1}, logits);
  return logits;
}

class MergeLora : public testing::Test {
 protected:
  MergeLora() { model_.write(latent_.path()); }

  ConversionReport convert(const std::filesystem::path& input, const std::string& output,
                           ConversionOptions options) {
    return convert_checkpoint(open_checkpoint(input), out_.path() / output, options);
  }

  TinyModel model_{kHidden, kIntermediate};
  TemporaryFolder latent_;
  TemporaryFolder out_;
};

TEST_F(MergeLora, TritsAreThoseOfTheSum) {
  const LoraAdapter adapter = adapter_of(0.05F);
  const double scale = 0.5 * 6 / 3;
  const ConversionReport report = convert(latent_.path(), "out.gguf", {.lora = {{adapter, 0.5}}});
  const Checkpoint merged = open_checkpoint(out_.path() / "out.gguf");
  const std::vector<float> base = model_.floats(kGate + ".weight");
  const std::vector<double> update = update_of(adapter.matrices[0], scale);
  std::vector<float> sum(base.size());
  for (std::size_t i = 0; i < base.size(); ++i) {
    sum[i] = static_cast<float>(base[i] + update[i]);
  }
  const auto before = reference::naive_weights(base, base.size(), reference::Form::multiply);
  const auto after = reference::naive_weights(sum, sum.size(), reference::Form::multiply);
  const std::vector<int> found = trits_of(merged, "blk.0.ffn_gate.weight", base.size());
  EXPECT_EQ(found, after.trits);

  const MergeLoss loss = report_of(report, kGate + ".weight").merge_loss.value();
  EXPECT_EQ(loss.weights, base.size());
  std::uint64_t changed = 0;
  double errors = 0;
  double squares = 0;
  double base_errors = 0;
  double base_squares = 0;
  double change = 0;
  double along = 0;
  double update_squares = 0;
  for (std::size_t i = 0; i < base.size(); ++i) {
    const double was = double{before.scales[0]} * before.trits[i];
    const double is = double{after.scales[0]} * after.trits[i];
    changed += before.trits[i] != after.trits[i] ? 1 : 0;
    errors += std::pow(is - sum[i], 2);
    squares += std::pow(double{sum[i]}, 2);
    base_errors += std::pow(was - base[i], 2);
    base_squares += std::pow(double{base[i]}, 2);
    change += std::pow(is - was, 2);
    along += (is - was) * update[i];
    update_squares += update[i] * update[i];
  }
  EXPECT_GT(changed, base.size() / 100);
  EXPECT_EQ(loss.trits_changed, changed);
  // Scales and sums are rounded to float32: 1e-6 of quantities that these are sums of.
  EXPECT_NEAR(loss.merged_sqnr_db(), 10 * std::log10(squares / errors), 1e-4);
  EXPECT_NEAR(loss.base_sqnr_db(), 10 * std::log10(base_squares / base_errors), 1e-4);
  EXPECT_NEAR(loss.change_ratio(), std::sqrt(change / update_squares), 1e-4);
  EXPECT_NEAR(loss.survival(), along / update_squares, 1e-4);
  // Matrices that no adapter names stay as they were and report nothing.
  EXPECT_FALSE(report_of(report, "model.layers.0.mlp.up_proj.weight").merge_loss);
  EXPECT_TRUE(report_of(report, kQuery + ".weight").merge_loss);
}

TEST_F(MergeLora, AZeroAdapterChangesNoByteOfTheTrits) {
  LoraAdapter adapter = adapter_of(1);
  for (LoraMatrix& matrix : adapter.matrices) std::ranges::fill(matrix.b, 0.0F);
  for (const Encoding type : {Encoding::i2_s, Encoding::q2_0}) {
    const ConversionReport report =
        convert(latent_.path(), "merged.gguf", {.matrix_encoding = type, .lora = {{adapter}}});
    convert(latent_.path(), "plain.gguf", {.matrix_encoding = type});
    EXPECT_TRUE(read_bytes(out_.path() / "merged.gguf") == read_bytes(out_.path() / "plain.gguf"));
    EXPECT_EQ(report_of(report, kGate + ".weight").merge_loss->trits_changed, 0U);
    EXPECT_EQ(report_of(report, kGate + ".weight").merge_loss->survival(), 0);
  }
  // Trits alone, too, packed or in GGUF: their scale is no absmean.
  convert(latent_.path(), "packed", {.format = Checkpoint::Format::safetensors});
  for (const char* input : {"packed", "plain.gguf"}) {
    convert(out_.path() / input, "again.gguf", {.lora = {{adapter}}});
    convert(out_.path() / input, "same.gguf", {});
    EXPECT_TRUE(read_bytes(out_.path() / "again.gguf") == read_bytes(out_.path() / "same.gguf"))
        << input;
  }
}

TEST_F(MergeLora, TritsAloneKeepTheirScaleAndChangeBeyondHalfOfIt) {
  convert(latent_.path(), "packed", {.format = Checkpoint::Format::safetensors});
  const LoraAdapter adapter = adapter_of(0.2F);
  const ConversionReport report =
      convert(out_.path() / "packed", "out.gguf", {.lora = {{adapter}}});
  const std::vector<float> latents = model_.floats(kGate + ".weight");
  const auto base = reference::naive_weights(latents, latents.size(), reference::Form::multiply);
  const double scale = base.scales[0];
  const std::vector<double> update = update_of(adapter.matrices[0], 2);
  std::vector<int> expected;
  for (std::size_t i = 0; i < update.size(); ++i) {
    const double sum = scale * base.trits[i] + update[i];
    expected.push_back(static_cast<int>(std::clamp(std::nearbyint(sum / scale), -1.0, 1.0)));
  }
  const Checkpoint merged = open_checkpoint(out_.path() / "out.gguf");
  EXPECT_EQ(trits_of(merged, "blk.0.ffn_gate.weight", update.size()), expected);
  EXPECT_NE(expected, base.trits);
  const TensorReport& gate = report_of(report, kGate + ".weight");
  EXPECT_EQ(gate.scale, base.scales[0]);
  EXPECT_TRUE(std::isinf(gate.merge_loss->base_sqnr_db()));
}

TEST_F(MergeLora, AFolderKeepsFloatLatentsThatRunAsTheTrits) {
  const LoraAdapter adapter = adapter_of(0.05F);
  convert(latent_.path(), "hf", {.format = Checkpoint::Format::safetensors, .lora = {{adapter}}});
  convert(latent_.path(), "out.gguf", {.lora = {{adapter}}});
  const Checkpoint merged = open_checkpoint(out_.path() / "hf");
  const StoredTensor& tensor = *merged.find(kGate + ".weight");
  ASSERT_EQ(tensor.encoding, Encoding::f32);
  std::vector<float> found(tensor.shape.numel());
  decode_to_float(tensor, 0, tensor.shape.rows(), found);
  const std::vector<float> base = model_.floats(kGate + ".weight");
  const std::vector<double> update = update_of(adapter.matrices[0], 2);
  for (std::size_t i = 0; i < found.size(); ++i) {
    // Rank products and sums, each rounded, of numbers that are at most a few.
    ASSERT_NEAR(found[i], base[i] + update[i], 8 * std::ldexp(4.0, -24));
  }
  EXPECT_EQ(logits_of(out_.path() / "hf"), logits_of(out_.path() / "out.gguf"));
  EXPECT_NE(logits_of(out_.path() / "hf"), logits_of(latent_.path()));
}

// A weight w of density f contributes s (δ(w - s/2) + δ(w + s/2)) d to the change in expectation:
// 2 s f(s/2) of an update that does not know the weights. With s = σ √(2/π), 2 s f(s/2) = 0.588.
TEST_F(MergeLora, OfGaussianLatentsThreeFifthsOfASmallUpdateSurvive) {
  TinyModel model(512, 1024);
  const std::vector<float> latents = reference::normal_floats(std::size_t{512} * 1024, 9, 0.02F);
  model.set_floats(kGate + ".weight", {1024, 512}, latents);
  const TemporaryFolder folder;
  model.write(folder.path());
  const double s = 0.02 * std::sqrt(2 / M_PI);
  LoraAdapter adapter{.rank = kRank, .alpha = kRank};
  adapter.matrices.push_back({kGate, 1024, 512, reference::normal_floats(kRank * 512, 1),
                              reference::normal_floats(1024 * kRank, 2, 0.001F)});
  const ConversionReport report = convert(folder.path(), "out.gguf", {.lora = {{adapter}}});
  const MergeLoss loss = report_of(report, kGate + ".weight").merge_loss.value();
  double cubes = 0;
  double magnitudes = 0;
  for (const double d : update_of(adapter.matrices[0], 1)) {
    cubes += std::pow(std::abs(d), 3);
    magnitudes += std::abs(d);
  }
  const double crossings = 0.588 / s;  // 2 f(s/2): of |d| weights
  // A crossing changes a weight by s: the survival's variance is Σ s² 2f|d| d² / (Σ d²)².
  const double deviation = s * std::sqrt(crossings * cubes) / loss.update_squares;
  EXPECT_LT(deviation, 0.03);
  EXPECT_NEAR(loss.survival(), 0.588, 4 * deviation);
  EXPECT_NEAR(static_cast<double>(loss.trits_changed), crossings * magnitudes,
              4 * std::sqrt(crossings * magnitudes) + 0.02 * crossings * magnitudes);
}

TEST_F(MergeLora, ThreadsAndInstructionSetsWriteTheSameBytes) {
  const ConversionOptions options{.lora = {{adapter_of(0.05F)}}};
  const Checkpoint input = open_checkpoint(latent_.path());
  convert_checkpoint(input, out_.path() / "expected.gguf", options,
                     Runtime({.threads = 1, .isa = Isa::scalar}));
  for (const Isa isa : supported_isas()) {
    convert_checkpoint(input, out_.path() / "found.gguf", options,
                       Runtime({.threads = 3, .isa = isa}));
    EXPECT_TRUE(read_bytes(out_.path() / "found.gguf") == read_bytes(out_.path() / "expected.gguf"))
        << to_string(isa);
  }
}

}  // namespace
}  // namespace bitnet
