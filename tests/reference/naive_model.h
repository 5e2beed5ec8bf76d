// SPDX-License-Identifier: MIT
// The forward pass of a golden model one number at a time in double, with LoRA side branches
// (docs/numerics.md), from the files themselves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace bitnet::reference {

/// y += scale * B (A x) beside one projection.
struct NaiveUpdate {
  std::size_t rank;
  double scale;
  std::vector<float> a;  // [r, K]
  std::vector<float> b;  // [N, r]
};

class NaiveModel {
 public:
  using Row = std::vector<double>;
  using Rows = std::vector<Row>;

  /// A folder of tests/golden/models with one model.safetensors.
  explicit NaiveModel(const std::string& folder);

  /// By projection: "layers.0.self_attn.q_proj". Several add up.
  std::multimap<std::string, NaiveUpdate> updates;

  /// [tokens, hidden] behind the final norm.
  Rows states(const std::vector<std::uint32_t>& ids);
  /// [tokens, vocabulary]
  Rows logits(const std::vector<std::uint32_t>& ids);

  /// How near any activation of the last call came to where its code changes, in codes.
  double calm() const { return calm_; }
  /// Projections and their [rows, columns].
  std::map<std::string, std::pair<std::size_t, std::size_t>> projections() const;

 private:
  struct Matrix {
    std::size_t rows = 0;
    std::size_t columns = 0;
    double scale = 1;
    std::vector<double> values;
  };

  bool has(const std::string& name) const { return matrices_.contains(name); }
  Row norm(const Row& x, const std::string& name) const;
  Row linear(const Row& x, const std::string& name);
  Row rotated(const Row& x, std::size_t head, const std::string& name, std::size_t position) const;
  void attention(const std::string& layer, Rows& h);
  void feed_forward(const std::string& layer, Rows& h);

  nlohmann::json config_;
  std::size_t head_dim_;
  std::map<std::string, Matrix> matrices_;  // without "model."; norms have one row
  double calm_ = 0.5;
};

}  // namespace bitnet::reference
