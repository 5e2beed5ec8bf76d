// SPDX-License-Identifier: MIT
// Which kernel tables this CPU can run.
#include <array>

#include "kernels/kernel_table.h"
#include "kernels/table_scratch.h"

#if defined(__aarch64__)
#include <sys/auxv.h>
#elif defined(__x86_64__)
#include <cpuid.h>
#endif

namespace bitnet::kernels {
namespace {

using Tables = std::array<const KernelTable*, 5>;  // ends with at least one nullptr

#if defined(__x86_64__)
// __builtin_cpu_supports also asks the operating system whether it saves the wide registers.
// F16C needs no question of its own: it came two years before AVX2.
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx512_vnni() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vnni");
}
bool has_avx512_vbmi() { return has_avx512_vnni() && __builtin_cpu_supports("avx512vbmi"); }
#elif defined(__aarch64__)
bool has_neon() { return (getauxval(AT_HWCAP) & HWCAP_ASIMD) != 0; }
bool has_neon_dotprod() { return has_neon() && (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0; }
bool has_neon_i8mm() { return has_neon_dotprod() && (getauxval(AT_HWCAP2) & HWCAP2_I8MM) != 0; }
#endif

Tables detect() {
  Tables tables{&kScalarTable};
  [[maybe_unused]] std::size_t count = 1;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (has_avx2()) tables[count++] = &kAvx2Table;
  if (has_avx512_vnni()) tables[count++] = &kAvx512VnniTable;
  if (has_avx512_vbmi()) tables[count++] = &kAvx512VbmiTable;
#elif defined(__aarch64__)
  if (has_neon()) tables[count++] = &kNeonTable;
  if (has_neon_dotprod()) tables[count++] = &kNeonDotprodTable;
  if (has_neon_i8mm()) tables[count++] = &kNeonI8mmTable;
#endif
  return tables;
}

bool is_intel() {
#if defined(__x86_64__)
  static const bool is = (__builtin_cpu_init(), __builtin_cpu_is("intel") != 0);
  return is;
#else
  return false;
#endif
}

constexpr unsigned kZen3And4 = 0x19;  // only Zen 4 has AVX-512
constexpr unsigned kZen5 = 0x1a;

/// 0 if not AMD's.
unsigned amd_family() {
#if defined(__x86_64__)
  static const unsigned family = [] {
    unsigned eax = 0;
    unsigned unused = 0;
    __builtin_cpu_init();
    const bool is_amd = __builtin_cpu_is("amd") != 0;
    return is_amd && __get_cpuid(1, &eax, &unused, &unused, &unused) != 0
               ? ((eax >> 8) & 0xf) + ((eax >> 20) & 0xff)
               : 0;
  }();
  return family;
#else
  return 0;
#endif
}

}  // namespace

const KernelTable* const* runnable_tables() {
  static const Tables tables = detect();
  return tables.data();
}

const KernelTable* find_table(Isa isa) {
  const KernelTable* best = nullptr;
  for (const KernelTable* const* table = runnable_tables(); *table != nullptr; ++table) {
    if ((*table)->isa == isa) {
      best = *table;
    }
  }
  return best;
}

decltype(KernelTable::pack_t2) pack_kernel(const KernelTable& table, TileLayout layout) {
  return layout == TileLayout::t16  ? table.pack_t16
         : layout == TileLayout::t2 ? table.pack_t2
                                    : table.pack_t16p;
}

decltype(KernelTable::gemm_t2) gemm_kernel(const KernelTable& table, TileLayout layout) {
  const auto kernel = layout == TileLayout::t16  ? table.gemm_t16
                      : layout == TileLayout::t2 ? table.gemm_t2
                                                 : table.gemm_t16p;
  return kernel != nullptr ? kernel : gemm_kernel(kScalarTable, layout);
}

decltype(KernelTable::table_gemm_t2) table_gemm_kernel(const KernelTable& table,
                                                       TileLayout layout) {
  // Beside dot products where a core does one of 512 bits a cycle: Zen 4. Two are faster alone.
  const bool slower = table.isa == Isa::avx512 && amd_family() != kZen3And4;
  if (slower || table.table_gemm_least_tokens == kNeverByTables) return nullptr;
  return layout == TileLayout::t16  ? table.table_gemm_t16
         : layout == TileLayout::t2 ? table.table_gemm_t2
                                    : table.table_gemm_t16p;
}

// Measured on Emerald Rapids, Zen 4 and Zen 5 (docs/performance.md); other CPUs keep what they had.
// Intel's prefetchers stop at the end of a 4 KB page: software asks four pages ahead. AMD's lose
// the tiles among the codes of several tokens.
std::size_t tile_prefetch() {
  if (is_intel() || amd_family() == kZen3And4) return 16384;
  return amd_family() == kZen5 ? 8192 : 0;
}

// AMD's prefetchers follow one row after the other, and were slower with more requests.
std::size_t row_prefetch() { return is_intel() ? tile_prefetch() : 0; }

// Zen 5 was slower with it.
bool next_row_prefetch_pays() { return is_intel(); }

// Intel's two 512-bit ports do dot products and unpack digits alike.
std::size_t tokens_to_unpack_once() { return is_intel() ? 16 : 0; }

}  // namespace bitnet::kernels
