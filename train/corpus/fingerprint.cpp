// SPDX-License-Identifier: MIT
#include "corpus/fingerprint.h"

#include <bitnet/error.h>

#include <cstdint>
#include <cstdio>
#include <string_view>
#include <system_error>

#include "base/message.h"

namespace bitnet::train {
namespace {

namespace fs = std::filesystem;

/// FNV-1a, 64 bits.
class Hash {
 public:
  void add(std::uint64_t number) {
    for (int shift = 0; shift < 64; shift += 8) {
      add_byte(number >> shift & 0xff);
    }
  }
  void add(std::string_view text) {
    add(text.size());
    for (const char byte : text) {
      add_byte(static_cast<unsigned char>(byte));
    }
  }
  std::string hexadecimal() const {
    char digits[17];
    std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(value_));
    return digits;
  }

 private:
  void add_byte(std::uint64_t byte) { value_ = (value_ ^ byte) * 0x100000001b3; }
  std::uint64_t value_ = 0xcbf29ce484222325;
};

void add_encoded(const Tokenizer& tokenizer, std::string_view text, Hash& hash) {
  try {
    for (const TokenId id : tokenizer.encode(text)) {
      hash.add(id);
    }
  } catch (const InvalidArgument&) {
    hash.add("cannot be encoded");  // a vocabulary without all bytes
  }
}

}  // namespace

std::string fingerprint(const Tokenizer& tokenizer) {
  constexpr std::uint64_t kLayoutOfDocuments = 2;  // another number makes all token files stale
  Hash hash;
  hash.add(kLayoutOfDocuments);
  std::string words;
  for (TokenId id = 0; id < tokenizer.vocab_size(); ++id) {
    const std::string bytes = tokenizer.token_bytes(id);
    hash.add(bytes);
    hash.add(tokenizer.is_special(id) ? 1 : 0);
    words += bytes + ' ';
  }
  hash.add(tokenizer.eos() ? *tokenizer.eos() : ~std::uint64_t{0});
  // Which tokens are joined, where text is cut and what stands in front of it shows in what becomes
  // of all tokens.
  add_encoded(tokenizer, "The  quick\tbrown fox's 1234 jumps\n\n over: it\u00b4s \u6f22\u5b57!",
              hash);
  add_encoded(tokenizer, words, hash);
  return hash.hexadecimal();
}

std::string fingerprint(const std::vector<fs::path>& files) {
  Hash hash;
  for (const fs::path& file : files) {
    std::error_code error;
    hash.add(fs::absolute(file).lexically_normal().string());
    const std::uintmax_t size = fs::file_size(file, error);
    const auto time = error ? fs::file_time_type() : fs::last_write_time(file, error);
    if (error) {
      throw IoError(message(file.string(), ": cannot look at: ", error.message()));
    }
    hash.add(size);
    hash.add(static_cast<std::uint64_t>(time.time_since_epoch().count()));
  }
  return hash.hexadecimal();
}

}  // namespace bitnet::train
