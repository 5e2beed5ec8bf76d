// SPDX-License-Identifier: MIT
// The Gemma 3 body of bitnet-embedding-270M: norms of 1 + gain on both sides of each block and one
// in front of each projection, sliding windows with their own rotation, scaled embeddings, GELU. No
// such checkpoint is at hand, so the model is random. Oracle: the formulas (docs/numerics.md;
// models of Hugging Face transformers) one number at a time in double, below.
#include <bitnet/convert_checkpoint.h>
#include <bitnet/model.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "tiny_model.h"

namespace bitnet {
namespace {

using Row = std::vector<double>;
using Rows = std::vector<Row>;

constexpr std::size_t kHidden = 32;
constexpr std::size_t kIntermediate = 48;
constexpr std::size_t kHeads = 4;
constexpr std::size_t kKvHeads = 2;
constexpr std::size_t kHeadDim = 16;  // heads * head_dim is not hidden
constexpr std::size_t kVocabulary = 24;
constexpr std::size_t kLayers = 4;
constexpr std::size_t kWindow = 5;
constexpr std::size_t kPattern = 3;  // layer 2 of 0..3 sees everything
constexpr double kEps = 1e-6;
constexpr double kTheta = 1e6;
constexpr double kLocalTheta = 1e4;
constexpr double kQueryScalar = 20;

TinyModel random_gemma() {
  TinyModel model(kHidden, kIntermediate);
  model.tensors.clear();
  model.config = {{"architectures", {"Gemma3ForCausalLM"}},
                  {"model_type", "gemma3_text"},
                  {"hidden_activation", "gelu_pytorch_tanh"},
                  {"hidden_size", kHidden},
                  {"intermediate_size", kIntermediate},
                  {"num_hidden_layers", kLayers},
                  {"num_attention_heads", kHeads},
                  {"num_key_value_heads", kKvHeads},
                  {"head_dim", kHeadDim},
                  {"vocab_size", kVocabulary},
                  {"max_position_embeddings", 128},
                  {"rms_norm_eps", kEps},
                  {"rope_theta", kTheta},
                  {"rope_local_base_freq", kLocalTheta},
                  {"sliding_window", kWindow},
                  {"sliding_window_pattern", kPattern},
                  {"query_pre_attn_scalar", kQueryScalar},
                  {"quantization_config",
                   {{"linear_class", "autobitlinear"}, {"quantization_mode", "online"}}}};
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0, 0.3F);
  const auto add = [&](const std::string& name, const std::vector<std::size_t>& shape) {
    std::vector<float> values(shape.size() == 1 ? shape[0] : shape[0] * shape[1]);
    std::ranges::generate(values, [&] { return normal(random); });
    model.set_floats(name, shape, values);
  };
  add("model.embed_tokens.weight", {kVocabulary, kHidden});
  add("model.norm.weight", {kHidden});
  for (std::size_t layer = 0; layer < kLayers; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    for (const char* norm : {"input_layernorm", "post_attention_layernorm",
                             "pre_feedforward_layernorm", "post_feedforward_layernorm"}) {
      add(prefix + norm + ".weight", {kHidden});
    }
    add(prefix + "self_attn.q_norm.weight", {kHeadDim});
    add(prefix + "self_attn.k_norm.weight", {kHeadDim});
    const auto projection = [&](const std::string& name, std::size_t rows, std::size_t columns) {
      add(prefix + name + ".weight", {rows, columns});
      add(prefix + name + ".norm.weight", {columns});
    };
    projection("self_attn.q_proj", kHeads * kHeadDim, kHidden);
    projection("self_attn.k_proj", kKvHeads * kHeadDim, kHidden);
    projection("self_attn.v_proj", kKvHeads * kHeadDim, kHidden);
    projection("self_attn.o_proj", kHidden, kHeads * kHeadDim);
    projection("mlp.gate_proj", kIntermediate, kHidden);
    projection("mlp.up_proj", kIntermediate, kHidden);
    projection("mlp.down_proj", kHidden, kIntermediate);
  }
  return model;
}

/// The model, one number at a time.
class NaiveGemma {
 public:
  explicit NaiveGemma(const TinyModel& model) : model_(model) {}

  Rows logits(const std::vector<TokenId>& ids) const {
    const std::vector<float> embedding = model_.floats("model.embed_tokens.weight");
    Rows h;
    for (const TokenId id : ids) {
      h.emplace_back(embedding.begin() + static_cast<std::ptrdiff_t>(id * kHidden),
                     embedding.begin() + static_cast<std::ptrdiff_t>((id + 1) * kHidden));
      for (double& x : h.back()) x *= std::sqrt(double{kHidden});
    }
    for (std::size_t layer = 0; layer < kLayers; ++layer) {
      const std::string prefix = "model.layers." + std::to_string(layer) + ".";
      attention(prefix, layer, h);
      feed_forward(prefix, h);
    }
    Rows result;
    for (const Row& row : h) {
      const Row x = norm(row, "model.norm", 1);
      result.emplace_back(kVocabulary);
      for (std::size_t v = 0; v < kVocabulary; ++v) {
        for (std::size_t k = 0; k < kHidden; ++k) {
          result.back()[v] += x[k] * embedding[v * kHidden + k];
        }
      }
    }
    return result;
  }

 private:
  Row norm(const Row& x, const std::string& name, double added) const {
    const std::vector<float> gain = model_.floats(name + ".weight");
    double square = 0;
    for (const double value : x) square += value * value;
    Row y(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      y[i] = x[i] / std::sqrt(square / static_cast<double>(x.size()) + kEps) * (gain[i] + added);
    }
    return y;
  }

  Row linear(const Row& input, const std::string& name) const {
    Row x = norm(input, name + ".norm", 0);
    double largest = 1e-5;
    for (const double value : x) largest = std::max(largest, std::abs(value));
    for (double& value : x) value = std::nearbyint(value * (127 / largest));
    const std::vector<float> w = model_.floats(name + ".weight");
    double scale = 0;
    for (const float value : w) scale += std::abs(double{value});
    scale /= static_cast<double>(w.size());
    Row y(w.size() / x.size());
    for (std::size_t n = 0; n < y.size(); ++n) {
      for (std::size_t k = 0; k < x.size(); ++k) {
        y[n] += x[k] * std::clamp(std::nearbyint(w[n * x.size() + k] / scale), -1.0, 1.0);
      }
      y[n] = y[n] * largest / 127 * scale;
    }
    return y;
  }

  Row turned_head(const Row& x, std::size_t head, const std::string& name, std::size_t position,
                  double theta) const {
    const auto first = x.begin() + static_cast<std::ptrdiff_t>(head * kHeadDim);
    const Row y = norm(Row(first, first + kHeadDim), name, 1);
    Row turned(kHeadDim);
    for (std::size_t i = 0; i < kHeadDim / 2; ++i) {
      const double angle =
          static_cast<double>(position) * std::pow(theta, -2.0 * static_cast<double>(i) / kHeadDim);
      turned[i] = y[i] * std::cos(angle) - y[i + kHeadDim / 2] * std::sin(angle);
      turned[i + kHeadDim / 2] = y[i + kHeadDim / 2] * std::cos(angle) + y[i] * std::sin(angle);
    }
    return turned;
  }

  void attention(const std::string& prefix, std::size_t layer, Rows& h) const {
    const std::string self = prefix + "self_attn.";
    const bool sees_all = (layer + 1) % kPattern == 0;
    const double theta = sees_all ? kTheta : kLocalTheta;
    Rows q;
    Rows k;
    Rows v;
    for (const Row& row : h) {
      const Row a = norm(row, prefix + "input_layernorm", 1);
      q.push_back(linear(a, self + "q_proj"));
      k.push_back(linear(a, self + "k_proj"));
      v.push_back(linear(a, self + "v_proj"));
    }
    for (std::size_t t = 0; t < h.size(); ++t) {
      Row context(kHeads * kHeadDim);
      for (std::size_t head = 0; head < kHeads; ++head) {
        const std::size_t group = head / (kHeads / kKvHeads);
        const Row query = turned_head(q[t], head, self + "q_norm", t, theta);
        Row weights(t + 1);
        double total = 0;
        for (std::size_t s = 0; s <= t; ++s) {
          if (!sees_all && t - s >= kWindow) continue;
          const Row key = turned_head(k[s], group, self + "k_norm", s, theta);
          double score = 0;
          for (std::size_t d = 0; d < kHeadDim; ++d) score += query[d] * key[d];
          weights[s] = std::exp(score / std::sqrt(kQueryScalar));
          total += weights[s];
        }
        for (std::size_t s = 0; s <= t; ++s) {
          for (std::size_t d = 0; d < kHeadDim; ++d) {
            context[head * kHeadDim + d] += weights[s] / total * v[s][group * kHeadDim + d];
          }
        }
      }
      add(norm(linear(context, self + "o_proj"), prefix + "post_attention_layernorm", 1), h[t]);
    }
  }

  void feed_forward(const std::string& prefix, Rows& h) const {
    for (Row& row : h) {
      const Row f = norm(row, prefix + "pre_feedforward_layernorm", 1);
      const Row gate = linear(f, prefix + "mlp.gate_proj");
      Row z = linear(f, prefix + "mlp.up_proj");
      for (std::size_t i = 0; i < z.size(); ++i) {
        const double g = gate[i];
        z[i] *= 0.5 * g * (1 + std::tanh(std::sqrt(2 / M_PI) * (g + 0.044715 * g * g * g)));
      }
      add(norm(linear(z, prefix + "mlp.down_proj"), prefix + "post_feedforward_layernorm", 1), row);
    }
  }

  static void add(const Row& x, Row& h) {
    for (std::size_t i = 0; i < x.size(); ++i) h[i] += x[i];
  }

  const TinyModel& model_;
};

std::vector<float> logits_of(const std::filesystem::path& path, const std::vector<TokenId>& ids) {
  const auto model = load_model(open_checkpoint(path), Runtime::serial());
  const auto cache = model->new_kv_cache(ids.size());
  std::vector<float> logits(ids.size() * kVocabulary);
  const SequenceStep step{ids, cache.get(), OutputRows::all};
  model->forward({&step, 1}, logits);
  return logits;
}

class Gemma3 : public testing::Test {
 protected:
  Gemma3() : model_(random_gemma()) { model_.write(folder_.path()); }

  TinyModel model_;
  TemporaryFolder folder_;
  // Three windows long. No activation of this model comes to lie across a rounding boundary here: a
  // flipped code would show as a difference far beyond the bar.
  std::vector<TokenId> ids_ = {2, 5, 1, 17, 23, 9, 9, 4, 0, 12, 21, 7, 3, 3, 18};
};

TEST_F(Gemma3, LogitsAreThoseOfTheFormulas) {
  const Rows expected = NaiveGemma(model_).logits(ids_);
  const std::vector<float> found = logits_of(folder_.path(), ids_);
  double largest = 0;
  double worst = 0;
  for (std::size_t t = 0; t < ids_.size(); ++t) {
    for (std::size_t v = 0; v < kVocabulary; ++v) {
      largest = std::max(largest, std::abs(expected[t][v]));
      worst = std::max(worst, std::abs(found[t * kVocabulary + v] - expected[t][v]));
    }
  }
  EXPECT_LE(worst, 2e-5 * largest);  // float32 rounding, as in tests/golden/PROVENANCE.md
}

TEST_F(Gemma3, AsGgufItGivesTheSameBits) {
  TemporaryFolder output;
  const std::filesystem::path file = output.path() / "gemma.gguf";
  convert_checkpoint(open_checkpoint(folder_.path()), file, {});
  // GGUF keys say neither pattern nor query scalar: llama.cpp's are 6 and head_dim.
  model_.config["sliding_window_pattern"] = 6;
  model_.config["query_pre_attn_scalar"] = kHeadDim;
  TemporaryFolder same;
  model_.write(same.path());
  EXPECT_EQ(logits_of(file, ids_), logits_of(same.path(), ids_));
}

}  // namespace
}  // namespace bitnet
