// SPDX-License-Identifier: MIT
#include "html_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <type_traits>
#include <variant>

#include "html/html_page.h"
#include "html/html_text.h"
#include "html/number_text.h"
#include "html_style.h"
#include "html_tensors.h"

namespace bitnet::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kShownBytes = 300;    // of a text
constexpr std::size_t kShownElements = 12;  // of an array
constexpr std::size_t kShownKeys = 1000;

std::string element_text(const std::string& text) { return shortened_text(text, 40); }
std::string element_text(std::int64_t number) { return std::to_string(number); }
std::string element_text(double number) { return format_short(number); }

struct MetadataText {
  std::string type;
  std::string value;
};

template <class T>
MetadataText array_text(const char* type, const std::vector<T>& elements) {
  std::string text;
  for (std::size_t i = 0; i < std::min(elements.size(), kShownElements); ++i) {
    text += (i == 0 ? "" : ", ") + element_text(elements[i]);
  }
  text += elements.size() > kShownElements ? ", …" : "";
  return {with_separators(elements.size()) + " " + type, text};
}

MetadataText describe(const MetadataValue& value) {
  return std::visit(
      [](const auto& held) -> MetadataText {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<Held, std::string>) {
          return {"text", shortened_text(held, kShownBytes)};
        } else if constexpr (std::is_same_v<Held, bool>) {
          return {"flag", held ? "true" : "false"};
        } else if constexpr (std::is_same_v<Held, double>) {
          return {"float", format_short(held)};
        } else if constexpr (std::is_same_v<Held, std::vector<std::string>>) {
          return array_text("texts", held);
        } else if constexpr (std::is_same_v<Held, std::vector<double>>) {
          return array_text("floats", held);
        } else if constexpr (std::is_same_v<Held, std::vector<std::int64_t>>) {
          return array_text("integers", held);
        } else {
          return {"integer", std::to_string(held)};
        }
      },
      value);
}

std::string metadata_row(const std::string& key, const MetadataText& text) {
  return "<tr><th scope=\"row\"><code>" + html_escape(shortened_text(key, kShownBytes)) +
         "</code></th><td class=\"muted\">" + text.type + "</td><td>" + html_escape(text.value) +
         "</td></tr>\n";
}

std::string metadata_table(const std::string& title, const std::string& rows) {
  return rows.empty() ? ""
                      : "<section><h2>" + title +
                            "</h2><table class=\"metadata\"><thead><tr><th scope=\"col\">Key</th>"
                            "<th scope=\"col\">Type</th><th scope=\"col\">Value</th></tr></thead>"
                            "<tbody>" +
                            rows + "</tbody></table></section>\n";
}

std::string metadata_section(const Checkpoint& checkpoint) {
  std::string rows;
  std::size_t shown = 0;
  for (const auto& [key, value] : checkpoint.metadata()) {
    if (shown++ == kShownKeys) {
      rows += metadata_row(
          "…", {"", with_separators(checkpoint.metadata().size() - kShownKeys) + " keys more"});
      break;
    }
    rows += metadata_row(key, describe(value));
  }
  return metadata_table("Metadata", rows);
}

/// A discarded value when there is no config.json, or none that can be read.
Json parse_config(const Checkpoint& checkpoint) {
  return Json::parse(checkpoint.config_json(), nullptr, false);
}

std::string config_section(const Json& config) {
  std::string rows;
  if (config.is_object()) {
    for (const auto& [key, value] : config.items()) {
      const std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
      rows += metadata_row(key, {value.type_name(), shortened_text(text, kShownBytes)});
    }
  }
  return metadata_table("config.json", rows);
}

std::string architecture(const Checkpoint& checkpoint, const Json& config) {
  const auto found = checkpoint.metadata().find("general.architecture");
  if (found != checkpoint.metadata().end()) {
    return shortened_text(describe(found->second).value, 80);
  }
  if (config.is_object()) {
    const auto names = config.find("architectures");
    if (names != config.end() && names->is_array() && !names->empty() &&
        names->front().is_string()) {
      return shortened_text(names->front().get<std::string>(), 80);
    }
  }
  return "unknown architecture";
}

struct Totals {
  std::uint64_t bytes = 0;
  std::uint64_t weights = 0;
  std::uint64_t ternary_weights = 0;
  std::uint64_t zeros = 0;  // of ternary weights
  std::set<std::size_t> layers;
  std::size_t broken_tensors = 0;  // with NaN or infinity
};

Totals total_of(const std::vector<PageTensor>& tensors) {
  Totals totals;
  for (const PageTensor& entry : tensors) {
    totals.bytes += entry.tensor->bytes;
    totals.weights += entry.weights;
    if (entry.place.layer) {
      totals.layers.insert(*entry.place.layer);
    }
    if (const auto& values = entry.tensor->statistics) {
      totals.ternary_weights += entry.tensor->ternary ? values->count : 0;
      totals.zeros += entry.tensor->ternary ? values->zeros : 0;
      totals.broken_tensors += values->nans + values->infinities != 0 ? 1 : 0;
    }
  }
  return totals;
}

std::string header(const Checkpoint& checkpoint, const std::vector<PageTensor>& tensors,
                   const std::string& architecture_name) {
  const Totals totals = total_of(tensors);
  std::filesystem::path path = checkpoint.path();
  if (path.filename().empty()) {
    path = path.parent_path();  // "folder/"
  }
  std::ostringstream html;
  html << "<header><p class=\"over\">bitnet inspect</p><h1>"
       << html_escape(path.filename().string()) << "</h1><p class=\"under\">"
       << format_name(checkpoint.format()) << " · " << html_escape(architecture_name)
       << " · <span class=\"path\">" << html_escape(path.string())
       << "</span></p><dl class=\"tiles\">" << tile(format_bytes(totals.bytes), "in tensors")
       << tile(format_count(totals.weights), "weights");
  if (totals.weights != 0) {
    html << tile(
        format_fixed(8 * static_cast<double>(totals.bytes) / static_cast<double>(totals.weights),
                     2),
        "bits per weight");
  }
  html << tile(format_share(totals.ternary_weights, totals.weights), "of weights are ternary");
  if (totals.ternary_weights != 0) {
    html << tile(format_share(totals.zeros, totals.ternary_weights), "of these are zero");
  }
  html << tile(with_separators(tensors.size()), "tensors")
       << tile(with_separators(totals.layers.size()), "layers") << "</dl>";
  if (totals.broken_tensors != 0) {
    html << "<p class=\"warning\">" << with_separators(totals.broken_tensors)
         << " tensors hold NaN or infinity.</p>";
  }
  for (const std::string& warning : checkpoint.warnings()) {
    html << "<p class=\"warning\">" << html_escape(shortened_text(warning, kShownBytes)) << "</p>";
  }
  html << "</header>\n";
  return html.str();
}

}  // namespace

std::string format_name(Checkpoint::Format format) {
  return format == Checkpoint::Format::gguf ? "GGUF" : "safetensors";
}

std::string html_report(const Checkpoint& checkpoint,
                        const std::vector<TensorInspection>& tensors) {
  const std::vector<PageTensor> entries = page_tensors(tensors);
  const Json config = parse_config(checkpoint);
  return to_html({.title = checkpoint.path().filename().string() + " · bitnet inspect",
                  .style = kInspectStyle,
                  .body = header(checkpoint, entries, architecture(checkpoint, config)) +
                          parts_section(entries) + layers_section(entries) +
                          tensors_section(entries) + metadata_section(checkpoint) +
                          config_section(config),
                  .script = kInspectScript});
}

}  // namespace bitnet::cli
