// SPDX-License-Identifier: MIT
#include "model/i2s_layout.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <string_view>

#include "base/message.h"
#include "formats/encoding.h"
#include "formats/ternary_encodings.h"
#include "model/row_blocks.h"

namespace bitnet {
namespace {

constexpr std::array kLayouts = {Encoding::i2_s, Encoding::i2_s_64, Encoding::i2_s_rows4};
constexpr std::size_t kMostMatrices = 24;
/// Of each matrix: enough to know the density of a column to a few percent.
constexpr std::size_t kMostRows = 1024;

/// An I2_S matrix and the gains [K] of its inputs.
struct Witness {
  const SourceWeight* matrix;
  const SourceWeight* norm;
};

/// "blk.3." + what the norm in front of "blk.3.<projection>" is called.
std::string norm_in_front(const std::string& projection) {
  constexpr std::pair<std::string_view, std::string_view> kNorms[] = {
      {"attn_q.", "attn_norm."},          {"attn_k.", "attn_norm."},  {"attn_v.", "attn_norm."},
      {"attn_output.", "attn_sub_norm."}, {"ffn_gate.", "ffn_norm."}, {"ffn_up.", "ffn_norm."},
      {"ffn_down.", "ffn_sub_norm."}};
  for (const auto& [name, norm] : kNorms) {
    const std::size_t at = projection.find(name);
    if (at != std::string::npos) {
      return projection.substr(0, at) + std::string(norm) + "weight";
    }
  }
  return "";
}

/// Evenly spread over the file, at most kMostMatrices.
std::vector<Witness> find_witnesses(const std::vector<SourceWeight>& weights) {
  std::vector<Witness> all;
  for (const SourceWeight& weight : weights) {
    if (weight.name.role != WeightRole::projection || weight.tensor.encoding != Encoding::i2_s) {
      continue;
    }
    const std::string norm = norm_in_front(weight.name.gguf);
    const auto found = std::find_if(weights.begin(), weights.end(),
                                    [&](const SourceWeight& w) { return w.name.gguf == norm; });
    if (found != weights.end()) {
      all.push_back({&weight, &*found});
    }
  }
  std::vector<Witness> chosen;
  const std::size_t count = std::min(all.size(), kMostMatrices);
  for (std::size_t i = 0; i < count; ++i) {
    chosen.push_back(all[i * all.size() / count]);
  }
  return chosen;
}

/// Nonzero weights of each column, [K].
std::vector<double> column_counts(const StoredTensor& matrix, const Runtime& runtime) {
  const std::size_t columns = matrix.shape.columns();
  std::vector<std::uint32_t> counts(columns);
  std::vector<std::int8_t> trits;
  const std::size_t rows = std::min(matrix.shape.rows(), kMostRows);
  for_each_row_block(rows, columns, [&](std::size_t first, std::size_t count) {
    trits.resize(count * columns);
    parallel_rows(runtime, count, [&](std::size_t i) {
      decode_trits(matrix, first + i, 1, std::span(trits).subspan(i * columns, columns));
    });
    for (std::size_t i = 0; i < count; ++i) {
      const std::int8_t* const row = trits.data() + i * columns;
      for (std::size_t k = 0; k < columns; ++k) {
        counts[k] += row[k] != 0 ? 1 : 0;
      }
    }
  });
  return {counts.begin(), counts.end()};
}

/// Position of each value in sorted order; equal values share the mean of their positions.
std::vector<double> ranks(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> result(values.size());
  for (std::size_t first = 0; first < order.size();) {
    std::size_t last = first;
    while (last + 1 < order.size() && values[order[last + 1]] == values[order[first]]) {
      ++last;
    }
    for (std::size_t i = first; i <= last; ++i) {
      result[order[i]] = static_cast<double>(first + last) / 2;
    }
    first = last + 1;
  }
  return result;
}

/// Spearman's: Pearson's correlation of the ranks; 0 when one side is constant.
double rank_correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const std::vector<double> x = ranks(a);
  const std::vector<double> y = ranks(b);
  const double mean = static_cast<double>(x.size() - 1) / 2;
  double xx = 0;
  double yy = 0;
  double xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean) * (x[i] - mean);
    yy += (y[i] - mean) * (y[i] - mean);
    xy += (x[i] - mean) * (y[i] - mean);
  }
  return xx == 0 || yy == 0 ? 0 : xy / std::sqrt(xx * yy);
}

std::vector<double> magnitudes(const StoredTensor& norm) {
  std::vector<float> gains(norm.shape.columns());
  decode_to_float(norm, 0, 1, gains);
  std::vector<double> result(gains.size());
  std::transform(gains.begin(), gains.end(), result.begin(),
                 [](float gain) { return std::isnan(gain) ? 0 : std::abs(gain); });
  return result;
}

/// Whether blocks of the layout fit the matrix.
bool fits(Encoding layout, const StoredTensor& matrix) {
  return layout == Encoding::i2_s_rows4
             ? matrix.shape.rows() % 4 == 0
             : matrix.shape.columns() % block_layout(layout).elements == 0;
}

}  // namespace

std::vector<I2sEvidence> weigh_i2s_layouts(const std::vector<SourceWeight>& weights,
                                           const Runtime& runtime) {
  const std::vector<Witness> witnesses = find_witnesses(weights);
  std::vector<I2sEvidence> evidence;
  for (const Encoding layout : kLayouts) {
    const bool possible = std::all_of(witnesses.begin(), witnesses.end(), [&](const Witness& w) {
      return fits(layout, w.matrix->tensor);
    });
    if (witnesses.empty() || !possible) {
      continue;
    }
    double score = 0;
    for (const Witness& witness : witnesses) {
      StoredTensor matrix = witness.matrix->tensor;
      matrix.encoding = layout;
      const double r =
          rank_correlation(column_counts(matrix, runtime), magnitudes(witness.norm->tensor));
      score += static_cast<double>(matrix.shape.columns()) * r * r;
    }
    evidence.push_back({layout, score / static_cast<double>(witnesses.size())});
  }
  std::stable_sort(evidence.begin(), evidence.end(),
                   [](const I2sEvidence& a, const I2sEvidence& b) { return a.score > b.score; });
  return evidence;
}

void settle_i2s_layout(std::vector<SourceWeight>& weights, const std::optional<Encoding>& wanted,
                       const Runtime& runtime, std::vector<std::string>& notes) {
  const bool has_i2s = std::any_of(weights.begin(), weights.end(), [](const SourceWeight& w) {
    return w.tensor.encoding == Encoding::i2_s;
  });
  if (!has_i2s) {
    return;
  }
  Encoding layout = Encoding::i2_s;
  if (wanted) {
    layout = *wanted;
  } else {
    // Without any relation K r² is a chi-square variable of mean 1 for each matrix, so that the
    // mean over them stays below 10 by any reasonable chance; trained models reach hundreds.
    constexpr double kLeastScore = 10;
    constexpr double kLeastRatio = 2;
    const std::vector<I2sEvidence> evidence = weigh_i2s_layouts(weights, runtime);
    const bool clear =
        !evidence.empty() && evidence[0].score >= kLeastScore &&
        (evidence.size() == 1 || evidence[0].score >= kLeastRatio * evidence[1].score);
    if (!clear) {
      notes.emplace_back(
          "I2_S: the weights do not tell which of its three layouts they have; read as that of the "
          "official file (blocks of 128)");
    } else if (evidence[0].layout != Encoding::i2_s) {
      layout = evidence[0].layout;
      notes.push_back(message(
          "I2_S: the weights have the layout '", to_string(layout),
          "', as some builds of bitnet.cpp write it, not that of the official ",
          "file: columns follow the norms in front of them ",
          static_cast<int>(evidence[0].score / std::max(1.0, evidence[1].score)), " times better"));
    }
  }
  for (SourceWeight& weight : weights) {
    if (weight.tensor.encoding == Encoding::i2_s) {
      weight.tensor.encoding = layout;
    }
  }
}

}  // namespace bitnet
