// SPDX-License-Identifier: MIT
// Which kernels a Runtime uses. Oracle: the documented names and rules of bitnet/runtime.h.
#include <bitnet/error.h>
#include <bitnet/runtime.h>

#include <cstdlib>
#include <optional>
#include <set>

#include "kernels/each_table.h"

namespace bitnet {
namespace {

/// BITNET_ISA as given, put back at the end.
class ForcedIsa {
 public:
  explicit ForcedIsa(const char* value) {
    if (const char* found = std::getenv("BITNET_ISA")) {
      before_ = found;
    }
    set(value);
  }
  ~ForcedIsa() { set(before_ ? before_->c_str() : nullptr); }
  ForcedIsa(const ForcedIsa&) = delete;
  ForcedIsa& operator=(const ForcedIsa&) = delete;

 private:
  static void set(const char* value) {
    if (value == nullptr) {
      ::unsetenv("BITNET_ISA");
    } else {
      ::setenv("BITNET_ISA", value, 1);
    }
  }
  std::optional<std::string> before_;
};

constexpr Isa kIsas[] = {Isa::scalar, Isa::avx2, Isa::avx512, Isa::neon};

bool is_supported(Isa isa) {
  const std::vector<Isa> isas = supported_isas();
  return std::find(isas.begin(), isas.end(), isa) != isas.end();
}

TEST(IsaSelection, NamesAreThoseOfTheDocumentation) {
  const char* names[] = {"scalar", "avx2", "avx512", "neon"};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(to_string(kIsas[i]), names[i]);
    EXPECT_EQ(parse_isa(names[i]), kIsas[i]);
  }
}

TEST(IsaSelection, ScalarIsAlwaysThereAndWorst) {
  const std::vector<Isa> isas = supported_isas();
  ASSERT_FALSE(isas.empty());
  EXPECT_EQ(isas.front(), Isa::scalar);
  EXPECT_EQ(std::set<Isa>(isas.begin(), isas.end()).size(), isas.size());
}

TEST(IsaSelection, RunnableTablesHaveNamesOfTheirOwn) {
  std::set<std::string_view> names;
  for (const kernels::KernelTable* table : all_tables()) {
    EXPECT_TRUE(names.insert(table->name).second) << table->name;
    EXPECT_TRUE(is_supported(table->isa)) << table->name;
  }
}

TEST(IsaSelection, TheBestSupportedIsaIsTheDefault) {
  const ForcedIsa none(nullptr);
  EXPECT_EQ(Runtime({.threads = 1, .isa = std::nullopt}).isa(), supported_isas().back());
  const ForcedIsa empty("");
  EXPECT_EQ(Runtime({.threads = 1, .isa = std::nullopt}).isa(), supported_isas().back());
}

TEST(IsaSelection, TheVariableForcesAnIsaOrSaysWhyNot) {
  for (const Isa isa : kIsas) {
    const ForcedIsa forced(std::string(to_string(isa)).c_str());
    if (is_supported(isa)) {
      EXPECT_EQ(Runtime({.threads = 1, .isa = std::nullopt}).isa(), isa);
    } else {
      EXPECT_THROW(Runtime({.threads = 1, .isa = std::nullopt}), UnsupportedError);
    }
  }
}

TEST(IsaSelection, TheOptionPrecedesTheVariable) {
  const ForcedIsa forced(std::string(to_string(supported_isas().back())).c_str());
  EXPECT_EQ(Runtime({.threads = 1, .isa = Isa::scalar}).isa(), Isa::scalar);
}

TEST(IsaSelection, AWrongNameListsTheValidOnes) {
  for (const char* wrong : {"sse2", "AVX2", "avx512 ", "avx", "best"}) {
    const ForcedIsa forced(wrong);
    try {
      const Runtime runtime({.threads = 1, .isa = std::nullopt});
      ADD_FAILURE() << wrong << " accepted";
    } catch (const InvalidArgument& error) {
      const std::string what = error.what();
      for (const char* part : {"BITNET_ISA", wrong, "scalar", "avx2", "avx512", "neon"}) {
        EXPECT_NE(what.find(part), std::string::npos) << what;
      }
    }
  }
}

TEST(IsaSelection, AnIsaThatThisCpuLacksIsUnsupported) {
  std::size_t lacking = 0;
  for (const Isa isa : kIsas) {
    if (!is_supported(isa)) {
      ++lacking;
      EXPECT_THROW(Runtime({.threads = 1, .isa = isa}), UnsupportedError) << to_string(isa);
      EXPECT_EQ(kernels::find_table(isa), nullptr);
    } else {
      EXPECT_EQ(kernels::find_table(isa)->isa, isa);
    }
  }
  EXPECT_GT(lacking, 0U) << "no CPU has both AVX and NEON";
}

TEST(IsaSelection, ThreadsAreChosenByTheCaller) {
  for (const int threads : {1, 2, 5}) {
    EXPECT_EQ(Runtime({.threads = threads, .isa = std::nullopt}).threads(), threads);
  }
  EXPECT_GE(Runtime().threads(), 1);
  EXPECT_EQ(Runtime::serial().threads(), 1);
  EXPECT_THROW(Runtime({.threads = -1, .isa = std::nullopt}), InvalidArgument);
}

}  // namespace
}  // namespace bitnet
