// Numbers for passthrough that a process which died has left.
#include "fuse/backing_ids.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace rnullfs {
namespace {

using testing::ElementsAre;

// What the kernel has after the strays are forgotten; `next` is the number it gives next.
std::set<int> Left(std::set<int> had, int next, const std::set<int>& used) {
  const auto open = [&] {
    if (next != 0) had.insert(next);
    return next;
  };
  ForgetStrayBackings(used, open, [&](int id) { had.erase(id); });
  return had;
}

TEST(BackingIdsTest, WhatNobodyKnowsIsGivenBack) {
  EXPECT_THAT(Left({1, 2, 3}, 4, {2}), ElementsAre(2));
  EXPECT_THAT(Left({1, 2}, 3, {1, 2}), ElementsAre(1, 2));
}

TEST(BackingIdsTest, WhatIsInUseStaysHoweverOld) {
  EXPECT_THAT(Left({1, 99'998, 99'999}, 100'000, {1, 99'999}), ElementsAre(1, 99'999));
}

TEST(BackingIdsTest, WithoutPassthroughThereIsNothingToDo) {
  EXPECT_THAT(Left({}, 0, {}), ElementsAre());
}

}  // namespace
}  // namespace rnullfs
