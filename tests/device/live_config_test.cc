// What changes while a disk is on: as of the next request, and beside requests of other threads.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "device/bad_block_table.h"
#include "disk.h"

namespace rnullfs {
namespace {

using testing::Ge;
using testing::Lt;

constexpr int64_t kMsec = 1'000'000;
constexpr int64_t kHourNsec = 3'600'000 * kMsec;

class LiveConfigTest : public testing::Test {
 protected:
  void Set(const DeviceConfig& config) { disk_.device().SetLive(config); }

  // How long a read takes.
  int64_t ReadNsec() {
    const int64_t begin_nsec = Clock::Real().NowNsec();
    EXPECT_EQ(disk_.Read(0, 512).error, 0);
    return Clock::Real().NowNsec() - begin_nsec;
  }
  // Reads that are not waited for.
  void Begin(int count) {
    for (int i = 0; i < count; ++i) {
      begun_.push_back(std::make_unique<Request>());
      disk_.device().Submit({Op::kRead, 0, 512}, begun_.back()->completion());
    }
  }
  bool NoneIsAnswered() {
    for (const auto& request : begun_) {
      if (request->IsAnswered()) return false;
    }
    return true;
  }
  // All are answered, with what they have read.
  void End() {
    disk_.completions().Stop();
    for (const auto& request : begun_) EXPECT_EQ(request->Wait().error, 0);
  }

  DeviceConfig config_ = {.power = true,
                          .blocksize = 512,
                          .size = 1,
                          .irqmode = IrqMode::kTimer,
                          .completion_nsec = kHourNsec,
                          .memory_backed = true,
                          .discard = true,
                          .hw_queue_depth = 4};
  std::vector<std::unique_ptr<Request>> begun_;
  TestDisk disk_{config_};
};

TEST_F(LiveConfigTest, AnotherTimeCountsForTheNextRequestAndWhatWaitsKeepsIts) {
  Begin(100);  // an hour each, four at once
  config_.completion_nsec = 20 * kMsec;
  Set(config_);
  EXPECT_THAT(ReadNsec(), Ge(20 * kMsec));
  config_.completion_nsec = 1000;
  Set(config_);
  ReadNsec();
  config_.irqmode = IrqMode::kSoft;
  config_.completion_nsec = kHourNsec;
  Set(config_);
  EXPECT_NE(disk_.Read(0, 512).thread, std::this_thread::get_id());
  config_.irqmode = IrqMode::kNone;
  Set(config_);
  EXPECT_EQ(disk_.Read(0, 512).thread, std::this_thread::get_id());
  EXPECT_TRUE(NoneIsAnswered());
  config_.irqmode = IrqMode::kTimer;
  config_.completion_nsec = 30 * kMsec;
  Set(config_);
  EXPECT_THAT(ReadNsec(), Ge(30 * kMsec));
  EXPECT_TRUE(NoneIsAnswered());
  End();
}

TEST_F(LiveConfigTest, ALimitThatIsTakenAwayHoldsNobodyUp) {
  config_.irqmode = IrqMode::kNone;
  config_.iops.both = 1;
  Set(config_);
  Begin(3600);
  EXPECT_EQ(disk_.statistics().in_flight, 3600);
  config_.iops.both = 0;
  Set(config_);
  EXPECT_EQ(disk_.Read(0, 512).thread, std::this_thread::get_id()) << "at once";
  config_.mbps.both = 1;
  Set(config_);
  const int64_t begin_nsec = Clock::Real().NowNsec();
  disk_.Write(0, std::string(64 * 1024, 'x'));
  EXPECT_THAT(Clock::Real().NowNsec() - begin_nsec, Ge(50 * kMsec));
  EXPECT_TRUE(NoneIsAnswered());
  End();
}

TEST_F(LiveConfigTest, MoreSlotsAreThereAtOnce) {
  config_.completion_nsec = 100 * kMsec;
  Set(config_);
  Begin(4);
  config_.hw_queue_depth = 8;
  Set(config_);
  const int64_t begin_nsec = Clock::Real().NowNsec();
  Begin(4);
  for (const auto& request : begun_) {
    EXPECT_THAT(request->Wait().answered_nsec - begin_nsec, Lt(180 * kMsec));
  }
}

TEST_F(LiveConfigTest, BadBlocksGoByTheRulesThatThereAre) {
  config_.irqmode = IrqMode::kNone;
  Set(config_);
  BadBlocks bad;
  bad.Mark({2, 3});
  disk_.mutable_medium().bad_blocks().Replace({}, bad);
  const std::string data(4 * 512, 'x');
  EXPECT_EQ(disk_.Write(0, data).error, EIO);
  EXPECT_EQ(disk_.medium().stored_pages(), 0);
  config_.badblocks_partial_io = true;
  Set(config_);
  EXPECT_EQ(disk_.Write(0, data).error, EIO);
  EXPECT_EQ(disk_.medium().stored_pages(), 1);
  EXPECT_EQ(disk_.Write(0, data).error, EIO) << "they are as bad as before";
  config_.badblocks_once = true;
  Set(config_);
  EXPECT_EQ(disk_.Write(0, data).error, EIO);
  EXPECT_EQ(disk_.Write(0, data).error, 0);
}

TEST_F(LiveConfigTest, WhatGetsLostFailsAfterTheTimeThatThereIs) {
  config_.irqmode = IrqMode::kNone;
  config_.timeout_inject = {.probability = 100, .times = -1};
  config_.io_timeout = 3'600'000;
  disk_.PowerOn(config_);
  Begin(8);  // which has all slots for an hour
  config_.io_timeout = 10;
  Set(config_);
  EXPECT_EQ(disk_.Read(0, 512).error, ETIMEDOUT);
  EXPECT_TRUE(NoneIsAnswered());
  disk_.completions().Stop();
  for (const auto& request : begun_) EXPECT_EQ(request->Wait().error, ETIMEDOUT);
}

TEST_F(LiveConfigTest, WhatIsLargerIsThereForTheNextRequest) {
  for (const bool memory_backed : {true, false}) {
    config_.irqmode = IrqMode::kNone;
    config_.memory_backed = memory_backed;
    config_.size = 1;
    disk_.PowerOn(config_);
    EXPECT_EQ(disk_.Write(kMiB, "x").error, ENOSPC);
    config_.size = 3;
    ASSERT_TRUE(disk_.mutable_medium().Grow(config_).ok());
    EXPECT_EQ(disk_.Write(kMiB, "x").error, ENOSPC) << "it is not the disk's yet";
    EXPECT_EQ(disk_.device().NextData(0), kMiB);
    EXPECT_EQ(disk_.device().NextHole(0), 0);
    Set(config_);
    disk_.mutable_medium().EndGrowth(config_);
    EXPECT_EQ(disk_.device().size_bytes(), 3 * kMiB);
    EXPECT_EQ(disk_.Write(3 * kMiB - 1, "x").error, 0);
    EXPECT_EQ(disk_.Write(3 * kMiB, "x").error, ENOSPC);
    EXPECT_EQ(disk_.Read(3 * kMiB - 1, 2).data, memory_backed ? "x" : std::string(1, '\0'));
    EXPECT_EQ(disk_.device().NextData(0), 3 * kMiB - (memory_backed ? 4096 : 0));
  }
}

// Each is answered once, and what was written is there.
TEST_F(LiveConfigTest, ChangesGoBesideRequests) {
  constexpr int kThreads = 3;
  constexpr uint64_t kLast = 40;  // MiB
  config_.irqmode = IrqMode::kNone;
  Set(config_);
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t, &stop] {
      uint64_t last = 0;
      for (uint64_t i = 0; !stop; ++i) {
        const uint64_t size_bytes = disk_.device().size_bytes();
        EXPECT_GE(size_bytes, last) << "it never becomes smaller";
        last = size_bytes;
        const uint64_t offset = size_bytes - (i % 8 * kThreads + t + 1) * 4096;
        const std::string data(4096, static_cast<char>('a' + t));
        ASSERT_EQ(disk_.Write(offset, data).error, 0);
        ASSERT_EQ(disk_.Read(offset, 4096).data, data);
        ASSERT_EQ(disk_.Do({.op = Op::kDiscard, .offset = offset, .length = 4096}).error, 0);
        ASSERT_EQ(disk_.device().NextHole(offset), offset);
      }
    });
  }
  for (uint64_t i = 0; config_.size < kLast; ++i) {
    config_.irqmode = static_cast<IrqMode>(i % 3);
    config_.completion_nsec = i % 5 * 1000;
    config_.iops.both = i % 2 == 0 ? 0 : 100'000;
    config_.mbps.write = i % 3 == 0 ? 0 : 4000;
    config_.hw_queue_depth = 1 + i % 4;
    config_.io_timeout = 1 + i;
    config_.badblocks_once = i % 2 == 0;
    config_.badblocks_partial_io = i % 2 == 0;
    if (i % 10 == 0) ++config_.size;
    ASSERT_TRUE(disk_.mutable_medium().Grow(config_).ok());
    Set(config_);
    disk_.mutable_medium().EndGrowth(config_);
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(disk_.statistics().in_flight, 0);
}

}  // namespace
}  // namespace rnullfs
