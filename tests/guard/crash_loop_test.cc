#include "guard/crash_loop.h"

#include <gtest/gtest.h>

namespace rnullfs {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

TEST(CrashLoop, FiveDeathsInTenSecondsAreOne) {
  CrashLoop loop;
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(loop.Add(i * kSecond)) << i;
  EXPECT_TRUE(loop.Add(10 * kSecond));
}

TEST(CrashLoop, FiveInMoreAreNone) {
  CrashLoop loop;
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(loop.Add(i * kSecond)) << i;
  EXPECT_FALSE(loop.Add(10 * kSecond + 1));
  EXPECT_TRUE(loop.Add(10 * kSecond + 2)) << "since the second one";
}

TEST(CrashLoop, OneEveryThreeSecondsGoesOnForEver) {
  CrashLoop loop;
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(loop.Add(3 * i * kSecond)) << i;
}

TEST(CrashLoop, FourAreNeverOne) {
  CrashLoop loop;
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(loop.Add(0)) << i;
}

}  // namespace
}  // namespace rnullfs
