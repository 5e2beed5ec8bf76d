// SPDX-License-Identifier: MIT
// Batches of a TokenFile: for training in a random order, for evaluation one after the other.
#pragma once

#include <bitnet/train/token_file.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bitnet::train {

/// The target where nothing is to be predicted: padding, and prompts. Torch's ignore_index.
inline constexpr std::int32_t kIgnoredTarget = -100;

struct Batch {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::vector<std::int32_t> inputs;   ///< [rows, columns]; 0 where padded
  std::vector<std::int32_t> targets;  ///< [rows, columns]: the token behind the input
};

enum class BatchLayout {
  /// Documents joined to one stream, its end to its beginning, and cut into rows of `columns`
  /// inputs. Each epoch begins to cut at another place, and visits its rows in another order; the
  /// columns' remainder is left out.
  stream,
  /// A row is a document, cut at `columns`. Documents of similar length share a batch, which is as
  /// wide as its longest. Left out are documents that have nothing to predict.
  documents,
};

/// documents where there are prompts, else stream.
BatchLayout layout_of(const TokenFile& file);

struct BatchOptions {
  std::size_t rows = 8;
  std::size_t columns = 256;
  std::uint64_t seed = 0;
  BatchLayout layout = BatchLayout::stream;
};

/// Batches of endlessly many epochs. A batch is a function of the file, the options and its index
/// alone: a run that is resumed continues as if it had never stopped, on any machine.
class BatchSampler {
 public:
  /// InvalidArgument for no rows or columns, and for a file without a single row.
  BatchSampler(TokenFile file, const BatchOptions& options);

  /// Always options.rows rows. May be called from many threads at once.
  Batch batch(std::uint64_t index) const;
  /// So many see everything once (stream: rounded up, the next epoch fills the last batch;
  /// documents: the last batch is filled with documents of the same epoch).
  std::uint64_t batches_per_epoch() const;

 private:
  Batch stream_batch(std::uint64_t index) const;
  Batch document_batch(std::uint64_t index) const;

  TokenFile file_;
  BatchOptions options_;
  std::uint64_t windows_ = 0;             ///< stream: rows of an epoch
  std::vector<std::uint64_t> documents_;  ///< documents: those with something to predict
};

/// Everything once, in order: for evaluation.
class SequentialWindows {
 public:
  /// `seed` is not used. stream: windows of `columns` tokens side by side, the incomplete last one
  /// dropped; each token but a window's first is predicted, as by PerplexityMethod::windows.
  /// documents: windows of `columns` inputs of one document each, every token but a document's
  /// first is predicted once, unless it is a prompt's. InvalidArgument as for BatchSampler.
  SequentialWindows(TokenFile file, const BatchOptions& options);

  std::size_t batches() const;
  /// options.rows rows, the last batch perhaps fewer; as wide as its longest.
  Batch batch(std::size_t index) const;

 private:
  TokenFile file_;
  BatchOptions options_;
  /// documents: where each begins and ends; its last token is only a target. stream: none.
  struct Window {
    std::uint64_t begin;
    std::uint64_t end;
  };
  std::vector<Window> windows_;
};

}  // namespace bitnet::train
