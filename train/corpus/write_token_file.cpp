// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/train/token_file.h>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <limits>
#include <map>
#include <system_error>
#include <utility>

#include "base/message.h"
#include "base/thread_pool.h"
#include "corpus/document_reader.h"
#include "corpus/fingerprint.h"
#include "formats/safetensors_writer.h"

namespace bitnet::train {
namespace {

namespace fs = std::filesystem;

/// Text that is tokenized at once: enough for all threads, little beside the tokens of a corpus.
constexpr std::size_t kTextAtOnce = std::size_t{32} << 20;

/// Writes `count` numbers, which `number_at` gives, without holding their bytes all at once.
template <class Number, class NumberAt>
void append_numbers(SafetensorsWriter& writer, std::size_t count, const NumberAt& number_at) {
  constexpr std::size_t kAtOnce = std::size_t{1} << 16;
  std::vector<Number> block;
  for (std::size_t begin = 0; begin < count; begin += block.size()) {
    block.resize(std::min(kAtOnce, count - begin));
    for (std::size_t i = 0; i < block.size(); ++i) {
      block[i] = static_cast<Number>(number_at(begin + i));
    }
    writer.append(std::as_bytes(std::span(block)));
  }
}

void require_tokenizer(const TokenFile& file, const std::string& expected) {
  if (file.tokenizer_fingerprint() != expected) {
    throw InvalidArgument(message(file.path().string(), ": expected tokens of the tokenizer ",
                                  expected, ", found those of '", file.tokenizer_fingerprint(),
                                  "'"));
  }
}

/// Collects the documents of all sources as tokens.
class Tokenization {
 public:
  Tokenization(const Tokenizer& tokenizer, const Runtime& runtime)
      : tokenizer_(tokenizer), runtime_(runtime), fingerprint_(fingerprint(tokenizer)) {}

  void add_file(const fs::path& file) {
    if (kind_of(file) == SourceKind::token_file) {
      flush();
      add_tokens(TokenFile(file));
      return;
    }
    read_documents(file, [&](Document&& document) {
      waiting_bytes_ += document.text.size() + (document.prompt ? document.prompt->size() : 0);
      waiting_.push_back(std::move(document));
      if (waiting_bytes_ >= kTextAtOnce) {
        flush();
      }
    });
  }

  void write(const fs::path& path, const std::string& sources) {
    flush();
    if (starts_.size() == 1) {
      throw InvalidArgument(
          message(path.string(), ": expected at least one document in its sources, found none"));
    }
    const bool is_narrow =
        tokenizer_.vocab_size() <= std::size_t{std::numeric_limits<std::uint16_t>::max()} + 1;
    std::vector<TensorDeclaration> tensors = {
        {"starts", Encoding::u64, {starts_.size()}},
        {"tokens", is_narrow ? Encoding::u16 : Encoding::u32, {tokens_.size()}}};
    if (!prompts_.empty()) {
      tensors.push_back({"is_target", Encoding::u8, {tokens_.size()}});
    }
    SafetensorsWriter writer(path, std::move(tensors),
                             {{"vocab_size", std::to_string(tokenizer_.vocab_size())},
                              {"tokenizer", fingerprint_},
                              {"sources", sources}});
    writer.append(std::as_bytes(std::span(starts_)));
    if (is_narrow) {
      append_numbers<std::uint16_t>(writer, tokens_.size(), [&](auto i) { return tokens_[i]; });
    } else {
      writer.append(std::as_bytes(std::span(tokens_)));
    }
    if (!prompts_.empty()) {
      auto next = prompts_.begin();
      append_numbers<std::uint8_t>(writer, tokens_.size(), [&](std::size_t i) {
        while (next != prompts_.end() && next->end <= i) {
          ++next;
        }
        return next != prompts_.end() && next->begin <= i ? 0 : 1;
      });
    }
    writer.commit();
  }

 private:
  struct Range {
    std::size_t begin;
    std::size_t end;
  };
  struct Encoded {
    std::vector<TokenId> ids;
    std::size_t prompt_size = 0;
  };

  /// A prompt is what it is when the model runs: with what the tokenizer puts around a text, which
  /// may be an EOS between it and the completion. Else BOS and EOS belong to the document.
  Encoded encode(const Document& document) const {
    constexpr EncodeOptions kPlain{.add_special = false};
    Encoded encoded;
    if (document.prompt) {
      encoded.ids = tokenizer_.encode(*document.prompt);
      encoded.prompt_size = encoded.ids.size();
    } else if (tokenizer_.adds_bos() && tokenizer_.bos()) {
      encoded.ids.push_back(*tokenizer_.bos());
    }
    const std::vector<TokenId> ids = tokenizer_.encode(document.text, kPlain);
    encoded.ids.insert(encoded.ids.end(), ids.begin(), ids.end());
    if (tokenizer_.eos()) {
      encoded.ids.push_back(*tokenizer_.eos());
    }
    return encoded;
  }

  void flush() {
    std::vector<Encoded> encoded(waiting_.size());
    std::vector<std::exception_ptr> errors(waiting_.size());
    runtime_.pool().parallel_for(waiting_.size(), [&](std::size_t i) {
      try {
        encoded[i] = encode(waiting_[i]);
      } catch (...) {
        errors[i] = std::current_exception();
      }
    });
    for (std::size_t i = 0; i < encoded.size(); ++i) {
      if (errors[i]) {
        std::rethrow_exception(errors[i]);
      }
      if (encoded[i].prompt_size != 0) {
        prompts_.push_back({tokens_.size(), tokens_.size() + encoded[i].prompt_size});
      }
      tokens_.insert(tokens_.end(), encoded[i].ids.begin(), encoded[i].ids.end());
      encoded[i] = {};
      end_document();
    }
    waiting_.clear();
    waiting_bytes_ = 0;
  }

  void add_tokens(const TokenFile& file) {
    require_tokenizer(file, fingerprint_);
    for (std::size_t document = 0; document < file.documents(); ++document) {
      for (std::size_t i = file.starts()[document]; i < file.starts()[document + 1]; ++i) {
        if (!file.is_target(i)) {
          prompts_.push_back({tokens_.size(), tokens_.size() + 1});
        }
        tokens_.push_back(file[i]);
      }
      end_document();
    }
  }

  /// Without BOS and EOS, a text may have no token at all.
  void end_document() {
    if (tokens_.size() > starts_.back()) {
      starts_.push_back(tokens_.size());
    }
  }

  const Tokenizer& tokenizer_;
  const Runtime& runtime_;
  std::string fingerprint_;
  std::vector<Document> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::vector<TokenId> tokens_;
  std::vector<std::uint64_t> starts_ = {0};
  std::vector<Range> prompts_;  ///< ascending
};

void tokenize(const fs::path& path, const Tokenizer& tokenizer, const std::vector<fs::path>& files,
              const Runtime& runtime) {
  std::error_code ignored;  // opening a file that is not there says so
  for (const fs::path& file : files) {
    if (fs::equivalent(path, file, ignored)) {
      throw InvalidArgument(
          message(path.string(), ": expected a token file that is none of its own sources"));
    }
  }
  const std::string sources = fingerprint(files);
  Tokenization tokenization(tokenizer, runtime);
  for (const fs::path& file : files) {
    tokenization.add_file(file);
  }
  tokenization.write(path, sources);
}

}  // namespace

void write_token_file(const fs::path& path, const Tokenizer& tokenizer, const Sources& sources,
                      const Runtime& runtime) {
  tokenize(path, tokenizer, source_files(sources), runtime);
}

TokenFile token_file_for(const Sources& sources, const Tokenizer& tokenizer, const fs::path& cache,
                         const Runtime& runtime) {
  const std::vector<fs::path> files = source_files(sources);
  if (files.size() == 1 && kind_of(files.front()) == SourceKind::token_file) {
    TokenFile file(files.front());
    require_tokenizer(file, fingerprint(tokenizer));
    return file;
  }
  std::error_code ignored;  // what cannot be looked at cannot be opened either, which says why
  if (fs::exists(cache, ignored)) {
    TokenFile file(cache);
    if (file.tokenizer_fingerprint() == fingerprint(tokenizer) &&
        file.sources_fingerprint() == fingerprint(files)) {
      return file;
    }
  }
  tokenize(cache, tokenizer, files, runtime);
  return TokenFile(cache);
}

}  // namespace bitnet::train
