// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "model/tiny_model.h"
#include "run_program.h"

namespace bitnet {
namespace {

// Oracle: the operating system's account of the program's largest resident set. The bound is below
// the size of one of the three large matrices, so it does not grow with them.
TEST(QuantizeMemory, PeakIsSmallAgainstTheLargestTensor) {
  if (!measures_memory()) {
    GTEST_SKIP() << "an emulator or a sanitizer adds memory of its own";
  }
  constexpr std::size_t kHidden = 1024;
  constexpr std::size_t kIntermediate = 32768;
  TinyModel model(kHidden, 128);
  model.config["intermediate_size"] = kIntermediate;
  model.set_zeros("model.layers.0.mlp.gate_proj.weight", {kIntermediate, kHidden});
  model.set_zeros("model.layers.0.mlp.up_proj.weight", {kIntermediate, kHidden});
  model.set_zeros("model.layers.0.mlp.down_proj.weight", {kHidden, kIntermediate});
  model.set_zeros("model.layers.0.mlp.ffn_sub_norm.weight", {kIntermediate});
  const TemporaryFolder folder;
  model.write(folder.path());

  const ProgramResult result =
      run_program({"quantize", folder.path(), "-o", folder.path() / "out.gguf", "-t", "2"});
  ASSERT_EQ(result.exit_status, 0) << result.err;
  constexpr long kLargestTensorKib = kHidden * kIntermediate * sizeof(float) / 1024;
  EXPECT_LT(result.peak_resident_kib, kLargestTensorKib / 2);
}

}  // namespace
}  // namespace bitnet
