// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/train/batches.h>

#include <algorithm>
#include <utility>

#include "base/message.h"
#include "corpus/random.h"

namespace bitnet::train {
namespace {

/// Batches whose documents are sorted by length together: enough to find alike ones, few enough to
/// stay random.
constexpr std::uint64_t kPoolBatches = 64;

/// What a seed and an epoch give keys for.
enum class Draw : std::uint64_t { offset, windows, documents, batches };

std::uint64_t key(std::uint64_t seed, std::uint64_t epoch, Draw draw) {
  return random_at(random_at(seed, epoch), static_cast<std::uint64_t>(draw));
}

void check(const BatchOptions& options) {
  if (options.rows == 0 || options.columns == 0) {
    throw InvalidArgument(message("batches: expected at least one row and column, found ",
                                  options.rows, " x ", options.columns));
  }
}

Batch padding(std::size_t rows, std::size_t columns) {
  return {rows, columns, std::vector<std::int32_t>(rows * columns, 0),
          std::vector<std::int32_t>(rows * columns, kIgnoredTarget)};
}

/// `inputs` tokens from `begin` on; behind the file's last token comes its first.
void fill_row(const TokenFile& file, std::uint64_t begin, std::size_t inputs, std::size_t row,
              Batch& batch) {
  std::uint64_t at = begin % file.size();
  for (std::size_t i = row * batch.columns; i < row * batch.columns + inputs; ++i) {
    batch.inputs[i] = static_cast<std::int32_t>(file[at]);
    at = at + 1 == file.size() ? 0 : at + 1;
    if (file.is_target(at)) {
      batch.targets[i] = static_cast<std::int32_t>(file[at]);
    }
  }
}

std::uint64_t quotient_rounded_up(std::uint64_t dividend, std::uint64_t divisor) {
  return (dividend + divisor - 1) / divisor;
}

/// Whether any of the tokens (begin, end) is to be predicted.
bool has_target(const TokenFile& file, std::uint64_t begin, std::uint64_t end) {
  for (std::uint64_t i = begin + 1; i < end; ++i) {
    if (file.is_target(i)) {
      return true;
    }
  }
  return false;
}

/// The end of a row of at most `columns` inputs, and a target behind them, of the tokens [begin,
/// end).
std::uint64_t row_end(std::uint64_t begin, std::uint64_t end, std::size_t columns) {
  return end - begin - 1 <= columns ? end : begin + columns + 1;
}

}  // namespace

BatchLayout layout_of(const TokenFile& file) {
  return file.has_prompts() ? BatchLayout::documents : BatchLayout::stream;
}

BatchSampler::BatchSampler(TokenFile file, const BatchOptions& options)
    : file_(std::move(file)), options_(options) {
  check(options);
  if (options.layout == BatchLayout::stream) {
    windows_ = (file_.size() - 1) / options.columns;
    if (windows_ == 0) {
      throw InvalidArgument(message(file_.path().string(), ": expected more than ", options.columns,
                                    " tokens, found ", file_.size()));
    }
    return;
  }
  for (std::uint64_t i = 0; i < file_.documents(); ++i) {
    const std::uint64_t begin = file_.starts()[i];
    if (has_target(file_, begin, row_end(begin, file_.starts()[i + 1], options.columns))) {
      documents_.push_back(i);
    }
  }
  if (documents_.empty()) {
    throw InvalidArgument(message(file_.path().string(),
                                  ": expected a document with something to predict within ",
                                  options.columns, " tokens, found none"));
  }
}

std::uint64_t BatchSampler::batches_per_epoch() const {
  const bool is_stream = options_.layout == BatchLayout::stream;
  return quotient_rounded_up(is_stream ? windows_ : documents_.size(), options_.rows);
}

Batch BatchSampler::batch(std::uint64_t index) const {
  return options_.layout == BatchLayout::stream ? stream_batch(index) : document_batch(index);
}

Batch BatchSampler::stream_batch(std::uint64_t index) const {
  Batch batch = padding(options_.rows, options_.columns);
  for (std::size_t row = 0; row < batch.rows; ++row) {
    const std::uint64_t visit = index * options_.rows + row;
    const std::uint64_t epoch = visit / windows_;
    const Permutation order(windows_, key(options_.seed, epoch, Draw::windows));
    const std::uint64_t offset = key(options_.seed, epoch, Draw::offset) % file_.size();
    fill_row(file_, offset + order(visit % windows_) * options_.columns, options_.columns, row,
             batch);
  }
  return batch;
}

Batch BatchSampler::document_batch(std::uint64_t index) const {
  const std::uint64_t batches = batches_per_epoch();
  const std::uint64_t epoch = index / batches;
  const Permutation batch_order(batches, key(options_.seed, epoch, Draw::batches));
  const Permutation order(documents_.size(), key(options_.seed, epoch, Draw::documents));
  const std::uint64_t chosen = batch_order(index % batches);
  const std::uint64_t pool = chosen / kPoolBatches;
  const std::uint64_t pool_end = std::min((pool + 1) * kPoolBatches, batches) * options_.rows;

  struct Row {
    std::uint64_t begin;
    std::size_t inputs;
  };
  std::vector<Row> rows;
  for (std::uint64_t i = pool * kPoolBatches * options_.rows; i < pool_end; ++i) {
    const std::uint64_t document = documents_[order(i % documents_.size())];
    const std::uint64_t begin = file_.starts()[document];
    const std::uint64_t end = row_end(begin, file_.starts()[document + 1], options_.columns);
    rows.push_back({begin, end - begin - 1});
  }
  std::ranges::stable_sort(rows, {}, &Row::inputs);
  const auto first =
      rows.begin() + static_cast<std::ptrdiff_t>(chosen % kPoolBatches * options_.rows);
  Batch batch =
      padding(options_.rows, first[static_cast<std::ptrdiff_t>(options_.rows) - 1].inputs);
  for (std::size_t row = 0; row < batch.rows; ++row) {
    const Row& source = first[static_cast<std::ptrdiff_t>(row)];
    fill_row(file_, source.begin, source.inputs, row, batch);
  }
  return batch;
}

SequentialWindows::SequentialWindows(TokenFile file, const BatchOptions& options)
    : file_(std::move(file)), options_(options) {
  check(options);
  const std::uint64_t columns = options.columns;
  if (options.layout == BatchLayout::stream) {
    const std::uint64_t whole = columns < 2 ? 0 : file_.size() / columns;
    for (std::uint64_t i = 0; i < whole; ++i) {
      windows_.push_back({i * columns, (i + 1) * columns});
    }
  } else {
    for (std::uint64_t i = 0; i < file_.documents(); ++i) {
      const std::uint64_t document_end = file_.starts()[i + 1];
      std::uint64_t begin = file_.starts()[i];
      while (begin + 1 < document_end) {
        const std::uint64_t end = row_end(begin, document_end, options.columns);
        if (has_target(file_, begin, end)) {
          windows_.push_back({begin, end});
        }
        begin = end - 1;
      }
    }
  }
  if (windows_.empty()) {
    throw InvalidArgument(message(file_.path().string(), ": expected a window of ", columns,
                                  " tokens with something to predict, found none among ",
                                  file_.size(), " tokens"));
  }
}

std::size_t SequentialWindows::batches() const {
  return quotient_rounded_up(windows_.size(), options_.rows);
}

Batch SequentialWindows::batch(std::size_t index) const {
  if (index >= batches()) {
    throw InvalidArgument(
        message("windows: expected a batch below ", batches(), ", found ", index));
  }
  const std::size_t first = index * options_.rows;
  const std::size_t rows = std::min(options_.rows, windows_.size() - first);
  std::uint64_t widest = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    const Window& window = windows_[first + row];
    widest = std::max(widest, window.end - window.begin - 1);
  }
  Batch batch = padding(rows, widest);
  for (std::size_t row = 0; row < rows; ++row) {
    const Window& window = windows_[first + row];
    fill_row(file_, window.begin, window.end - window.begin - 1, row, batch);
  }
  return batch;
}

}  // namespace bitnet::train
