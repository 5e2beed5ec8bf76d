// SPDX-License-Identifier: MIT
// Cases for the kernels over one row of numbers.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/message.h"
#include "kernels/self_test_cases.h"

namespace bitnet::kernels {
namespace {

constexpr std::size_t kSizes[] = {0,  1,  2,  3,  7,  8,   15,  16,  17,  31,   32,
                                  33, 47, 63, 64, 65, 100, 127, 128, 129, 1000, 1031};

struct FloatKind {
  std::string_view name;
  float (*next)(Random&);
};
float next_uniform(Random& random) { return static_cast<float>(random()) * 0x1p-29F - 4.0F; }
float next_of_any_exponent(Random& random) {
  const auto bits = static_cast<std::uint32_t>(random());
  const auto x = std::bit_cast<float>(bits);
  return std::isfinite(x) ? x : std::bit_cast<float>(bits & 0x807fffffU);
}
// Halves up to 150 and their neighbours: where roundings differ.
float next_near_half(Random& random) {
  const float half = static_cast<float>(random() % 601) * 0.5F - 150.0F;
  const float directions[] = {half, -1000.0F, 1000.0F};
  return std::nextafter(half, directions[random() % 3]);
}
float next_extreme(Random& random) {
  using Limits = std::numeric_limits<float>;
  const float values[] = {0.0F, 1.0F, Limits::max(), Limits::min(), Limits::denorm_min()};
  return (random() % 2 == 0 ? 1.0F : -1.0F) * values[random() % std::size(values)];
}
float next_of_any_bits(Random& random) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(random()));
}

constexpr FloatKind kUniform = {"uniform", next_uniform};
constexpr FloatKind kFinite[] = {kUniform,
                                 {"any exponent", next_of_any_exponent},
                                 {"near halves", next_near_half},
                                 {"extreme", next_extreme}};

std::vector<float> make_floats(const FloatKind& kind, std::size_t n) {
  Random random(static_cast<Random::result_type>(n));
  std::vector<float> x(kShift + n);
  std::generate(x.begin(), x.end(), [&] { return kind.next(random); });
  return x;
}

/// Calls body(name, x, n) for rows of every kind and size.
template <class Body>
void for_each_row(std::initializer_list<FloatKind> kinds, Body body) {
  for (const FloatKind& kind : kinds) {
    for (const std::size_t n : kSizes) {
      const std::vector<float> x = make_floats(kind, n);
      body(message(kind.name, ", n = ", n), x.data() + kShift, n);
    }
  }
}
template <class Body>
void for_each_finite_row(Body body) {
  for (const FloatKind& kind : kFinite) {
    for_each_row({kind}, body);
  }
}

template <auto kernel>
void widen(const KernelTable& table, Record& record) {
  std::vector<std::uint16_t> in(kShift + 0x10000);
  for (std::size_t i = 0; i < 0x10000; ++i) {
    in[kShift + i] = static_cast<std::uint16_t>(i);
  }
  const auto convert = [&](std::size_t first, std::size_t n) {
    auto out = output_buffer<float>(n);
    (table.*kernel)(in.data() + kShift + first, out.data() + kShift, n);
    add_case(record, message(n, " values from ", first), out);
  };
  convert(0, 0x10000);
  for (const std::size_t n : kSizes) {
    convert(0x3bff, n);
  }
}

template <auto kernel>
void narrow(const KernelTable& table, Record& record) {
  // Every upper half with lower halves on and around the ties of both formats.
  std::vector<float> in(kShift);
  for (std::uint32_t upper = 0; upper < 0x10000; ++upper) {
    for (const std::uint32_t lower : {0x0000, 0x0fff, 0x1000, 0x1001, 0x3000, 0x8000, 0xffff}) {
      in.push_back(std::bit_cast<float>(upper << 16 | lower));
    }
  }
  const auto convert = [&](std::string name, const float* x, std::size_t n) {
    auto out = output_buffer<std::uint16_t>(n);
    (table.*kernel)(x, out.data() + kShift, n);
    add_case(record, std::move(name), out);
  };
  convert("ties", in.data() + kShift, in.size() - kShift);
  for_each_row({{"any bits", next_of_any_bits}}, convert);
}

void absmax_bits(const KernelTable& table, Record& record) {
  const auto run = [&](std::string name, const float* x, std::size_t n) {
    add_case<float>(record, std::move(name), {}, table.absmax_bits(x, n));
  };
  for_each_finite_row(run);
  for_each_row({{"any bits", next_of_any_bits}}, run);
}

void quantize(const KernelTable& table, Record& record) {
  for (const Scaling scaling : {Scaling::divide, Scaling::multiply}) {
    for (const Rounding rounding : {Rounding::half_away_from_zero, Rounding::half_to_even}) {
      for (const int qmax : {1, 7, 127}) {
        for (const float step : {1.0F, 0.031F, 32.5F}) {
          const CodeRule rule = {step, scaling, rounding, qmax};
          const auto run = [&](const std::string& name, const float* x, std::size_t n) {
            auto codes = output_buffer<std::int8_t>(n);
            const std::int32_t sum = table.quantize(x, n, rule, kAhead, codes.data() + kShift);
            add_case(record,
                     message(name, scaling == Scaling::divide ? ", x / " : ", x * ", step,
                             rounding == Rounding::half_to_even ? ", half to even" : ", half away",
                             ", qmax ", qmax),
                     codes, sum);
          };
          for_each_row({kUniform, {"near halves", next_near_half}}, run);
        }
      }
    }
  }
}

void dequantize(const KernelTable& table, Record& record) {
  std::vector<std::int8_t> codes(kShift + 1031);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    codes[i] = static_cast<std::int8_t>(i);
  }
  for (const float scale : {1.0F, 0.0371F, std::numeric_limits<float>::denorm_min()}) {
    for (const std::size_t n : kSizes) {
      auto out = output_buffer<float>(n);
      table.dequantize(codes.data() + kShift, n, scale, out.data() + kShift);
      add_case(record, message("scale ", scale, ", n = ", n), out);
    }
  }
}

template <auto kernel, class... Prefetch>
void reduce(const KernelTable& table, Record& record, Prefetch... prefetch) {
  for_each_finite_row([&](std::string name, const float* x, std::size_t n) {
    add_case<float>(record, std::move(name), {}, (table.*kernel)(x, n, prefetch...));
  });
}

void sum_abs(const KernelTable& table, Record& record) {
  reduce<&KernelTable::sum_abs>(table, record, kAhead);
}

void normalize(const KernelTable& table, Record& record) {
  const std::vector<float> gains = make_floats(kUniform, kSizes[std::size(kSizes) - 1]);
  for (const float* gain : {static_cast<const float*>(nullptr), gains.data() + kShift}) {
    for_each_finite_row([&](const std::string& name, const float* x, std::size_t n) {
      auto out = output_buffer<float>(n);
      const std::uint32_t absmax = table.normalize(x, n, 0.7071F, gain, out.data() + kShift);
      add_case(record, name + (gain == nullptr ? ", no gain" : ", gain"), out, absmax);
    });
  }
}

void ternarize(const KernelTable& table, Record& record) {
  for (const float threshold : {0.5F, 1.4142F, std::numeric_limits<float>::denorm_min()}) {
    for_each_finite_row([&](const std::string& name, const float* x, std::size_t n) {
      auto digits = output_buffer<std::uint8_t>(n);
      const std::size_t zeros = table.ternarize(x, n, threshold, digits.data() + kShift);
      add_case(record, message(name, ", threshold ", threshold), digits, zeros);
    });
  }
}

}  // namespace

std::span<const KernelUnderTest> row_kernels() {
  static constexpr KernelUnderTest kKernels[] = {
      {"f16_to_f32", widen<&KernelTable::f16_to_f32>},
      {"bf16_to_f32", widen<&KernelTable::bf16_to_f32>},
      {"f32_to_f16", narrow<&KernelTable::f32_to_f16>},
      {"f32_to_bf16", narrow<&KernelTable::f32_to_bf16>},
      {"absmax_bits", absmax_bits},
      {"quantize", quantize},
      {"dequantize", dequantize},
      {"sum_squares", reduce<&KernelTable::sum_squares>},
      {"normalize", normalize},
      {"sum_abs", sum_abs},
      {"ternarize", ternarize},
  };
  return kKernels;
}

}  // namespace bitnet::kernels
