// SPDX-License-Identifier: MIT
#include "reference/naive_model.h"

#include <algorithm>
#include <cmath>
#include <fstream>

#include "reference/golden_file.h"
#include "reference/naive_quantize.h"

namespace bitnet::reference {
namespace {

std::string without_model(const std::string& name) {
  return name.starts_with("model.") ? name.substr(6) : name;
}

/// Four rows to a byte: bits 2i hold trit + 1 of row r + i * rows / 4.
std::vector<double> unpacked(const std::vector<std::uint8_t>& bytes) {
  std::vector<double> trits;
  for (int part = 0; part < 4; ++part) {
    for (const std::uint8_t byte : bytes) trits.push_back((byte >> (2 * part) & 3) - 1);
  }
  return trits;
}

void multiply_add(const std::vector<double>& matrix, const std::vector<double>& x, double scale,
                  std::vector<double>& y) {
  for (std::size_t n = 0; n < y.size(); ++n) {
    double sum = 0;
    for (std::size_t k = 0; k < x.size(); ++k) sum += matrix[n * x.size() + k] * x[k];
    y[n] += scale * sum;
  }
}

}  // namespace

NaiveModel::NaiveModel(const std::string& folder)
    : config_(read_golden_json("models/" + folder + "/config.json")) {
  const std::size_t hidden = config_["hidden_size"];
  head_dim_ = config_.value("head_dim", hidden / config_["num_attention_heads"].get<std::size_t>());
  const GoldenFile file("models/" + folder + "/model.safetensors");
  const bool divides = config_.value("quantization_config", nlohmann::json::object())
                           .value("linear_class", "bitlinear") == "bitlinear";
  for (const auto& [full_name, tensor] : file.tensors()) {
    if (full_name.ends_with("_scale")) continue;
    Matrix& matrix = matrices_[without_model(full_name)];
    matrix.columns = tensor.shape.back();
    const bool is_projection = full_name.ends_with("_proj.weight");
    if (tensor.dtype == "U8") {
      const float scale = file.at(full_name + "_scale").floats().front();
      matrix.scale = divides ? 1.0 / scale : scale;
      matrix.values = unpacked(tensor.values<std::uint8_t>());
    } else if (is_projection) {
      const std::vector<float> latents = tensor.floats();
      const NaiveWeights weights = naive_weights(latents, latents.size(), Form::multiply);
      matrix.scale = weights.scales.front();
      matrix.values.assign(weights.trits.begin(), weights.trits.end());
    } else {
      const std::vector<float> values = tensor.floats();
      matrix.values.assign(values.begin(), values.end());
    }
    matrix.rows = matrix.values.size() / matrix.columns;
  }
}

std::map<std::string, std::pair<std::size_t, std::size_t>> NaiveModel::projections() const {
  constexpr std::string_view kSuffix = ".weight";
  std::map<std::string, std::pair<std::size_t, std::size_t>> result;
  for (const auto& [name, matrix] : matrices_) {
    if (name.ends_with("_proj.weight")) {
      result[name.substr(0, name.size() - kSuffix.size())] = {matrix.rows, matrix.columns};
    }
  }
  return result;
}

NaiveModel::Rows NaiveModel::states(const std::vector<std::uint32_t>& ids) {
  calm_ = 0.5;
  const Matrix& embedding = matrices_.at("embed_tokens.weight");
  Rows h;
  for (const std::uint32_t id : ids) {
    const auto first =
        embedding.values.begin() + static_cast<std::ptrdiff_t>(id * embedding.columns);
    h.emplace_back(first, first + static_cast<std::ptrdiff_t>(embedding.columns));
  }
  for (std::size_t i = 0; i < config_["num_hidden_layers"]; ++i) {
    const std::string layer = "layers." + std::to_string(i) + ".";
    attention(layer, h);
    feed_forward(layer, h);
  }
  for (Row& row : h) row = norm(row, "norm");
  return h;
}

NaiveModel::Rows NaiveModel::logits(const std::vector<std::uint32_t>& ids) {
  const Matrix& head =
      matrices_.at(has("lm_head.weight") ? "lm_head.weight" : "embed_tokens.weight");
  Rows result;
  for (const Row& row : states(ids)) {
    multiply_add(head.values, row, 1, result.emplace_back(head.rows));
  }
  return result;
}

/// x itself where the model has no such norm.
NaiveModel::Row NaiveModel::norm(const Row& x, const std::string& name) const {
  const auto gain = matrices_.find(name + ".weight");
  if (gain == matrices_.end()) return x;
  double square = 0;
  for (const double value : x) square += value * value;
  const double eps = config_["rms_norm_eps"];
  Row y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    y[i] = x[i] / std::sqrt(square / static_cast<double>(x.size()) + eps) * gain->second.values[i];
  }
  return y;
}

NaiveModel::Row NaiveModel::linear(const Row& x, const std::string& name) {
  Row codes = norm(x, name + ".norm");
  double largest = 1e-5;
  for (const double value : codes) largest = std::max(largest, std::abs(value));
  for (double& value : codes) {
    const double scaled = value * (127 / largest);
    value = std::nearbyint(scaled);
    calm_ = std::min(calm_, 0.5 - std::abs(scaled - value));
  }
  const Matrix& weight = matrices_.at(name + ".weight");
  Row y(weight.rows);
  multiply_add(weight.values, codes, largest / 127 * weight.scale, y);
  const auto [first, last] = updates.equal_range(name);
  for (auto update = first; update != last; ++update) {
    const NaiveUpdate& lora = update->second;
    Row inner(lora.rank);
    multiply_add({lora.a.begin(), lora.a.end()}, x, 1, inner);
    multiply_add({lora.b.begin(), lora.b.end()}, inner, lora.scale, y);
  }
  return y;
}

NaiveModel::Row NaiveModel::rotated(const Row& x, std::size_t head, const std::string& name,
                                    std::size_t position) const {
  const auto first = x.begin() + static_cast<std::ptrdiff_t>(head * head_dim_);
  const Row y = norm(Row(first, first + static_cast<std::ptrdiff_t>(head_dim_)), name);
  const double theta = config_["rope_theta"];
  const std::size_t half = head_dim_ / 2;
  Row turned(head_dim_);
  for (std::size_t i = 0; i < half; ++i) {
    const double angle =
        static_cast<double>(position) *
        std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim_));
    turned[i] = y[i] * std::cos(angle) - y[i + half] * std::sin(angle);
    turned[i + half] = y[i + half] * std::cos(angle) + y[i] * std::sin(angle);
  }
  return turned;
}

void NaiveModel::attention(const std::string& layer, Rows& h) {
  const std::string self = layer + "self_attn.";
  const std::size_t heads = config_["num_attention_heads"];
  const std::size_t group = heads / config_["num_key_value_heads"].get<std::size_t>();
  Rows q;
  Rows k;
  Rows v;
  for (const Row& row : h) {
    const Row a = norm(row, layer + "input_layernorm");
    q.push_back(linear(a, self + "q_proj"));
    k.push_back(linear(a, self + "k_proj"));
    v.push_back(linear(a, self + "v_proj"));
  }
  for (std::size_t t = 0; t < h.size(); ++t) {
    Row context(heads * head_dim_);
    for (std::size_t head = 0; head < heads; ++head) {
      const Row query = rotated(q[t], head, self + "q_norm", t);
      Row weights(t + 1);
      double total = 0;
      for (std::size_t s = 0; s <= t; ++s) {
        const Row key = rotated(k[s], head / group, self + "k_norm", s);
        double score = 0;
        for (std::size_t d = 0; d < head_dim_; ++d) score += query[d] * key[d];
        total += weights[s] = std::exp(score / std::sqrt(static_cast<double>(head_dim_)));
      }
      for (std::size_t s = 0; s <= t; ++s) {
        for (std::size_t d = 0; d < head_dim_; ++d) {
          context[head * head_dim_ + d] += weights[s] / total * v[s][head / group * head_dim_ + d];
        }
      }
    }
    const Row out = linear(norm(context, self + "attn_sub_norm"), self + "o_proj");
    for (std::size_t i = 0; i < out.size(); ++i) h[t][i] += out[i];
  }
}

void NaiveModel::feed_forward(const std::string& layer, Rows& h) {
  const bool relu2 = config_["hidden_act"] == "relu2";
  for (Row& row : h) {
    const Row f = norm(row, layer + "post_attention_layernorm");
    const Row gate = linear(f, layer + "mlp.gate_proj");
    Row z = linear(f, layer + "mlp.up_proj");
    for (std::size_t i = 0; i < z.size(); ++i) {
      const double positive = std::max(gate[i], 0.0);
      z[i] *= relu2 ? positive * positive : gate[i] / (1 + std::exp(-gate[i]));
    }
    const Row out = linear(norm(z, layer + "mlp.ffn_sub_norm"), layer + "mlp.down_proj");
    for (std::size_t i = 0; i < out.size(); ++i) row[i] += out[i];
  }
}

}  // namespace bitnet::reference
