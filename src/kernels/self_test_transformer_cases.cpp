// SPDX-License-Identifier: MIT
// Cases for the kernels of a transformer's vectors and of attention.
#include <limits>

#include "base/message.h"
#include "kernels/self_test_cases.h"

namespace bitnet::kernels {
namespace {

constexpr std::size_t kSizes[] = {0, 1, 2, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 100, 129, 1000};

std::vector<float> random_floats(std::size_t n, float limit, unsigned seed) {
  Random random(seed);
  std::vector<float> x(kShift + n);
  std::generate(x.begin(), x.end(), [&] {
    return (static_cast<float>(random() % 0x1000000) * 0x1p-23F - 1.0F) * limit;
  });
  return x;
}

/// Calls body(name, a, b, n) for pairs of vectors of several magnitudes.
template <class Body>
void for_each_pair(Body body) {
  for (const float limit : {1.0F, 30.0F, 200.0F}) {
    for (const std::size_t n : kSizes) {
      const std::vector<float> a = random_floats(n, limit, 1);
      const std::vector<float> b = random_floats(n, 2.0F, 2);
      body(message("up to ", limit, ", n = ", n), a.data() + kShift, b.data() + kShift, n);
    }
  }
}

void dots(const KernelTable& table, Record& record) {
  for (const std::size_t n : kSizes) {
    for (const std::size_t rows : {1, 3, 4, 9}) {
      for (const std::size_t vectors : {1, 2, 4, 5, 11}) {
        const std::vector<float> a = random_floats(rows * n, 30.0F, 1);
        const std::vector<float> b = random_floats(vectors * n, 2.0F, 2);
        const std::size_t stride = rows + 3;
        auto out = output_buffer<float>(vectors * stride);
        table.dots(a.data() + kShift, rows, b.data() + kShift, vectors, n, out.data() + kShift,
                   stride);
        add_case(record, message(rows, " rows, ", vectors, " vectors of ", n), out);
      }
    }
  }
}

void add_to(const KernelTable& table, Record& record) {
  for_each_pair([&](std::string name, const float* a, const float* b, std::size_t n) {
    auto y = output_buffer<float>(n);
    std::copy_n(b, n, y.begin() + kShift);
    table.add_to(a, n, y.data() + kShift);
    add_case(record, std::move(name), y);
  });
}

void exponentials(const KernelTable& table, Record& record) {
  for_each_pair([&](const std::string& name, const float* a, const float*, std::size_t n) {
    for (const float shift : {0.0F, 7.5F}) {
      auto out = output_buffer<float>(n);
      table.exponentials(a, n, shift, out.data() + kShift);
      add_case(record, message(name, ", shift ", shift), out);
    }
  });
}

template <auto kernel>
void gate(const KernelTable& table, Record& record) {
  for_each_pair([&](std::string name, const float* a, const float* b, std::size_t n) {
    auto out = output_buffer<float>(n);
    (table.*kernel)(a, b, n, out.data() + kShift);
    add_case(record, std::move(name), out);
  });
}

void rotate(const KernelTable& table, Record& record) {
  for (const std::size_t half : kSizes) {
    auto x = output_buffer<float>(2 * half);
    const std::vector<float> values = random_floats(2 * half, 5.0F, 3);
    std::copy(values.begin(), values.end(), x.begin());
    const std::vector<float> cosines = random_floats(half, 1.0F, 4);
    const std::vector<float> sines = random_floats(half, 1.0F, 5);
    table.rotate(x.data() + kShift, cosines.data() + kShift, sines.data() + kShift, half);
    add_case(record, message("half ", half), x);
  }
}

/// Blocks of any bytes, but with float16 scales below 1.
std::vector<std::byte> random_blocks(std::size_t count, std::size_t bytes, std::size_t scale_at) {
  Random random(11);
  std::vector<std::byte> blocks(kShift + count * bytes);
  std::generate(blocks.begin(), blocks.end(), [&] { return static_cast<std::byte>(random()); });
  for (std::size_t i = 0; i < count; ++i) {
    blocks[kShift + i * bytes + scale_at + 1] &= std::byte{0xb7};
  }
  return blocks;
}

template <std::size_t elements, std::size_t bytes, std::size_t scale_at, auto kernel>
void widen_blocks(const KernelTable& table, Record& record) {
  for (const std::size_t count : {1, 2, 5}) {
    const std::vector<std::byte> blocks = random_blocks(count, bytes, scale_at);
    auto out = output_buffer<float>(count * elements);
    (table.*kernel)(blocks.data() + kShift, count * elements, out.data() + kShift);
    add_case(record, message(count, " blocks"), out);
  }
}

void dot_q8_0(const KernelTable& table, Record& record) {
  for (const std::size_t count : {1, 2, 5}) {
    for (const std::size_t rows : {1, 3, 4, 9}) {
      const std::vector<std::byte> blocks = random_blocks(rows * count, 34, 0);
      const std::vector<float> x = random_floats(count * 32, 1.0F, 12);
      auto out = output_buffer<float>(rows);
      table.dot_q8_0(blocks.data() + kShift, rows, x.data() + kShift, count * 32, kAhead,
                     out.data() + kShift);
      add_case(record, message(rows, " rows of ", count, " blocks"), out);
    }
  }
}

/// Any digits, or the largest of either sign.
std::vector<FixedPointInputs> random_inputs(std::size_t count, bool largest) {
  Random random(13);
  std::vector<FixedPointInputs> inputs(count);
  for (FixedPointInputs& x : inputs) {
    for (std::size_t i = 0; i < FixedPointInputs::kCount; ++i) {
      x.high[i] = static_cast<std::int8_t>(largest ? (random() % 2 == 0 ? 127 : -127)
                                                   : static_cast<int>(random() % 255) - 127);
      x.middle[i] = static_cast<std::int8_t>(largest ? 127 : random() % 128);
      x.low[i] = static_cast<std::int8_t>(largest ? 127 : random() % 128);
      x.minus_32_high_sums[i / 4] -= 32 * x.high[i];
    }
  }
  return inputs;
}

/// Of inputs [vectors, n / 64] as [n / 256, vectors, 4].
std::vector<FixedPointWords> words_of(const std::vector<FixedPointInputs>& inputs,
                                      std::size_t vectors) {
  std::vector<FixedPointWords> words(inputs.size());
  const std::size_t chunks = inputs.size() / vectors;
  for (std::size_t at = 0; at < inputs.size(); ++at) {
    const std::size_t chunk = at % chunks;
    FixedPointWords& to = words[(chunk / 4 * vectors + at / chunks) * 4 + chunk % 4];
    for (std::size_t i = 0; i < FixedPointInputs::kCount; ++i) {
      const FixedPointInputs& x = inputs[at];
      to.high[i % 2][i / 2] = x.high[i];
      to.lower[i % 2][i / 2] = static_cast<std::int16_t>(128 * x.middle[i] + x.low[i]);
    }
  }
  return words;
}

void dot_q6_k(const KernelTable& table, Record& record) {
  constexpr std::size_t kBlock = 256;
  for (const std::size_t count : {1, 2, 5}) {
    for (const std::size_t rows : {1, 3, 5}) {
      for (const std::size_t vectors : {1, 2, 5, 19}) {
        for (const bool largest : {false, true}) {
          std::vector<std::byte> blocks = random_blocks(rows * count, 210, 208);
          for (std::size_t at = kShift; largest && at < blocks.size(); at += 210) {
            std::fill_n(blocks.begin() + at, 192, std::byte{0});          // codes of -32
            std::fill_n(blocks.begin() + at + 192, 16, std::byte{0x80});  // times -128
          }
          const auto inputs = random_inputs(vectors * count * kBlock / 64, largest);
          const auto words = words_of(inputs, vectors);
          const std::vector<float> scales = random_floats(vectors, 1.0F, 14);
          auto out = output_buffer<float>(vectors * rows);
          table.dot_q6_k(
              blocks.data() + kShift, rows,
              {inputs.data(), words.data(), scales.data() + kShift, vectors, count * kBlock},
              kAhead, out.data() + kShift, rows);
          add_case(record,
                   message(rows, " rows of ", count, " blocks, ", vectors, " vectors",
                           largest ? ", largest" : ""),
                   out);
        }
      }
    }
  }
}

struct PageCase {
  std::size_t rows, head_dim;
  PagePositions seen;  // by the first row
  std::size_t heads;   // after so many rows both ends move by one, as from token to token
};
constexpr PageCase kPages[] = {
    {1, 16, {0, 1}, 1},    {1, 64, {0, 64}, 1},  {2, 48, {3, 17}, 2},   {3, 100, {0, 33}, 3},
    {4, 128, {63, 64}, 4}, {5, 8, {0, 64}, 5},   {8, 96, {1, 63}, 8},   {16, 256, {0, 40}, 16},
    {32, 64, {0, 10}, 4},  {33, 72, {2, 31}, 1}, {70, 16, {15, 49}, 5}, {20, 144, {0, 60}, 2},
};

/// What each row sees: a window that moves.
std::vector<PagePositions> seen_by_rows(const PageCase& shape) {
  std::vector<PagePositions> seen;
  for (std::size_t r = 0; r < shape.rows; ++r) {
    const std::size_t token = r / shape.heads;
    const std::size_t first = shape.seen.first + (shape.seen.first == 0 ? 0 : token);
    seen.push_back({first, std::min(shape.seen.last + token, AttentionPage::kPositions)});
  }
  return seen;
}

/// A cache's numbers as the element type stores them.
std::vector<float> stored(const std::vector<float>& x, float /*tag*/) { return x; }
std::vector<std::uint16_t> stored(const std::vector<float>& x, std::uint16_t /*tag*/) {
  std::vector<std::uint16_t> halves(x.size());
  kScalarTable.f32_to_f16(x.data(), halves.data(), x.size());
  return halves;
}
std::vector<std::int8_t> stored(const std::vector<float>& x, std::int8_t /*tag*/) {
  std::vector<std::int8_t> codes(x.size());
  std::transform(x.begin(), x.end(), codes.begin(),
                 [](float v) { return static_cast<std::int8_t>(v * 40.0F); });
  return codes;
}

/// Two pages in a row, so that the second one merges with the first.
template <class Cached, auto kernel>
void attend(const KernelTable& table, Record& record) {
  for (const PageCase& shape : kPages) {
    const std::size_t stride = (shape.head_dim + 15) / 16 * 16;
    const std::size_t cached = kShift + AttentionPage::kPositions * stride;
    std::vector<float> queries = random_floats(shape.rows * stride, 1.0F, 6);
    auto out = output_buffer<float>(shape.rows * stride);
    auto maxima = output_buffer<float>(shape.rows);
    auto totals = output_buffer<float>(shape.rows);
    std::fill_n(out.begin() + kShift, shape.rows * stride, 0.0F);
    std::fill_n(maxima.begin() + kShift, shape.rows, -std::numeric_limits<float>::infinity());
    std::fill_n(totals.begin() + kShift, shape.rows, 0.0F);
    const std::vector<PagePositions> seen = seen_by_rows(shape);
    const std::vector<float> scales = random_floats(AttentionPage::kPositions, 0.1F, 7);
    const float* const scale = sizeof(Cached) == 1 ? scales.data() + kShift : nullptr;
    for (const unsigned seed : {8U, 9U}) {
      const auto keys = stored(random_floats(cached, 3.0F, seed), Cached{});
      const auto values = stored(random_floats(cached, 3.0F, seed + 10), Cached{});
      (table.*kernel)({.queries = queries.data() + kShift,
                       .rows = shape.rows,
                       .head_dim = shape.head_dim,
                       .stride = stride,
                       .keys = keys.data() + kShift,
                       .values = values.data() + kShift,
                       .key_scales = scale,
                       .value_scales = scale,
                       .seen = seen.data(),
                       .prefetch = kAhead,
                       .maxima = maxima.data() + kShift,
                       .totals = totals.data() + kShift,
                       .out = out.data() + kShift});
    }
    const std::string name = message(shape.rows, " rows, head ", shape.head_dim, ", positions ",
                                     shape.seen.first, "..", shape.seen.last);
    add_case(record, name, out);
    add_case(record, name + ", maxima", maxima);
    add_case(record, name + ", totals", totals);
  }
}

}  // namespace

std::span<const KernelUnderTest> transformer_kernels() {
  static constexpr KernelUnderTest kKernels[] = {
      {"dots", dots},
      {"add_to", add_to},
      {"exponentials", exponentials},
      {"gate_relu2", gate<&KernelTable::gate_relu2>},
      {"gate_silu", gate<&KernelTable::gate_silu>},
      {"gate_gelu", gate<&KernelTable::gate_gelu>},
      {"rotate", rotate},
      {"q8_0_to_f32", widen_blocks<32, 34, 0, &KernelTable::q8_0_to_f32>},
      {"q6_k_to_f32", widen_blocks<256, 210, 208, &KernelTable::q6_k_to_f32>},
      {"dot_q8_0", dot_q8_0},
      {"dot_q6_k", dot_q6_k},
      {"attend_f32", attend<float, &KernelTable::attend_f32>},
      {"attend_f16", attend<std::uint16_t, &KernelTable::attend_f16>},
      {"attend_int8", attend<std::int8_t, &KernelTable::attend_int8>},
  };
  return kKernels;
}

}  // namespace bitnet::kernels
