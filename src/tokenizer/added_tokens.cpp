// SPDX-License-Identifier: MIT
#include "tokenizer/added_tokens.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>

#include "tokenizer/code_points.h"

namespace bitnet {

namespace {

bool holds(std::span<const TextRange> ranges, TextRange part) {
  const auto behind = std::ranges::upper_bound(ranges, part.begin, {}, &TextRange::begin);
  return behind != ranges.begin() && part.end <= std::prev(behind)->end;
}

}  // namespace

std::vector<TextRange> clipped(std::span<const TextRange> ranges, TextRange window) {
  std::vector<TextRange> inside;
  auto range = std::ranges::upper_bound(ranges, window.begin, {}, &TextRange::end);
  for (; range != ranges.end() && range->begin < window.end; ++range) {
    inside.push_back({std::max(range->begin, window.begin) - window.begin,
                      std::min(range->end, window.end) - window.begin});
  }
  return inside;
}

AddedTokens::AddedTokens(std::vector<Entry> entries) : entries_(std::move(entries)) {
  std::erase_if(entries_, [](const Entry& entry) { return entry.text.empty(); });
  std::ranges::sort(entries_, {}, &Entry::text);
  for (const Entry& entry : entries_) {
    begins_token_[static_cast<unsigned char>(entry.text[0])] = true;
  }
}

const AddedTokens::Entry* AddedTokens::longest_match(std::string_view text) const {
  // Entries that agree with the text so far stand together; each byte narrows them down.
  std::span<const Entry> candidates = entries_;
  const Entry* longest = nullptr;
  for (std::size_t at = 0; at < text.size() && !candidates.empty(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const auto byte_of = [&](const Entry& entry) {
      return static_cast<unsigned char>(entry.text[at]);
    };
    const auto begin = std::ranges::lower_bound(candidates, byte, {}, byte_of);
    const auto end = std::ranges::upper_bound(candidates, byte, {}, byte_of);
    candidates = {begin, end};
    if (!candidates.empty() && candidates.front().text.size() == at + 1) {
      longest = &candidates.front();
      candidates = candidates.subspan(1);
    }
  }
  return longest;
}

std::vector<TextPart> AddedTokens::split(std::string_view text,
                                         std::span<const TextRange> control) const {
  std::vector<TextPart> parts;
  std::size_t done = 0;  // text up to here is in parts
  for (std::size_t at = 0; at < text.size();) {
    const Entry* const match = begins_token_[static_cast<unsigned char>(text[at])]
                                   ? longest_match(text.substr(at))
                                   : nullptr;
    if (match == nullptr) {
      ++at;
      continue;
    }
    std::size_t begin = at;
    std::size_t end = at + match->text.size();
    at = end;
    const std::string_view before = text.substr(0, begin);
    const std::string_view behind = text.substr(end);
    if ((match->is_control && !holds(control, {begin, end})) ||
        (match->token.single_word && (ends_with_word(before) || starts_with_word(behind)))) {
      continue;
    }
    if (match->token.lstrip) {
      begin = std::max(done, begin - trailing_space(before));
    }
    if (match->token.rstrip) {
      end += leading_space(behind);
    }
    if (done < begin) {
      parts.push_back({text.substr(done, begin - done), std::nullopt});
    }
    parts.push_back({text.substr(begin, end - begin), match->token.id});
    done = end;
  }
  if (done < text.size()) {
    parts.push_back({text.substr(done), std::nullopt});
  }
  return parts;
}

}  // namespace bitnet
