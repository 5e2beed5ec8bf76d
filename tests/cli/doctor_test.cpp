// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "run_program.h"

namespace bitnet {
namespace {

// Oracle: kernels agree with the reference on every machine where the kernel tests pass.
TEST(DoctorCommand, FindsEveryKernelRight) {
  const ProgramResult result =
      run_program({"doctor", "--json", "-t", "1"}, {{"BITNET_ISA", "scalar"}});
  ASSERT_EQ(result.exit_status, 0) << result.err;
  EXPECT_EQ(result.err, "");
  const nlohmann::json report = nlohmann::json::parse(result.out);
  EXPECT_EQ(report["isa"], "scalar");
  EXPECT_EQ(report["threads"], 1);
  EXPECT_FALSE(report["cpu"]["variants"].empty());
  EXPECT_FALSE(report["checks"].empty());
  for (const nlohmann::json& check : report["checks"]) {
    EXPECT_EQ(check["passed"], true) << check;
    EXPECT_GT(check["cases"], 0) << check;
  }
  EXPECT_GT(report["read_gb_per_s"], 0.0);
  EXPECT_GT(report["dot_gmac_per_s"], 0.0);
}

}  // namespace
}  // namespace bitnet
