// SPDX-License-Identifier: MIT
// Oracle: objdump, run on the kernels as they were built. Compilers have dropped prefetches and
// spilled sums here without a word, each for half of the speed, and no result tells.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "architecture/built_objects.h"

namespace bitnet::architecture {
namespace {

struct Instruction {
  unsigned long address;
  std::string text;  // "vpdpbusd (%rsi),%zmm1,%zmm2"
};

/// Instructions by demangled function.
std::map<std::string, std::vector<Instruction>> disassemble(const std::string& object) {
  static const std::regex kFunction(R"(^[0-9a-f]+ <(.*)>:$)");
  static const std::regex kInstruction(R"(^ *([0-9a-f]+):\t(.*\S)\s*$)");
  std::map<std::string, std::vector<Instruction>> functions;
  std::vector<Instruction>* current = nullptr;
  std::istringstream lines(
      output_of(BITNET_OBJDUMP " --disassemble --demangle --no-show-raw-insn '" + object + "'"));
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (line.size() < 2000 && line.ends_with(">:") && std::regex_match(line, match, kFunction)) {
      current = &functions[match[1]];
    } else if (current != nullptr && std::regex_match(line, match, kInstruction)) {
      current->push_back({std::stoul(match[1], nullptr, 16), match[2]});
    }
  }
  return functions;
}

/// Innermost loops, from the target of a jump backwards to the jump, that hold `mnemonic`.
std::vector<std::vector<std::string>> loops_with(const std::vector<Instruction>& function,
                                                 const std::string& mnemonic) {
  static const std::regex kJump(R"(^j\w+\s+([0-9a-f]+)\b.*)");
  std::vector<std::vector<std::string>> loops;
  std::size_t inner_end = 0;  // loops end in order; an outer one encloses what ended before
  for (std::size_t end = 0; end < function.size(); ++end) {
    std::smatch match;
    if (!std::regex_match(function[end].text, match, kJump)) continue;
    const unsigned long target = std::stoul(match[1], nullptr, 16);
    if (target > function[end].address) continue;
    const auto first = std::ranges::find(function, target, &Instruction::address);
    const auto begin = static_cast<std::size_t>(first - function.begin());
    if (begin < inner_end || begin > end) continue;
    inner_end = end + 1;
    std::vector<std::string> loop;
    for (std::size_t i = begin; i <= end; ++i) {
      loop.push_back(function[i].text);
    }
    if (std::ranges::any_of(loop, [&](const auto& text) { return text.starts_with(mnemonic); })) {
      loops.push_back(std::move(loop));
    }
  }
  return loops;
}

std::string joined(const std::vector<std::string>& loop) {
  std::string text;
  for (const std::string& instruction : loop) {
    text += instruction + '\n';
  }
  return text;
}

std::ptrdiff_t count(const std::vector<std::string>& loop, const std::regex& pattern) {
  return std::ranges::count_if(
      loop, [&](const std::string& text) { return std::regex_search(text, pattern); });
}

#if defined(__GNUC__) && !defined(__clang__)
constexpr int kGcc = __GNUC__;
#else
constexpr int kGcc = 0;
#endif

/// Instructions of a loop as GCC 12 makes them today; 15 % more are a reason to look.
struct HotLoop {
  std::string function;
  std::size_t instructions;
  bool prefetches;
  std::ptrdiff_t spills = 0;  // sums stored to the stack in each pass
  std::string mnemonic = "vpdpbusd";
};

void PrintTo(const HotLoop& loop, std::ostream* out) { *out << loop.function; }

class HotLoops : public testing::TestWithParam<HotLoop> {};

TEST_P(HotLoops, KeepTheirSumsInRegistersAndTheirPrefetches) {
  static const std::regex kStoreToStack(R"(%[zy]mm\d+,-?(0x[0-9a-f]+)?\(%r[sb]p)");
  static const std::regex kPrefetch("^prefetch");
#if !defined(NDEBUG)
  GTEST_SKIP() << "not what users run";
#endif
  const std::string object = object_of("kernels/avx512_vbmi.cpp");
  if (object.empty()) GTEST_SKIP() << "this build has no AVX-512 kernels";
  static const auto functions = disassemble(object);
  const HotLoop& expected = GetParam();
  std::size_t loops = 0;
  bool prefetches = false;
  for (const auto& [name, instructions] : functions) {
    if (name.find(expected.function) == std::string::npos) continue;
    for (const std::vector<std::string>& loop : loops_with(instructions, expected.mnemonic)) {
      ++loops;
      prefetches = prefetches || count(loop, kPrefetch) != 0;
      EXPECT_LE(count(loop, kStoreToStack), expected.spills) << joined(loop);
      if (kGcc == 12) {
        EXPECT_LE(loop.size() * 100, expected.instructions * 115) << joined(loop);
      }
    }
  }
  EXPECT_NE(loops, 0U) << "found no loop of " << expected.function;
  EXPECT_EQ(prefetches, expected.prefetches);
}

INSTANTIATE_TEST_SUITE_P(
    Avx512, HotLoops,
    testing::Values(HotLoop{"multiply_panel<(bitnet::TileLayout)0, 1ul>", 58, true},
                    HotLoop{"multiply_panel<(bitnet::TileLayout)0, 8ul>", 159, false},
                    HotLoop{"multiply_panel<(bitnet::TileLayout)1, 8ul>", 114, false},
                    // GCC 12 copies the operand that vpdpbusd adds to, and runs out of registers.
                    HotLoop{"multiply_unpacked_tokens<(bitnet::TileLayout)0>", 162, false, 4},
                    HotLoop{"nibble_dot", 32, true},
                    HotLoop{"add_block<4ul, 4ul, true>", 31, true, 0, "vfmadd"},
                    HotLoop{"add_block<4ul, 4ul, false>", 28, false, 0, "vfmadd"}),
    [](const auto& info) {
      std::string name = info.param.function;
      std::erase_if(name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; });
      return name;
    });

}  // namespace
}  // namespace bitnet::architecture
