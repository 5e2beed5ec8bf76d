// SPDX-License-Identifier: MIT
#include "corpus/sentencepiece_model.h"

#include <bitnet/error.h>
#include <sentencepiece_trainer.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/message.h"
#include "corpus/document_reader.h"
#include "corpus/random.h"

namespace bitnet::train {
namespace {

namespace fs = std::filesystem;

/// SentencePiece skips longer ones.
constexpr std::size_t kMaxSentenceBytes = 4096;

/// Where to cut a line that is too long: in front of a space. Where there is none, a character may
/// be cut, too; SentencePiece passes over its halves.
std::size_t cut_of(std::string_view line) {
  const std::size_t space = line.rfind(' ', kMaxSentenceBytes);
  return space == 0 || space == std::string_view::npos ? kMaxSentenceBytes : space;
}

/// Pieces never reach across a line's end nor into a word from the one before: cutting there
/// changes nothing.
void add_sentences(std::string_view text, std::vector<std::string>& sentences) {
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find_first_of("\r\n"));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    while (!line.empty()) {
      const std::size_t length = line.size() > kMaxSentenceBytes ? cut_of(line) : line.size();
      sentences.emplace_back(line.substr(0, length));
      line.remove_prefix(length);
    }
  }
}

std::vector<std::string> read_sentences(const Sources& sources) {
  std::vector<std::string> sentences;
  for (const fs::path& file : source_files(sources)) {
    if (kind_of(file) == SourceKind::token_file) {
      throw InvalidArgument(message(file.string(), ": expected texts, found a token file"));
    }
    read_documents(file, [&](Document&& document) {
      add_sentences(document.prompt.value_or(""), sentences);
      add_sentences(document.text, sentences);
    });
  }
  return sentences;
}

/// As many in random order as fit. SentencePiece's own sampling draws from the machine's entropy.
std::vector<std::string> sample(std::vector<std::string> sentences, std::size_t max_bytes,
                                std::uint64_t seed) {
  std::size_t bytes = 0;
  for (const std::string& sentence : sentences) {
    bytes += sentence.size();
  }
  if (bytes <= max_bytes) {
    return sentences;
  }
  std::vector<std::string> chosen;
  const Permutation order(sentences.size(), seed);
  bytes = 0;
  for (std::size_t i = 0; i < sentences.size(); ++i) {
    std::string& sentence = sentences[order(i)];
    bytes += sentence.size();
    if (bytes > max_bytes) {
      break;
    }
    chosen.push_back(std::move(sentence));
  }
  return chosen;
}

class Sentences : public sentencepiece::SentenceIterator {
 public:
  explicit Sentences(const std::vector<std::string>& sentences) : sentences_(sentences) {}
  bool done() const override { return next_ == sentences_.size(); }
  void Next() override { ++next_; }
  const std::string& value() const override { return sentences_[next_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  const std::vector<std::string>& sentences_;
  std::size_t next_ = 0;
};

}  // namespace

std::string train_sentencepiece(const Sources& sources, const TokenizerTraining& options) {
  const std::vector<std::string> sentences =
      sample(read_sentences(sources), options.max_bytes, options.seed);
  if (sentences.empty()) {
    throw InvalidArgument("tokenizer training: expected texts, found none");
  }
  // No prefix: within a document, lines begin without a space, and a completion continues its
  // prompt as it stands.
  const std::unordered_map<std::string, std::string> parameters = {
      {"model_type", "bpe"},
      {"vocab_size", std::to_string(options.vocab_size)},
      {"character_coverage", std::to_string(options.character_coverage)},
      {"normalization_rule_name", "identity"},
      {"remove_extra_whitespaces", "false"},
      {"add_dummy_prefix", "false"},
      {"allow_whitespace_only_pieces", "true"},
      {"split_digits", "true"},
      {"byte_fallback", "true"},
      {"unk_id", "0"},
      {"bos_id", "1"},
      {"eos_id", "2"},
      {"pad_id", "3"},
      {"shuffle_input_sentence", "false"},
      {"max_sentence_length", std::to_string(kMaxSentenceBytes)},
      {"minloglevel", "2"},
  };
  Sentences iterator(sentences);
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train(parameters, &iterator, &model);
  if (!status.ok()) {
    throw InvalidArgument(message("tokenizer training: ", status.ToString()));
  }
  return model;
}

}  // namespace bitnet::train
