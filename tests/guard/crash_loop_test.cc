#include "guard/crash_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace rnullfs {
namespace {

constexpr int64_t kMsec = 1'000'000;

TEST(CrashLoop, WorkersThatServedMayDieForEver) {
  CrashLoop loop;
  for (int i = 0; i < 10'000; ++i) EXPECT_EQ(loop.Died(true), 0) << i;
}

TEST(CrashLoop, ManyDeathsWithoutProgressAreOneHoweverLongTheyTake) {
  CrashLoop loop;
  for (unsigned i = 1; i < CrashLoop::kDeathsMax; ++i) EXPECT_TRUE(loop.Died(false)) << i;
  EXPECT_FALSE(loop.Died(false));
}

TEST(CrashLoop, ProgressBeginsAnew) {
  CrashLoop loop;
  for (int round = 0; round < 10; ++round) {
    for (unsigned i = 1; i < CrashLoop::kDeathsMax; ++i) EXPECT_TRUE(loop.Died(false)) << i;
    EXPECT_EQ(loop.Died(true), 0) << round;
  }
}

TEST(CrashLoop, PausesGrow) {
  CrashLoop loop;
  std::vector<int64_t> pauses;
  for (int i = 0; i < 8; ++i) pauses.push_back(*loop.Died(false) / kMsec);
  EXPECT_THAT(pauses, testing::ElementsAre(0, 10, 20, 40, 80, 160, 250, 250));
  loop.Died(true);
  EXPECT_EQ(loop.Died(false), 0);
  EXPECT_EQ(loop.Died(false), 10 * kMsec);
}

}  // namespace
}  // namespace rnullfs
