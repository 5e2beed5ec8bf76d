// SPDX-License-Identifier: MIT
#include "program/run_log.h"

#include <ATen/Parallel.h>
#include <bitnet/error.h>
#include <bitnet/generation.h>
#include <bitnet/lora.h>
#include <bitnet/train/training_report.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/message.h"
#include "html/number_text.h"

namespace bitnet::train {
namespace {

using Json = nlohmann::ordered_json;

std::atomic<bool> interrupted = false;

void on_interrupt(int /*signal*/) { interrupted = true; }

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

std::string now() {
  const std::time_t time = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&time, &utc);
  char text[sizeof "2026-11-25T18:00:00Z"];
  std::strftime(text, sizeof text, "%FT%TZ", &utc);
  return text;
}

/// The page reloads itself every 20 seconds; writing it reads all of metrics.jsonl.
constexpr std::chrono::seconds kReportInterval{15};

std::string duration(double seconds) {
  return format_duration(std::chrono::seconds(std::llround(seconds)));
}

}  // namespace

RunLog::RunLog(const TrainingOptions& options, std::vector<std::string> prompts)
    : options_(options),
      prompts_(std::move(prompts)),
      metrics_(options.output / "metrics.jsonl"),
      draws_(isatty(STDERR_FILENO) != 0) {
  // No handler may run on a thread that computes: oneDNN's code has no stack to run it on, and it
  // would write into the heap. There signals wait for should_stop(); a library's idle thread may
  // take them.
  interrupted = false;
  std::signal(SIGINT, on_interrupt);
  std::signal(SIGTERM, on_interrupt);
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

RunLog::~RunLog() { let_signals_kill(); }

void RunLog::let_signals_kill() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

void RunLog::on_start(const TrainingStart& start) {
  steps_ = start.steps;
  step_ = start.step;
  ternary_parameters_ = start.ternary_parameters;
  std::cout << message(start.parameters, " parameters, ", start.ternary_parameters,
                       " of them ternary; ", start.train_tokens, " tokens to learn, ",
                       start.dev_tokens, " to evaluate on; ", start.steps, " steps\n");
  if (start.step != 0) {
    std::cout << message("resumed behind step ", start.step, "\n");
  }
  Json config = Json::parse(options_.to_json());
  config["steps"] = start.steps;
  append(Json{{"event", "start"},
              {"time", now()},
              {"resumed_from", start.step == 0 ? Json() : Json(start.step)},
              {"config", config},
              {"parameters", start.parameters},
              {"ternary_parameters", start.ternary_parameters},
              {"train_tokens", start.train_tokens},
              {"dev_tokens", start.dev_tokens},
              {"device", options_.device},
              {"threads", at::get_num_threads()}}
             .dump());
}

void RunLog::on_step(const StepReport& report) {
  step_ = report.step;
  append(Json{{"event", "step"},
              {"step", report.step},
              {"loss", report.loss},
              {"learning_rate", report.learning_rate},
              {"weight_decay", report.weight_decay},
              {"lambda", report.lambda},
              {"gradient_norm", report.gradient_norm},
              {"tokens", report.tokens},
              {"seconds", report.seconds},
              {"tokens_per_second", report.tokens_per_second},
              {"sparsity", report.sparsity},
              {"flips_per_step", report.flips_per_step},
              {"flips_share", report.flips_per_step / static_cast<double>(ternary_parameters_)}}
             .dump());
  const double tokens_per_step =
      static_cast<double>(report.tokens) / static_cast<double>(report.step);
  const double left =
      static_cast<double>(steps_ - report.step) * tokens_per_step / report.tokens_per_second;
  char line[160];
  std::snprintf(
      line, sizeof line,
      "step %lld/%lld  loss %.4f  lr %.2e  |g| %.2f  %.0f tok/s  zeros %.1f%%  flips %.0f  "
      "%s left",
      static_cast<long long>(report.step), static_cast<long long>(steps_), report.loss,
      report.learning_rate, report.gradient_norm, report.tokens_per_second, 100 * report.sparsity,
      report.flips_per_step, duration(left).c_str());
  std::cerr << (draws_ ? "\r\x1b[K" : "") << line << (draws_ ? "" : "\n") << std::flush;
}

void RunLog::on_evaluation(const EvaluationReport& report) {
  append(Json{{"event", "evaluation"},
              {"step", report.step},
              {"dev_loss", report.loss},
              {"dev_perplexity", std::exp(report.loss)},
              {"dev_bits_per_byte", report.bits_per_byte},
              {"best", report.best}}
             .dump());
  char line[160];
  std::snprintf(
      line, sizeof line, "%sstep %lld: dev loss %.4f, perplexity %.2f, %.4f bits per byte%s\n",
      draws_ ? "\r\x1b[K" : "", static_cast<long long>(report.step), report.loss,
      std::exp(report.loss), report.bits_per_byte, report.best ? ", the best so far" : "");
  std::cout << line << std::flush;
}

void RunLog::on_checkpoint(std::int64_t step, const std::filesystem::path& folder) {
  step_ = step;
  append(
      Json{{"event", "checkpoint"}, {"step", step}, {"folder", folder.filename().string()}}.dump());
  write_samples(step, folder);
}

/// The engine continues the prompts: what is trained here runs there.
void RunLog::write_samples(std::int64_t step, const std::filesystem::path& folder) {
  if (prompts_.empty() || !options_.quantize) {
    return;
  }
  const bool is_adapter = options_.lora_rank != 0;
  const Checkpoint checkpoint = open_checkpoint(is_adapter ? options_.from : folder);
  LoadOptions loading;
  if (is_adapter) {
    loading.lora = {{load_lora(folder)}};
  }
  const auto model = load_model(checkpoint, Runtime::serial(), loading);
  const Tokenizer tokenizer = load_tokenizer(checkpoint);
  for (const std::string& prompt : prompts_) {
    Session session(*model, &tokenizer);
    const GenerationResult result = session.generate(
        prompt, {.max_new_tokens = 60, .temperature = 0.7F, .top_p = 0.9F, .seed = 1});
    append(
        Json{{"event", "sample"}, {"step", step}, {"prompt", prompt}, {"text", result.text}}.dump(
            -1, ' ', false, Json::error_handler_t::replace));
    std::cout << prompt << result.text << '\n' << std::flush;
  }
}

bool RunLog::should_stop() {
  const sigset_t signals = stop_signals();
  const timespec now{};
  if (!interrupted && sigtimedwait(&signals, nullptr, &now) < 0) {
    return false;
  }
  let_signals_kill();  // a second one, while the run is saved
  return true;
}

void RunLog::finish(TrainingEnd end) {
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start_;
  append(Json{{"event", "finish"},
              {"step", step_},
              {"reason", to_string(end)},
              {"seconds", spent.count()}}
             .dump(),
         true);
  std::cout << message(draws_ ? "\n" : "", "finished (", to_string(end), ") after ",
                       duration(spent.count()), "; the model: ", options_.output.string(), "\n");
}

void RunLog::append(const std::string& line, bool is_final) {
  std::ofstream file(metrics_, std::ios::app);
  file << line << '\n';
  if (!file.flush()) {
    throw IoError(message(metrics_.string(), ": cannot be written"));
  }
  file.close();
  const auto time = std::chrono::steady_clock::now();
  if (is_final || time - reported_ >= kReportInterval) {
    write_training_report(metrics_, options_.output / "report.html");
    reported_ = time;
  }
}

}  // namespace bitnet::train
