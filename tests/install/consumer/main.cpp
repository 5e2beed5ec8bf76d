// SPDX-License-Identifier: MIT
// A user of the installed library: one BitLinear, and a tokenizer, whose code needs other
// libraries. Oracles: the sum below, done by hand; a file that is not there.
#include <bitnet/bitnet.h>

#include <cstdio>
#include <vector>

bool refuses_missing_tokenizer() {
  try {
    bitnet::load_tokenizer(std::filesystem::path("/nonexistent")).encode("text");
    return false;
  } catch (const bitnet::IoError&) {
    return true;
  }
}

int main() {
  constexpr std::size_t kInputs = 64;
  // Row 0 is +-0.5 in turn, row 1 is 0.25 throughout: mean |w| is 0.5 and 0.25, trits +-1.
  std::vector<float> weight(2 * kInputs);
  for (std::size_t k = 0; k < kInputs; ++k) {
    weight[k] = k % 2 == 0 ? 0.5F : -0.5F;
    weight[kInputs + k] = 0.25F;
  }
  // The largest input is 127, so the activation scale is 1 and every code is its input.
  std::vector<float> x(kInputs, 0.0F);
  x[0] = 127.0F;
  x[1] = 27.0F;
  x[2] = -50.0F;

  const auto layer =
      bitnet::BitLinear::from_weight(bitnet::TensorView(weight.data(), {2, kInputs}), {},
                                     bitnet::BitNetConfig{}.with_rms_norm(false));
  const bitnet::Tensor y = layer.forward(bitnet::TensorView(x.data(), {1, kInputs}));

  // 0.5 (127 - 27 - 50) and 0.25 (127 + 27 - 50).
  const bool right =
      refuses_missing_tokenizer() && y.data.size() == 2 && y.data[0] == 25.0F && y.data[1] == 26.0F;
  std::printf("%s: %g %g\n", right ? "right" : "wrong", y.data[0], y.data[1]);
  return right ? 0 : 1;
}
