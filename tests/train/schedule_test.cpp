// SPDX-License-Identifier: MIT
// Oracle: rates worked out by hand. The two stages of BitNet are golden_training_test.cpp's.
#include <bitnet/error.h>
#include <bitnet/train/schedule.h>
#include <gtest/gtest.h>

namespace bitnet::train {
namespace {

Schedule hundred_steps(ScheduleKind kind) {
  return {.kind = kind,
          .steps = 100,
          .warmup_steps = 20,
          .learning_rate = 2,
          .least_learning_rate = 0.5,
          .decay_share = 0.4};
}

TEST(Schedule, WarmsUpInAStraightLine) {
  for (const ScheduleKind kind :
       {ScheduleKind::two_stage, ScheduleKind::linear, ScheduleKind::cosine,
        ScheduleKind::warmup_stable_decay, ScheduleKind::constant}) {
    const Schedule schedule = hundred_steps(kind);
    EXPECT_DOUBLE_EQ(schedule.at(0).learning_rate, 0.1) << to_string(kind);
    EXPECT_DOUBLE_EQ(schedule.at(19).learning_rate, 2) << to_string(kind);
    EXPECT_EQ(parse_schedule(to_string(kind)), kind);
  }
  EXPECT_THROW(parse_schedule("exponential"), InvalidArgument);
}

TEST(Schedule, EndsAtItsLeastRate) {
  const Schedule linear = hundred_steps(ScheduleKind::linear);
  EXPECT_DOUBLE_EQ(linear.at(50).learning_rate, 1.25);
  EXPECT_DOUBLE_EQ(linear.at(100).learning_rate, 0.5);

  Schedule two_stage = hundred_steps(ScheduleKind::two_stage);
  two_stage.second_peak = 1;
  EXPECT_DOUBLE_EQ(two_stage.at(40).learning_rate, 1.4);
  EXPECT_DOUBLE_EQ(two_stage.at(50).learning_rate, 0.625);
  EXPECT_DOUBLE_EQ(two_stage.at(100).learning_rate, 0.25);

  // Of the 80 steps behind the warm-up: at the peak, in the middle, at the end.
  const Schedule cosine = hundred_steps(ScheduleKind::cosine);
  EXPECT_DOUBLE_EQ(cosine.at(20).learning_rate, 2);
  EXPECT_DOUBLE_EQ(cosine.at(60).learning_rate, 1.25);
  EXPECT_DOUBLE_EQ(cosine.at(100).learning_rate, 0.5);
}

TEST(Schedule, StaysAtThePeakUntilItDecays) {
  const Schedule stable = hundred_steps(ScheduleKind::warmup_stable_decay);
  EXPECT_DOUBLE_EQ(stable.at(60).learning_rate, 2);
  EXPECT_DOUBLE_EQ(stable.at(80).learning_rate, 1);
  EXPECT_DOUBLE_EQ(stable.at(100).learning_rate, 0);
  EXPECT_DOUBLE_EQ(hundred_steps(ScheduleKind::constant).at(99).learning_rate, 2);
}

}  // namespace
}  // namespace bitnet::train
