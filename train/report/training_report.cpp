// SPDX-License-Identifier: MIT
#include <bitnet/train/training_report.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <iterator>
#include <span>
#include <sstream>

#include "base/mapped_file.h"
#include "base/output_file.h"
#include "html/html_page.h"
#include "html/html_text.h"
#include "html/line_chart.h"
#include "html/number_text.h"
#include "training_charts.h"
#include "training_log.h"

namespace bitnet::train {
namespace {

constexpr int kReloadSeconds = 20;
constexpr std::ptrdiff_t kSpeedSteps = 50;  // logged ones, evaluations between them included
constexpr std::size_t kShownSamples = 6;
constexpr std::size_t kShownEvaluations = 25;
constexpr std::size_t kShownBytes = 1500;  // of a text

constexpr const char* kReportStyle = R"css(
.tiles{grid-template-columns:repeat(auto-fit,minmax(190px,1fr))}
.state{display:inline-block;padding:1px 10px;border-radius:99px;background:var(--series0);color:var(--card);font-weight:600}
.state.done{background:var(--series2)}.state.halted{background:var(--series1)}
.progress{height:12px;margin:22px 0 8px;border-radius:6px;background:var(--line);overflow:hidden}
.progress i{display:block;height:100%;background:var(--series0)}
.progress-text{margin:0;display:flex;flex-wrap:wrap;gap:2px 22px;color:var(--muted)}.progress-text b{color:var(--ink)}
.sample{margin:0 0 16px;white-space:pre-wrap;overflow-wrap:anywhere}.sample:last-child{margin:0}
.sample i{display:block;font-style:normal;font-size:13px;color:var(--muted)}
.best td,.best th{font-weight:650}
.options{columns:2 330px;column-gap:48px;margin:0;font-size:14px}
.options div{display:flex;justify-content:space-between;gap:18px;padding:5px 0;border-bottom:1px solid var(--line);break-inside:avoid}
.options dd{margin:0;text-align:right;overflow-wrap:anywhere}
footer{margin-top:22px;font-size:13px}
@media (max-width:560px){.evaluations td:nth-child(5),.evaluations th:nth-child(5){display:none}.tile dd{font-size:21px}
.tiles{grid-template-columns:repeat(auto-fit,minmax(125px,1fr))}.wide .chart{height:230px}}
)css";

std::string count_text(double count) {
  return count >= 0 && count < 1e18 ? format_count(static_cast<std::uint64_t>(count)) : "–";
}
std::string step_text(std::int64_t step) {
  return with_separators(static_cast<std::uint64_t>(step));
}
std::string number_text(double value) { return std::isfinite(value) ? format_short(value) : "–"; }
std::string percent_text(double share) {
  return std::isfinite(share) ? format_short(100 * share) + " %" : "–";
}
std::string duration_text(double seconds) {
  return seconds >= 0 && seconds < 1e12
             ? format_duration(std::chrono::seconds(std::llround(seconds)))
             : "–";
}

/// "2026-11-25T18:00:00Z" for readers; anything else as it is.
std::string time_text(std::string time) {
  if (time.size() == 20 && time[10] == 'T' && time[19] == 'Z') {
    time[10] = ' ';
    time.replace(19, 1, " UTC");
  }
  return html_escape(shortened_text(time, 40));
}

/// Steps there are to be, if the options say so.
std::optional<double> steps_of(const TrainingLog& log) {
  const std::string text = log.option("steps").value_or("");
  const bool is_count = !text.empty() && text.size() <= 15 &&
                        std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  const double steps = is_count ? std::stod(text) : 0;
  return steps > 0 ? std::optional(steps) : std::nullopt;
}

/// Of the last logged steps since this run started, evaluations included; with one step alone, of
/// its tokens. NaN before.
double seconds_per_step(const TrainingLog& log) {
  const auto first =
      log.resumed_from.empty() ? log.steps.begin() : log.steps.upper_bound(log.resumed_from.back());
  if (first == log.steps.end()) {
    return kNoNumber;
  }
  const auto last = std::prev(log.steps.end());
  const std::ptrdiff_t reach = std::min(kSpeedSteps, std::distance(first, last));
  const auto earlier = std::prev(last, reach);
  const double seconds = last->second.seconds - earlier->second.seconds;
  if (seconds > 0) {
    return seconds / static_cast<double>(last->first - earlier->first);
  }
  return last->second.tokens / static_cast<double>(last->first) / last->second.tokens_per_second;
}

struct State {
  std::string text;  // markup
  const char* css_class;
};

State state_of(const TrainingLog& log) {
  if (!log.finish) {
    return {log.start ? "running" : "waiting for the first line", "running"};
  }
  const std::string& reason = log.finish->reason;
  if (reason == "steps") {
    return {"finished", "done"};
  }
  if (reason == "early_stop") {
    return {"finished early: the dev loss no longer falls", "done"};
  }
  return {reason.empty() ? "stopped" : html_escape(shortened_text(reason, 80)), "halted"};
}

std::string progress(const TrainingLog& log) {
  const std::optional<double> steps = steps_of(log);
  const std::int64_t step = log.last_step();
  std::ostringstream html;
  if (steps) {
    const double share = std::min(1.0, static_cast<double>(step) / *steps);
    html << "<div class=\"progress\"><i style=\"width:" << format_fixed(100 * share, 2)
         << "%\"></i></div>";
  }
  html << "<p class=\"progress-text\"><span><b>step " << step_text(step) << "</b>";
  if (steps) {
    html << " of " << step_text(static_cast<std::int64_t>(*steps));
  }
  html << "</span>";
  if (!log.steps.empty()) {
    const StepMetrics& last = log.steps.rbegin()->second;
    html << "<span>" << count_text(last.tokens) << " tokens";
    if (log.start && last.tokens / log.start->train_tokens >= 0) {
      html << ", " << format_short(last.tokens / log.start->train_tokens) << " epochs";
    }
    html << "</span><span>"
         << duration_text(log.finish && log.finish->seconds >= 0 ? log.finish->seconds
                                                                 : last.seconds)
         << " passed</span>";
  }
  const double per_step = seconds_per_step(log);
  if (!log.finish && steps && per_step >= 0) {
    html << "<span><b>"
         << duration_text(std::max(0.0, *steps - static_cast<double>(step)) * per_step)
         << " left</b></span>";
  }
  html << "</p>";
  return html.str();
}

/// "8 layers · 256 wide · ...": what the options tell of the model.
std::string sizes(const TrainingLog& log) {
  struct Size {
    const char* option;
    const char* before;
    const char* after;
  };
  constexpr std::array<Size, 6> kSizes = {{{"num_hidden_layers", "", " layers"},
                                           {"hidden_size", "", " wide"},
                                           {"intermediate_size", "feed-forward ", ""},
                                           {"num_attention_heads", "", " heads"},
                                           {"num_key_value_heads", "", " KV heads"},
                                           {"vocab_size", "vocabulary ", ""}}};
  std::string text;
  for (const Size& size : kSizes) {
    if (const std::optional<std::string> value = log.option(size.option)) {
      text +=
          " · " + std::string(size.before) + html_escape(shortened_text(*value, 20)) + size.after;
    }
  }
  return text;
}

std::string tiles(const TrainingLog& log) {
  std::string html;
  if (const std::optional<ChartPoint> best = best_evaluation(log)) {
    const auto step = static_cast<std::int64_t>(best->x);
    html += tile(number_text(best->y), "best dev loss, step " + step_text(step));
    const double bits = log.evaluations.at(step).bits_per_byte;
    html += std::isfinite(bits) ? tile(number_text(bits), "bits per byte there") : "";
  }
  if (!log.steps.empty()) {
    const StepMetrics& last = log.steps.rbegin()->second;
    html += tile(number_text(last.loss), "train loss");
    html += tile(count_text(last.tokens_per_second), "tokens/s");
    html += tile(percent_text(last.sparsity), "of trits are zero");
    html += tile(percent_text(last.flips_share), "of trits flip per step");
  }
  if (log.start) {
    html += tile(count_text(log.start->parameters), "parameters");
    html += tile(percent_text(log.start->ternary_parameters / log.start->parameters),
                 "of these are ternary");
    html += tile(count_text(log.start->train_tokens), "tokens to train on");
    html += tile(count_text(log.start->dev_tokens), "tokens of dev text");
  }
  return html.empty() ? "" : "<dl class=\"tiles\">" + html + "</dl>";
}

std::string header(const TrainingLog& log, std::string_view title) {
  const State state = state_of(log);
  std::ostringstream html;
  html << "<header><p class=\"over\">bitnet train</p><h1>" << html_escape(title)
       << "</h1><p class=\"under\"><span class=\"state " << state.css_class << "\">" << state.text
       << "</span>" << sizes(log);
  if (log.start) {
    html << " · " << html_escape(shortened_text(log.start->device, 80));
    if (log.start->threads >= 1) {
      html << ", " << count_text(log.start->threads) << " threads";
    }
    html << " · started " << time_text(log.start->time);
  }
  if (!log.resumed_from.empty()) {
    html << " · resumed at step " << step_text(log.resumed_from.back());
  }
  html << "</p>" << tiles(log) << progress(log);
  const auto broken =
      std::ranges::find_if(log.steps, [](const auto& s) { return !std::isfinite(s.second.loss); });
  if (broken != log.steps.end()) {
    html << "<p class=\"warning\">The loss is no finite number at step " << step_text(broken->first)
         << ".</p>";
  }
  html << "</header>\n";
  return html.str();
}

std::string samples_section(const TrainingLog& log) {
  std::string html;
  std::size_t shown = 0;
  for (auto sample = log.samples.rbegin(); sample != log.samples.rend(); ++sample) {
    if (shown++ == kShownSamples) {
      break;
    }
    const auto& [step, prompt] = sample->first;
    html += "<p class=\"sample\"><i>step " + step_text(step) + "</i><b>" +
            html_escape(shortened_text(prompt, kShownBytes)) + "</b>" +
            html_escape(shortened_text(sample->second, kShownBytes)) + "</p>";
  }
  return html.empty() ? "" : "<section><h2>Samples</h2>" + html + "</section>\n";
}

std::string evaluations_section(const TrainingLog& log) {
  if (log.evaluations.empty()) {
    return "";
  }
  const std::optional<ChartPoint> best = best_evaluation(log);
  std::ostringstream html;
  html << "<section><h2>Evaluations</h2><table class=\"evaluations\"><thead><tr>";
  for (const char* name : {"Step", "Dev loss", "Perplexity", "Bits per byte", "Checkpoint"}) {
    html << "<th scope=\"col\">" << name << "</th>";
  }
  html << "</tr></thead><tbody>";
  std::size_t place = 0;
  for (auto entry = log.evaluations.rbegin(); entry != log.evaluations.rend(); ++entry, ++place) {
    const auto& [step, evaluation] = *entry;
    const bool is_best = best && static_cast<double>(step) == best->x;
    if (place >= kShownEvaluations && !is_best) {
      continue;
    }
    const auto checkpoint = log.checkpoints.find(step);
    html << (is_best ? "<tr class=\"best\">" : "<tr>") << "<th scope=\"row\">" << step_text(step)
         << (is_best ? " best" : "") << "</th><td>" << number_text(evaluation.loss) << "</td><td>"
         << number_text(evaluation.perplexity) << "</td><td>"
         << number_text(evaluation.bits_per_byte) << "</td><td>";
    if (checkpoint != log.checkpoints.end()) {
      html << "<code>" << html_escape(shortened_text(checkpoint->second, 80)) << "</code>";
    }
    html << "</td></tr>\n";
  }
  html << "</tbody></table>";
  if (place > kShownEvaluations) {
    html << "<p class=\"muted\">The last " << kShownEvaluations << " of " << with_separators(place)
         << " and the best.</p>";
  }
  html << "</section>\n";
  return html.str();
}

std::string options_section(const TrainingLog& log) {
  if (!log.start || log.start->options.empty()) {
    return "";
  }
  std::string html = "<section><h2>Options</h2><dl class=\"options\">";
  for (const auto& [name, value] : log.start->options) {
    html += "<div><dt><code>" + html_escape(shortened_text(name, 100)) + "</code></dt><dd>" +
            html_escape(shortened_text(value, 300)) + "</dd></div>";
  }
  return html + "</dl></section>\n";
}

std::string footer(const TrainingLog& log) {
  std::string text;
  if (!log.finish) {
    text = "This page reloads itself every " + std::to_string(kReloadSeconds) +
           " seconds until the training ends.";
  }
  if (log.unreadable_lines != 0) {
    text.append(text.empty() ? "" : " ").append(with_separators(log.unreadable_lines));
    text += log.unreadable_lines == 1 ? " line" : " lines";
    text += " of the metrics could not be read.";
  }
  return text.empty() ? "" : "<footer class=\"muted\">" + text + "</footer>\n";
}

}  // namespace

std::string training_report(std::string_view metrics_jsonl, std::string_view title) {
  const TrainingLog log = read_training_log(metrics_jsonl);
  return to_html({.title = std::string(title) + " · bitnet train",
                  .style = std::string(kLineChartStyle) + kReportStyle,
                  .body = header(log, title) + charts_section(log) + samples_section(log) +
                          evaluations_section(log) + options_section(log) + footer(log),
                  .script = {},
                  .reload_seconds = log.finish ? 0 : kReloadSeconds});
}

void write_training_report(const std::filesystem::path& metrics,
                           const std::filesystem::path& html) {
  const MappedFile file(metrics);
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()),
                              file.bytes().size());
  const std::string folder = std::filesystem::absolute(metrics).parent_path().filename().string();
  write_file(html, training_report(text, folder));
}

}  // namespace bitnet::train
