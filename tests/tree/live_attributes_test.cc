// Attributes that requests change or that may be written under power: what the files show, and
// where counting goes on.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <future>
#include <string>

#include "tree/node_test.h"
#include "tree/refused.h"

namespace rnullfs {
namespace {

using testing::HasSubstr;

class LiveAttributesTest : public NodeTest {
 protected:
  // Reads a block and waits for the answer: its errno.
  int Read() {
    std::promise<int> answered;
    const auto answer = [](void* tag, const Answer& answer) {
      static_cast<std::promise<int>*>(tag)->set_value(answer.error);
    };
    node_->device()->Submit({.op = Op::kRead, .offset = 0, .length = 512},
                            {.complete = answer, .tag = &answered});
    return answered.get_future().get();
  }
};

TEST_F(LiveAttributesTest, FaultsCountOnThroughPowerCycles) {
  ASSERT_THAT(node_->WriteJson({.data = R"({"io_timeout": 1, "size": 1,
      "timeout_inject": {"probability": 100, "times": 4, "space": 3}, "power": true})"}),
              IsOk());
  EXPECT_EQ(Read(), 0);  // space lets pass while it is more than 1
  EXPECT_EQ(Get("timeout_inject/space"), "2\n");
  EXPECT_EQ(Read(), 0);
  EXPECT_EQ(Read(), ETIMEDOUT);
  for (const char* left : {"3\n", "2\n", "1\n"}) {
    EXPECT_EQ(Get("timeout_inject/times"), left);
    ASSERT_THAT(Set("power", "0"), IsOk());
    EXPECT_EQ(Get("timeout_inject/times"), left);
    ASSERT_THAT(Set("power", "1"), IsOk());
    EXPECT_EQ(Get("timeout_inject/times"), left);
    EXPECT_EQ(Read(), ETIMEDOUT);
  }
  EXPECT_EQ(Get("timeout_inject/times"), "0\n");
  EXPECT_EQ(Read(), 0);
}

TEST_F(LiveAttributesTest, AFaultThatIsWrittenBeginsAnew) {
  ASSERT_THAT(node_->WriteJson({.data = R"({"io_timeout": 1, "size": 1,
      "timeout_inject": {"probability": 100, "times": 2}, "power": true})"}),
              IsOk());
  EXPECT_EQ(Read(), ETIMEDOUT);
  EXPECT_EQ(Read(), ETIMEDOUT);
  ASSERT_THAT(Set("timeout_inject/times", "1"), IsOk());  // under power
  EXPECT_EQ(Read(), ETIMEDOUT);
  EXPECT_EQ(Read(), 0);
  ASSERT_THAT(Set("power", "0"), IsOk());
  ASSERT_THAT(Set("timeout_inject/times", "1"), IsOk());  // without
  ASSERT_THAT(Set("power", "1"), IsOk());
  EXPECT_EQ(Read(), ETIMEDOUT);
  EXPECT_EQ(Read(), 0);
  ASSERT_THAT(Set("power", "0"), IsOk());
  ASSERT_THAT(node_->WriteJson({.data = R"({"timeout_inject": {"times": 1}, "power": true})"}),
              IsOk());
  EXPECT_EQ(Read(), ETIMEDOUT);
  EXPECT_EQ(Read(), 0);
}

TEST_F(LiveAttributesTest, APowerOnThatFailsCountsButTakesNothing) {
  ASSERT_THAT(Set("init_hctx_fault_inject/probability", "100"), IsOk());
  ASSERT_THAT(Set("init_hctx_fault_inject/times", "2"), IsOk());
  EXPECT_THAT(Set("power", "1"), RefusedWith(EFAULT, "init_hctx_fault_inject"));
  EXPECT_EQ(Get("init_hctx_fault_inject/times"), "1\n");
  // What is written together with a power-on that fails is refused with it.
  EXPECT_THAT(
      node_->WriteJson({.data = R"({"init_hctx_fault_inject": {"times": 5}, "power": true})"}),
      RefusedWith(EFAULT, "init_hctx_fault_inject"));
  EXPECT_EQ(Get("init_hctx_fault_inject/times"), "1\n");
  EXPECT_THAT(Set("power", "1"), RefusedWith(EFAULT, "init_hctx_fault_inject"));
  EXPECT_EQ(Get("init_hctx_fault_inject/times"), "0\n");
  EXPECT_THAT(Set("power", "1"), IsOk());
}

// What is written together with power counts from that power-on on.
TEST_F(LiveAttributesTest, APowerOnCountsInWhatIsWrittenWithIt) {
  ASSERT_THAT(node_->WriteJson({.data = R"({"init_hctx_fault_inject":
      {"probability": 100, "interval": 2, "times": -1}, "power": true})"}),
              IsOk());
  ASSERT_THAT(Set("power", "0"), IsOk());
  EXPECT_THAT(Set("power", "1"), RefusedWith(EFAULT, "queue 0"));
  ASSERT_THAT(node_->WriteJson({.data = R"({"init_hctx_fault_inject":
      {"interval": 1, "space": 2}, "power": true})"}),
              IsOk());
  EXPECT_EQ(Get("init_hctx_fault_inject/space"), "1\n");
  ASSERT_THAT(Set("power", "0"), IsOk());
  EXPECT_THAT(Set("power", "1"), RefusedWith(EFAULT, "queue 0"));
}

TEST_F(LiveAttributesTest, APowerOnThatIsRefusedUsesNothingUp) {
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(node_->WriteJson({.data = R"({"init_hctx_fault_inject": {"probability": 100},
                                     "power": true})"}),
                RefusedWith(EFAULT, "queue 0"));
    EXPECT_EQ(Get("init_hctx_fault_inject/times"), "1\n");
    EXPECT_EQ(Get("init_hctx_fault_inject/probability"), "0\n");
  }
}

TEST_F(LiveAttributesTest, IntervalsCountOnThroughPowerCycles) {
  ASSERT_THAT(Set("init_hctx_fault_inject/probability", "100"), IsOk());
  ASSERT_THAT(Set("init_hctx_fault_inject/interval", "3"), IsOk());
  for (int i = 1; i < 3; ++i) {
    EXPECT_THAT(Set("power", "1"), IsOk());
    ASSERT_THAT(Set("power", "0"), IsOk());
  }
  EXPECT_THAT(Set("power", "1"), RefusedWith(EFAULT, "queue 0"));
  EXPECT_THAT(Set("power", "1"), IsOk());
}

TEST_F(LiveAttributesTest, BadBlocksAreWrittenUnderPower) {
  ASSERT_THAT(node_->WriteJson({.data = R"({"size": 1, "badblocks_once": true, "power": true})"}),
              IsOk());
  ASSERT_THAT(Set("badblocks", "+0-3"), IsOk());
  EXPECT_EQ(Get("badblocks"), "0 4\n");
  EXPECT_EQ(Read(), EIO);
  EXPECT_EQ(Get("badblocks"), "");  // once
  EXPECT_EQ(Read(), 0);
  ASSERT_THAT(Set("badblocks", "+7-7"), IsOk());
  ASSERT_THAT(Set("power", "0"), IsOk());
  EXPECT_EQ(Get("badblocks"), "7 1\n");
}

TEST_F(LiveAttributesTest, TheRestIsBusyUnderPowerAndAParseErrorFirst) {
  ASSERT_THAT(Set("power", "1"), IsOk());
  EXPECT_THAT(Set("submit_queues", "1"), IsOk());
  EXPECT_THAT(Set("poll_queues", "1"), IsOk());
  for (const char* name : {"seed", "fua", "cache_size", "discard", "blocksize", "max_sectors"}) {
    EXPECT_THAT(Set(name, Get(name)), RefusedWith(EBUSY, name));  // also for the value it has
    EXPECT_THAT(Set(name, "much"), RefusedWith(EINVAL, name));
  }
  EXPECT_THAT(node_->last_error(), HasSubstr("max_sectors"));
}

}  // namespace
}  // namespace rnullfs
