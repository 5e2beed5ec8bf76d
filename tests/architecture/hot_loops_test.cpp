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

/// Innermost loops, from the target of a jump backwards to the jump, that hold `mnemonic`. A jump
/// back across the function's end comes from rare code behind it, not from a loop.
std::vector<std::vector<std::string>> loops_with(const std::vector<Instruction>& function,
                                                 const std::string& mnemonic) {
  static const std::regex kJump(R"(^(?:j\w+|b\.\w+|cbn?z\s+\w+,)\s+([0-9a-f]+)\b.*)");
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
    if (std::any_of(first, function.begin() + static_cast<std::ptrdiff_t>(end),
                    [](const Instruction& i) { return i.text.starts_with("ret"); })) {
      continue;
    }
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
  std::string source;
  std::string function;
  std::string mnemonic;  // tells the loop from others of the function
  std::size_t instructions;
  bool prefetches;
  std::ptrdiff_t spills = 0;  // sums stored to the stack in each pass
};

void PrintTo(const HotLoop& loop, std::ostream* out) {
  *out << loop.source << ": " << loop.function;
}

class HotLoops : public testing::TestWithParam<HotLoop> {};

TEST_P(HotLoops, KeepTheirSumsInRegistersAndTheirPrefetches) {
  static const std::regex kStoreToStack(
      R"(%[zy]mm\d+,-?(0x[0-9a-f]+)?\(%r[sb]p|^st[rp]\s+[qd]\d+.*\[sp)");
  static const std::regex kPrefetch("^prefetch|^prfu?m");
#if !defined(NDEBUG)
  GTEST_SKIP() << "not what users run";
#endif
  const HotLoop& expected = GetParam();
  const std::string object = object_of(expected.source);
  if (object.empty()) GTEST_SKIP() << "this build has no " << expected.source;
  std::size_t loops = 0;
  std::size_t longest = 0;
  bool prefetches = false;
  for (const auto& [name, instructions] : disassemble(object)) {
    if (name.find(expected.function) == std::string::npos) continue;
    for (const std::vector<std::string>& loop : loops_with(instructions, expected.mnemonic)) {
      ++loops;
      longest = std::max(longest, loop.size());
      prefetches = prefetches || count(loop, kPrefetch) != 0;
      EXPECT_LE(count(loop, kStoreToStack), expected.spills) << joined(loop);
      if (kGcc == 12) {
        EXPECT_LE(loop.size() * 100, expected.instructions * 115) << joined(loop);
      }
    }
  }
  RecordProperty("instructions", std::to_string(longest));
  EXPECT_NE(loops, 0U) << "found no loop of " << expected.function;
  EXPECT_TRUE(prefetches || !expected.prefetches);
}

std::string loop_name(const testing::TestParamInfo<HotLoop>& info) {
  std::string name = info.param.source.substr(info.param.source.find('/')) + info.param.function;
  std::erase_if(name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; });
  return name;
}

constexpr const char* kVbmi = "kernels/avx512_vbmi.cpp";

HotLoop avx512(std::string function, std::size_t instructions, bool prefetches,
               std::ptrdiff_t spills = 0) {
  return {kVbmi, std::move(function), "vpdpbusd", instructions, prefetches, spills};
}

INSTANTIATE_TEST_SUITE_P(
    Avx512, HotLoops,
    testing::Values(avx512("multiply_panel<(bitnet::TileLayout)2, 1ul>", 44, true),
                    avx512("multiply_panel<(bitnet::TileLayout)0, 1ul>", 72, true),
                    avx512("multiply_panel<(bitnet::TileLayout)0, 8ul>", 167, true),
                    avx512("multiply_panel<(bitnet::TileLayout)1, 8ul>", 121, true),
                    // GCC 12 copies the operand that vpdpbusd adds to, and runs out of registers.
                    avx512("multiply_panel<(bitnet::TileLayout)2, 8ul>", 156, true, 1),
                    avx512("multiply_unpacked_tokens<(bitnet::TileLayout)2>", 165, false, 4),
                    avx512("look_up_units<(bitnet::TileLayout)2, true, false>", 335, false, 1),
                    avx512("nibble_dot", 26, true),
                    HotLoop{kVbmi, "dot_tile<4ul, 4ul>", "vfmadd", 28, false},
                    avx512("dot_q6_k_tiled", 106, true),
                    HotLoop{kVbmi, "dot_q6_k_tiles<4ul>", "vpdpwssd", 248, false},
                    HotLoop{kVbmi, "sum_block<4ul, 4ul, true, unsigned short>", "vfmadd", 34, true},
                    HotLoop{kVbmi, "add_block<4ul, 4ul, true>", "vfmadd", 31, true},
                    HotLoop{kVbmi, "add_block<4ul, 4ul, false>", "vfmadd", 28, false}),
    loop_name);

constexpr const char* kNeon = "kernels/neon.cpp";
constexpr const char* kDotprod = "kernels/neon_dotprod.cpp";
constexpr const char* kI8mm = "kernels/neon_i8mm.cpp";

INSTANTIATE_TEST_SUITE_P(
    Neon, HotLoops,
    testing::Values(
        HotLoop{kNeon, "multiply_panel<(bitnet::TileLayout)1, 4ul>", "smlal", 130, true},
        HotLoop{kNeon, "look_up_panel<(bitnet::TileLayout)1>", "ldrh", 57, false},
        HotLoop{kDotprod, "multiply_panel<(bitnet::TileLayout)0, 1ul>", "sdot", 64, true},
        HotLoop{kDotprod, "multiply_panel<(bitnet::TileLayout)1, 8ul>", "sdot", 89, true},
        HotLoop{kDotprod, "nibble_dot", "sdot", 39, true},
        HotLoop{kI8mm, "multiply_panel<(bitnet::TileLayout)1, 4ul>", "usmmla", 50, false},
        HotLoop{kI8mm, "multiply_panel<(bitnet::TileLayout)1, 8ul>", "usmmla", 75, false},
        HotLoop{kI8mm, "multiply_panel<(bitnet::TileLayout)0, 8ul>", "usmmla", 144, false}),
    loop_name);

}  // namespace
}  // namespace bitnet::architecture
