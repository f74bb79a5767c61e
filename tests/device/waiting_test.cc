// What one disk may have waiting, so that the other disks of a mount go on.

#include "device/waiting.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "device/completion_queue.h"
#include "rnullfs/clock.h"
#include "rnullfs/device.h"

namespace rnullfs {
namespace {

// Adds to `disk` and to `all` what they have room for; how many requests that is.
uint64_t Fill(Waiting& all, Waiting& disk, uint64_t bytes) {
  uint64_t added = 0;
  for (; all.LeavesRoomTo(disk, bytes); ++added) {
    all.Add(bytes);
    disk.Add(bytes);
  }
  return added;
}

TEST(Waiting, GivesADiskAloneAFifth) {
  Waiting all;
  Waiting disk;
  EXPECT_NEAR(static_cast<double>(Fill(all, disk, 0)), Waiting::kRequestsShared / 5.0, 1);
  EXPECT_FALSE(all.LeavesRoomTo(disk, 0));
  disk.Remove(0);
  all.Remove(0);
  EXPECT_TRUE(all.LeavesRoomTo(disk, 0));
}

TEST(Waiting, LeavesSomethingToTheNextHoweverManyThereAre) {
  Waiting all;
  std::vector<std::unique_ptr<Waiting>> disks;
  for (int i = 0; i < 50; ++i) {
    Waiting& disk = *disks.emplace_back(std::make_unique<Waiting>());
    EXPECT_GE(Fill(all, disk, 0), Waiting::kRequestsOwn) << i;
  }
  Waiting next;
  EXPECT_TRUE(all.LeavesRoomTo(next, Waiting::kBytesOwn));
  EXPECT_LT(all.requests(), Waiting::kRequestsMax);
}

TEST(Waiting, CountsTheMemoryThatReadsHold) {
  constexpr uint64_t kBytes = uint64_t{1} << 20;
  Waiting all;
  Waiting disk;
  EXPECT_NEAR(static_cast<double>(Fill(all, disk, kBytes)), Waiting::kBytesShared / 5.0 / kBytes,
              1);
  EXPECT_FALSE(all.LeavesRoomTo(disk, kBytes));
  EXPECT_TRUE(all.LeavesRoomTo(disk, 0));
}

// --- Devices that share a queue -----------------------------------------------------------------

struct Counts {
  int answered = 0;
  int busy = 0;
  Completion completion() {
    return {.complete =
                [](void* tag, const Answer& answer) {
                  auto& counts = *static_cast<Counts*>(tag);
                  ++counts.answered;
                  if (answer.error == EBUSY) ++counts.busy;
                },
            .tag = this};
  }
};

TEST(WaitingDevices, OneThatHoldsItsRequestsLeavesTheOtherAlone) {
  constexpr int kTooMany = Waiting::kRequestsShared / 5 + 1000;
  CompletionQueue completions(Clock::Real());
  MemoryLimit memory;
  DeviceCounters counters[2];
  Medium slow_medium({.name = "slow", .cache_name = "", .memory = memory, .counters = counters[0]});
  Medium medium({.name = "other", .cache_name = "", .memory = memory, .counters = counters[1]});
  std::string said;
  const auto slow =
      Device::PowerOn({.size = 1, .irqmode = IrqMode::kTimer, .completion_nsec = 3'600'000'000'000},
                      slow_medium, counters[0], {Clock::Real(), completions},
                      [&said](const std::string& sentence) { said += sentence; });
  const auto other = Device::PowerOn({.size = 1, .irqmode = IrqMode::kSoft}, medium, counters[1],
                                     {Clock::Real(), completions});
  Counts slow_counts;
  for (int i = 0; i < kTooMany; ++i) {
    (*slow)->Submit({.op = Op::kRead, .offset = 0, .length = 512}, slow_counts.completion());
  }
  EXPECT_GT(slow_counts.busy, 900);
  EXPECT_LE(slow_counts.busy, 1001);
  EXPECT_EQ(slow_counts.answered, slow_counts.busy) << "the others wait";
  EXPECT_NE(said.find("requests wait for their answers"), std::string::npos) << said;
  EXPECT_EQ(said.find("EBUSY"), said.rfind("EBUSY")) << "once: " << said;

  Counts other_counts;
  for (int i = 0; i < 128; ++i) {
    (*other)->Submit({.op = Op::kRead, .offset = 0, .length = 512}, other_counts.completion());
  }
  completions.Stop();
  EXPECT_EQ(other_counts.answered, 128);
  EXPECT_EQ(other_counts.busy, 0);
  EXPECT_EQ(slow_counts.answered, kTooMany);
  EXPECT_EQ(completions.waiting().requests(), 0U);
}

}  // namespace
}  // namespace rnullfs
