// SPDX-License-Identifier: MIT
#include "html_tensors.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <sstream>

#include "html/html_text.h"
#include "html/number_text.h"
#include "html_charts.h"

namespace bitnet::cli {
namespace {

struct Sizes {
  std::uint64_t tensors = 0;
  std::uint64_t weights = 0;
  std::uint64_t bytes = 0;

  void add(const PageTensor& entry) {
    ++tensors;
    weights += entry.weights;
    bytes += entry.tensor->bytes;
  }
};

std::string bits_per_weight(std::uint64_t bytes, std::uint64_t weights) {
  return weights == 0
             ? ""
             : format_fixed(8 * static_cast<double>(bytes) / static_cast<double>(weights), 2);
}

std::string cell(std::string_view label, const std::string& text, const std::string& key = "") {
  return "<td data-label=\"" + std::string(label) + "\"" +
         (key.empty() ? "" : " data-key=\"" + key + "\"") + ">" + text + "</td>";
}

// ---- by layer

using Measure = std::function<std::optional<double>(const TensorInspection&)>;
using Format = std::string (*)(double);

std::string percent_text(double share) { return format_fixed(100 * share, 1) + " %"; }

/// One line of a figure: the same matrix in every layer.
struct Strip {
  std::string name;
  std::vector<HeatCell> cells;  // by layer
};

// Names may hold any number, and be as many as the file pleases.
constexpr std::size_t kMostLayers = 1024;
constexpr std::size_t kMostStrips = 64;

std::vector<Strip> measure_strips(const std::vector<PageTensor>& tensors, std::size_t layers,
                                  const Measure& measure, Format format) {
  std::vector<Strip> strips;
  std::map<std::string, std::size_t> index_of;
  for (const PageTensor& entry : tensors) {
    if (!entry.place.layer || *entry.place.layer >= layers) {
      continue;
    }
    const std::optional<double> value = measure(*entry.tensor);
    if (!value) {
      continue;
    }
    const std::string& name = entry.place.name_in_layer;
    const auto [found, added] = index_of.emplace(name, strips.size());
    if (added && strips.size() == kMostStrips) {
      break;
    }
    if (added) {
      strips.push_back({name, std::vector<HeatCell>(layers)});
    }
    strips[found->second].cells[*entry.place.layer] = {
        *value, name + ", layer " + std::to_string(*entry.place.layer) + ": " + format(*value)};
  }
  return strips;
}

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void add(const std::vector<HeatCell>& cells) {
    for (const HeatCell& heat_cell : cells) {
      if (heat_cell.value) {
        low = std::min(low, *heat_cell.value);
        high = std::max(high, *heat_cell.value);
      }
    }
  }
};

std::string figure(const std::vector<PageTensor>& tensors, std::size_t layers,
                   std::string_view title, std::string_view note, Format format,
                   const Measure& measure) {
  const std::vector<Strip> strips = measure_strips(tensors, layers, measure, format);
  if (strips.empty()) {
    return {};
  }
  Range all;
  for (const Strip& strip : strips) {
    all.add(strip.cells);
  }
  std::ostringstream html;
  html << "<figure><figcaption><b>" << title << "</b> <span>" << note << "</span>"
       << "<span class=\"ramp\">" << format(all.low) << " " << heat_legend() << " "
       << format(all.high) << "</span></figcaption><div class=\"strips\">";
  for (const Strip& strip : strips) {
    Range own;
    own.add(strip.cells);
    html << "<span class=\"strip-name\">" << html_escape(strip.name) << "</span>"
         << heat_strip(strip.name + " by layer", strip.cells, all.low, all.high)
         << "<span class=\"strip-range\">" << format(own.low)
         << (own.low == own.high ? "" : " – " + format(own.high)) << "</span>";
  }
  html << "<span></span><span class=\"strip-axis\"><span>layer 0</span><span>"
       << (layers > 1 ? std::to_string(layers - 1) : "") << "</span></span><span></span>"
       << "</div></figure>";
  return html.str();
}

// ---- by tensor

std::string shape_text(const Shape& shape) {
  std::string text;
  for (const std::size_t dim : shape.dims()) {
    text += (text.empty() ? "" : " × ") + std::to_string(dim);
  }
  return text.empty() ? "scalar" : text;
}

std::string values_cell(const TensorInspection& tensor) {
  if (!tensor.statistics) {
    return "<span class=\"muted\">not decoded</span>";
  }
  const ValueStatistics& values = *tensor.statistics;
  std::ostringstream html;
  if (tensor.ternary && values.nans + values.infinities == 0) {
    html << trit_bar(values);
  } else {
    html << histogram_chart(values);
    html << "<small><span>" << format_short(values.min) << "</span><span>mean "
         << format_short(values.mean) << "</span><span>" << format_short(values.max)
         << "</span></small><small><span>mean |w| " << format_short(values.absmean) << " · σ "
         << format_short(values.standard_deviation) << "</span></small>";
  }
  if (const std::uint64_t outliers = count_outliers(values); outliers != 0 && !tensor.ternary) {
    html << "<small><span class=\"outlier-text\">▼ " << with_separators(outliers) << " beyond "
         << format_fixed(kOutlierDeviations, 0) << " σ</span></small>";
  }
  if (values.nans + values.infinities != 0) {
    html << "<strong class=\"alarm\">" << with_separators(values.nans) << " NaN, "
         << with_separators(values.infinities) << " infinite</strong>";
  }
  return html.str();
}

std::string tensor_row(const PageTensor& entry, bool show_sqnr) {
  const TensorInspection& tensor = *entry.tensor;
  std::ostringstream row;
  row << "<tr><th scope=\"row\"><i class=\"dot " << part_class(entry.place.part) << "\" title=\""
      << part_title(entry.place.part) << "\"></i><code>" << html_escape(tensor.name)
      << "</code></th>" << cell("Type", html_escape(tensor.type_name))
      << cell("Shape", shape_text(tensor.shape), std::to_string(entry.weights))
      << cell("Bytes", with_separators(tensor.bytes), std::to_string(tensor.bytes));
  const std::string bits = bits_per_weight(tensor.bytes, entry.weights);
  row << cell("Bits per weight", bits, bits);
  if (tensor.statistics) {
    const ValueStatistics& values = *tensor.statistics;
    row << cell(
        "Zeros", format_share(values.zeros, values.count),
        std::to_string(static_cast<double>(values.zeros) / static_cast<double>(values.count)));
  } else {
    row << cell("Zeros", "");
  }
  std::string scale;
  if (tensor.ternary) {
    scale = tensor.ternary->scale ? format_float(*tensor.ternary->scale) : "per block";
  }
  row << cell("Scale", scale, scale);
  if (show_sqnr) {
    std::string sqnr;
    if (tensor.ternary && tensor.ternary->sqnr_db) {
      sqnr = std::isinf(*tensor.ternary->sqnr_db)
                 ? "exact"
                 : format_fixed(*tensor.ternary->sqnr_db, 2) + " dB";
    }
    row << cell("SQNR", sqnr);
  }
  row << cell("Values", values_cell(tensor)) << "</tr>\n";
  return row.str();
}

}  // namespace

std::vector<PageTensor> page_tensors(const std::vector<TensorInspection>& tensors) {
  std::vector<PageTensor> result;
  result.reserve(tensors.size());
  for (const TensorInspection& tensor : tensors) {
    result.push_back({&tensor, place_of(tensor.name),
                      tensor.statistics ? tensor.statistics->count : tensor.shape.numel()});
  }
  return result;
}

std::string parts_section(const std::vector<PageTensor>& tensors) {
  std::map<ModelPart, Sizes> parts;
  std::map<ModelPart, std::map<std::string, std::uint64_t>> bytes_by_name;
  Sizes total;
  for (const PageTensor& entry : tensors) {
    parts[entry.place.part].add(entry);
    bytes_by_name[entry.place.part][entry.place.name_in_layer] += entry.tensor->bytes;
    total.add(entry);
  }
  std::vector<BarPart> by_bytes;
  std::vector<BarPart> by_name;
  std::vector<BarPart> by_weights;
  std::ostringstream rows;
  for (const auto& [part, sizes] : parts) {
    const std::string title(part_title(part));
    by_bytes.push_back({part_class(part), title, static_cast<double>(sizes.bytes)});
    by_weights.push_back({part_class(part), title, static_cast<double>(sizes.weights)});
    for (const auto& [name, bytes] : bytes_by_name[part]) {
      by_name.push_back(
          {part_class(part), name.empty() ? title : name, static_cast<double>(bytes)});
    }
    rows << "<tr><th scope=\"row\"><i class=\"dot " << part_class(part) << "\"></i>" << title
         << "</th>" << cell("Tensors", with_separators(sizes.tensors))
         << cell("Weights", format_count(sizes.weights)) << cell("Size", format_bytes(sizes.bytes))
         << cell("Share", format_share(sizes.bytes, total.bytes))
         << cell("Bits per weight", bits_per_weight(sizes.bytes, sizes.weights)) << "</tr>\n";
  }
  return "<section id=\"parts\"><h2>Size by part</h2>"
         "<p class=\"bar-name\">Bytes</p>" +
         share_bar("Bytes by part of the model", by_bytes) + "<div class=\"finer\">" +
         share_bar("Bytes by tensor of a layer", by_name) + "</div>" +
         "<p class=\"bar-name\">Weights</p>" +
         share_bar("Weights by part of the model", by_weights) +
         "<table class=\"parts\"><thead><tr><th scope=\"col\">Part</th><th scope=\"col\">Tensors"
         "</th><th scope=\"col\">Weights</th><th scope=\"col\">Size</th><th scope=\"col\">Share"
         "</th><th scope=\"col\">Bits per weight</th></tr></thead><tbody>" +
         rows.str() + "</tbody></table></section>\n";
}

std::string layers_section(const std::vector<PageTensor>& tensors) {
  std::size_t layers = 0;
  for (const PageTensor& entry : tensors) {
    if (entry.place.layer && *entry.place.layer < kMostLayers) {
      layers = std::max(layers, *entry.place.layer + 1);
    }
  }
  using Value = std::optional<double>;
  const auto sparsity = [](const TensorInspection& tensor) {
    return tensor.ternary ? Value(tensor.ternary->sparsity) : Value();
  };
  const auto scale = [](const TensorInspection& tensor) {
    return tensor.ternary && tensor.ternary->scale ? Value(*tensor.ternary->scale) : Value();
  };
  const auto sqnr = [](const TensorInspection& tensor) {
    const bool known = tensor.ternary && tensor.ternary->sqnr_db;
    return known && std::isfinite(*tensor.ternary->sqnr_db) ? tensor.ternary->sqnr_db : Value();
  };
  const auto absmean = [](const TensorInspection& tensor) {
    const bool is_float_matrix = tensor.statistics && !tensor.ternary && tensor.shape.rank() == 2;
    return is_float_matrix ? Value(tensor.statistics->absmean) : Value();
  };
  const auto gain = [](const TensorInspection& tensor) {
    const bool is_vector =
        tensor.statistics && tensor.shape.rank() == 1 && tensor.statistics->count > 1;
    return is_vector ? Value(tensor.statistics->absmean) : Value();
  };
  const std::string figures =
      figure(tensors, layers, "Sparsity", "share of zeros in ternary matrices", percent_text,
             sparsity) +
      figure(tensors, layers, "Scale", "what multiplies the trits", format_short, scale) +
      figure(tensors, layers, "SQNR in dB", "distance from the source", format_short, sqnr) +
      figure(tensors, layers, "Mean |w|", "of float matrices", format_short, absmean) +
      figure(tensors, layers, "Mean gain", "absolute, of norm vectors", format_short, gain);
  return figures.empty()
             ? ""
             : "<section id=\"layers\"><h2>Layer by layer</h2>" + figures + "</section>\n";
}

std::string tensors_section(const std::vector<PageTensor>& tensors) {
  const bool show_sqnr = std::any_of(tensors.begin(), tensors.end(), [](const PageTensor& entry) {
    return entry.tensor->ternary && entry.tensor->ternary->sqnr_db;
  });
  std::ostringstream html;
  html << "<section id=\"tensors\"><h2>Tensors</h2><p class=\"muted\">Bars of ternary matrices are "
          "shares of −1, 0 and +1. Histograms of other tensors show square roots of counts, so "
          "that rare values stay visible; ▼ marks bins beyond "
       << format_fixed(kOutlierDeviations, 0)
       << " standard deviations.</p><table class=\"tensors\" data-sortable><thead><tr>";
  for (const char* title :
       {"Tensor", "Type", "Shape", "Bytes", "Bits per weight", "Zeros", "Scale"}) {
    html << "<th scope=\"col\">" << title << "</th>";
  }
  html << (show_sqnr ? "<th scope=\"col\">SQNR</th>" : "")
       << "<th scope=\"col\">Values</th></tr></thead><tbody>\n";
  for (const PageTensor& entry : tensors) {
    html << tensor_row(entry, show_sqnr);
  }
  html << "</tbody></table></section>\n";
  return html.str();
}

}  // namespace bitnet::cli
