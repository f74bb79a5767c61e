#include "config/warnings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rnullfs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

constexpr char kDropped[] = "memory_backed is 0: what is written is dropped";

TEST(Warnings, SayWhatHasNoEffect) {
  EXPECT_THAT(Warnings({}), ElementsAre(StartsWith("power is 0"), StartsWith(kDropped)));
  EXPECT_THAT(Warnings({.power = true, .memory_backed = true}), IsEmpty());
  EXPECT_THAT(Warnings({.power = true, .completion_nsec = 5, .memory_backed = true}),
              ElementsAre("completion_nsec has no effect: irqmode is not 2"));
  EXPECT_THAT(
      Warnings(
          {.power = true, .irqmode = IrqMode::kTimer, .completion_nsec = 5, .memory_backed = true}),
      IsEmpty());
  EXPECT_THAT(Warnings({.power = true, .discard = true, .cache_size = 1}),
              ElementsAre(StartsWith(kDropped), StartsWith("discard has no effect"),
                          StartsWith("cache_size has no effect")));
}

}  // namespace
}  // namespace rnullfs
