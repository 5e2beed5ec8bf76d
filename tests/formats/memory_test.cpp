// SPDX-License-Identifier: MIT
// What opening a file costs. Oracle: the bytes that operator new hands out, against the bound that
// docs/formats states; the files are the worst that the formats allow, put together by hand.
#include <bitnet/error.h>
#include <gtest/gtest.h>

#include <sstream>
#include <utility>

#include "base/message.h"
#include "formats/byte_string.h"
#include "formats/gguf_reader.h"
#include "formats/safetensors.h"
#include "reference/counted_memory.h"

namespace bitnet {
namespace {

using test::ByteString;

constexpr std::size_t kFixedBytes = 4096;  // messages and the like, whatever the file's size
constexpr std::size_t kGgufFactor = 15;
constexpr std::size_t kSafetensorsFactor = 45;

enum class Outcome { opens, is_refused };

template <class Parse>
void expect_at_most(std::size_t factor, const ByteString& file, Outcome expected,
                    const Parse& parse) {
  const test::PeakOfLiveBytes peak;
  Outcome outcome = Outcome::opens;
  try {
    parse(file.bytes());
  } catch (const Error&) {
    outcome = Outcome::is_refused;
  }
  const std::size_t bytes = peak.bytes();
  EXPECT_EQ(outcome, expected);
  EXPECT_GT(bytes, 0U);
  EXPECT_LE(bytes, factor * file.size() + kFixedBytes);
}

void expect_gguf(const ByteString& file, Outcome expected) {
  expect_at_most(kGgufFactor, file, expected,
                 [](std::span<const std::byte> bytes) { parse_gguf(bytes, "m"); });
}
void expect_safetensors(const std::string& header, Outcome expected) {
  expect_at_most(kSafetensorsFactor, ByteString().u64(header.size()).text(header), expected,
                 [](std::span<const std::byte> bytes) { parse_safetensors(bytes, "m"); });
}

constexpr std::size_t kMany = 20'000;

ByteString gguf(std::uint64_t tensors, std::uint64_t key_values) {
  return ByteString().text("GGUF").u32(3).u64(tensors).u64(key_values);
}
/// Up to the elements.
ByteString gguf_array(std::uint32_t type, std::uint64_t count) {
  return gguf(0, 1).string("k").u32(9).u32(type).u64(count);
}

/// Short names that differ.
std::string name(std::size_t i) {
  std::string text;
  for (; i > 0 || text.empty(); i /= 26) {
    text += static_cast<char>('a' + i % 26);
  }
  return text;
}

TEST(MemoryOfGguf, Arrays) {
  expect_gguf(gguf_array(8, kMany).zeros(8 * kMany), Outcome::opens);
  expect_gguf(gguf_array(0, kMany).zeros(kMany), Outcome::opens);
  expect_gguf(gguf_array(6, kMany).zeros(4 * kMany), Outcome::opens);
  ByteString strings = gguf_array(8, kMany);
  for (std::size_t i = 0; i < kMany; ++i) {
    strings.string("sixteen letters.");  // one more than a std::string holds by itself
  }
  expect_gguf(strings, Outcome::opens);
}

TEST(MemoryOfGguf, CountsThatTheFileDoesNotKeep) {
  // As many empty strings as could fit, but the first one takes all bytes.
  expect_gguf(gguf_array(8, kMany).u64(8 * kMany - 8).zeros(8 * kMany - 8), Outcome::is_refused);
  expect_gguf(gguf(kMany, 0).zeros(24 * kMany), Outcome::is_refused);
  expect_gguf(gguf(0, kMany).zeros(13 * kMany), Outcome::is_refused);
}

TEST(MemoryOfGguf, KeyValues) {
  ByteString file = gguf(0, kMany);
  for (std::size_t i = 0; i < kMany; ++i) {
    file.string(name(i)).u32(0).number(std::uint8_t{1});
  }
  expect_gguf(file, Outcome::opens);
}

TEST(MemoryOfGguf, Tensors) {
  ByteString empty = gguf(kMany, 0);
  for (std::size_t i = 0; i < kMany; ++i) {
    empty.string(name(i)).u32(1).u64(0).u32(0).u64(0);
  }
  expect_gguf(empty.pad_to(32), Outcome::opens);

  // In the wrong order and with gaps, so that each has a warning.
  ByteString scattered = gguf(kMany, 0);
  for (std::size_t i = 0; i < kMany; ++i) {
    scattered.string(name(i)).u32(0).u32(24).u64(64 * (kMany - i));
  }
  expect_gguf(scattered.pad_to(32).zeros(64 * (kMany + 1)), Outcome::opens);
}

/// Elements 0 .. kMany - 1 with commas between them.
template <class Element>
std::string joined(const Element& element) {
  std::ostringstream text;
  for (std::size_t i = 0; i < kMany; ++i) {
    text << (i == 0 ? "" : ",") << element(i);
  }
  return std::move(text).str();
}

TEST(MemoryOfSafetensors, Headers) {
  const std::string tensors = joined([](std::size_t i) {
    return message('"', name(i), R"(":{"dtype":"I8","shape":[0],"data_offsets":[0,0]})");
  });
  const std::string objects = joined([](std::size_t i) { return message('"', name(i), "\":{}"); });
  const std::string texts = joined([](std::size_t i) { return message('"', name(i), "\":\"\""); });
  expect_safetensors(message('{', tensors, '}'), Outcome::opens);
  expect_safetensors(message("{\"__metadata__\":{", texts, "}}"), Outcome::opens);
  expect_safetensors(message('{', objects, '}'), Outcome::is_refused);
  for (const char* element : {"0", "[]", "[0]", "{}", "{\"\":0}"}) {
    const std::string elements = joined([&](std::size_t) { return element; });
    expect_safetensors(message("{\"a\":[", elements, "]}"), Outcome::is_refused);
  }
}

}  // namespace
}  // namespace bitnet
