// What fault rules do to requests of a device.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <memory>
#include <vector>

#include "device/bad_block_table.h"
#include "device/disk.h"

namespace rnullfs {
namespace {

constexpr int64_t kMsec = 1'000'000;

DeviceConfig Config(uint64_t seed = 1) {
  return {.blocksize = 512, .size = 16, .memory_backed = true, .discard = true, .seed = seed};
}

class FaultRulesTest : public testing::Test {
 protected:
  int Write(uint64_t sector, char c, uint64_t sectors = 1) {
    return disk_.Write(sector * 512, std::string(sectors * 512, c)).error;
  }
  int Read(uint64_t sector, uint64_t sectors = 1) {
    return disk_.Read(sector * 512, sectors * 512).error;
  }
  char At(uint64_t sector) { return disk_.Read(sector * 512, 512).data.at(0); }
  uint64_t Seen(const char* rule) { return disk_.rules().CountsOf(rule)->seen; }
  uint64_t Hits(const char* rule) { return disk_.rules().CountsOf(rule)->hits; }

  // How many of so many reads fail, in a row: "..x.".
  std::string Failing(int reads) {
    std::string row;
    for (int i = 0; i < reads; ++i) row += Read(0) == 0 ? '.' : 'x';
    return row;
  }

  TestDisk disk_{Config()};
};

TEST_F(FaultRulesTest, AnErrorIsWhatTheRuleSays) {
  Write(8, 'a');
  disk_.SetRules("x: write 8-15 error ENOSPC");
  EXPECT_EQ(Write(8, 'b'), ENOSPC);
  EXPECT_EQ(Write(7, 'b', 2), ENOSPC);
  EXPECT_EQ(Write(15, 'b', 9), ENOSPC);
  EXPECT_EQ(Write(7, 'b'), 0);
  EXPECT_EQ(Write(16, 'b'), 0);
  EXPECT_EQ(Read(8), 0);
  EXPECT_EQ(At(8), 'a');
  EXPECT_EQ(Seen("x"), 3U);
  EXPECT_EQ(Hits("x"), 3U);
  disk_.SetRules("x: off write 8-15 error ENOSPC");
  EXPECT_EQ(Write(8, 'b'), 0);
}

TEST_F(FaultRulesTest, AnErrorAfterwardsHasDoneWhatItWasTo) {
  disk_.SetRules("x: write error EIO when after");
  EXPECT_EQ(Write(8, 'b'), EIO);
  EXPECT_EQ(At(8), 'b');
  const Outcome read = disk_.Read(0, 512);
  EXPECT_EQ(read.bytes, 512U);
}

TEST_F(FaultRulesTest, EachOperationIsChosenByItsName) {
  const std::pair<const char*, Op> ops[] = {{"read", Op::kRead},
                                            {"write", Op::kWrite},
                                            {"flush", Op::kFlush},
                                            {"discard", Op::kDiscard},
                                            {"zero", Op::kWriteZeroes}};
  const std::string data(512, 'x');
  for (const auto& [name, chosen] : ops) {
    disk_.SetRules(std::string("x: 0-7 error EIO ") + name);
    for (const auto& [other, op] : ops) {
      const Command command = {op, 0, op == Op::kFlush ? 0U : 512U, data.data()};
      EXPECT_EQ(disk_.Do(command).error, op == chosen ? EIO : 0) << name << " " << other;
    }
    EXPECT_EQ(disk_.Do({Op::kAllocate, 0, 512}).error, 0) << name;
  }
}

TEST_F(FaultRulesTest, CountAsTheKernelsFaultAttr) {
  disk_.SetRules("x: read error times 2");
  EXPECT_EQ(Failing(5), "xx...");
  EXPECT_EQ(Seen("x"), 5U);
  EXPECT_EQ(Hits("x"), 2U);
  disk_.SetRules("x: read error interval 3");
  EXPECT_EQ(Failing(7), "..x..x.");
  disk_.SetRules("x: read error space 3");
  EXPECT_EQ(Failing(4), "..xx");
  disk_.SetRules("x: read error after 3");
  EXPECT_EQ(Failing(5), "...xx");
  disk_.SetRules("x: read error after 2 interval 2 times 1");
  EXPECT_EQ(Failing(8), "...x....");
  disk_.SetRules("x: read error probability 0");
  EXPECT_EQ(Failing(3), "...");
}

TEST_F(FaultRulesTest, FireOncePerSectorOfTheRules) {
  disk_.SetRules("x: read 8-15 error once_per_sector 1");
  EXPECT_EQ(Read(8, 8), EIO);
  EXPECT_EQ(Read(7, 2), 0);
  EXPECT_EQ(Read(0, 32), 0);
}

TEST_F(FaultRulesTest, FireOncePerSector) {
  disk_.SetRules("x: read error once_per_sector 1");
  EXPECT_EQ(Read(100), EIO);
  EXPECT_EQ(Read(100), 0);
  EXPECT_EQ(Read(99, 3), EIO);
  EXPECT_EQ(Read(99, 3), 0);
  EXPECT_EQ(Read(0, 32768), EIO);
  EXPECT_EQ(Read(0, 32768), 0);
  EXPECT_EQ(Read(7), 0);
  EXPECT_EQ(Hits("x"), 3U);
}

TEST_F(FaultRulesTest, TheSameSeedAndRequestsMeetTheSame) {
  const std::string lines = "x: read error probability 30";
  disk_.SetRules(lines);
  const std::string first = Failing(2000);
  const auto failed = std::count(first.begin(), first.end(), 'x');
  EXPECT_GT(failed, 500);
  EXPECT_LT(failed, 700);
  disk_.PowerOn(Config());
  EXPECT_EQ(Failing(2000), first);
  EXPECT_EQ(Seen("x"), 4000U);
  disk_.PowerOn(Config(2));
  EXPECT_NE(Failing(2000), first);
  // Whatever others do.
  disk_.PowerOn(Config());
  disk_.SetRules("a: read error probability 0\n" + lines);
  EXPECT_EQ(Failing(2000), first);
  disk_.PowerOn(Config());
  disk_.SetRules("y: read error probability 30");
  EXPECT_NE(Failing(2000), first);
}

TEST_F(FaultRulesTest, TheFirstByNameDecides) {
  disk_.SetRules("b: read error EROFS\na: read error ENODEV times 1\nc: read error EIO");
  EXPECT_EQ(Read(0), ENODEV);
  EXPECT_EQ(Read(0), EROFS);
  EXPECT_EQ(Seen("c"), 2U);
  EXPECT_EQ(Hits("c"), 0U);
}

TEST_F(FaultRulesTest, DelaysAddUpAndErrorsAreDelayed) {
  disk_.SetRules("a: read delay 20ms\nb: read error\nc: read delay 10ms");
  const int64_t begin_nsec = Clock::Real().NowNsec();
  const Outcome read = disk_.Read(0, 512);
  EXPECT_EQ(read.error, EIO);
  EXPECT_GE(read.answered_nsec - begin_nsec, 30 * kMsec);
}

TEST_F(FaultRulesTest, LanesDelaySoManyAtOnce) {
  disk_.SetRules("a: read delay 20ms lanes 2");
  const int64_t begin_nsec = Clock::Real().NowNsec();
  Request requests[6];
  for (Request& request : requests) {
    disk_.device().Submit({Op::kRead, 0, 512}, request.completion());
  }
  for (int i = 0; i < 6; ++i) {
    EXPECT_GE(requests[i].Wait().answered_nsec - begin_nsec, 20 * kMsec * (1 + i / 2)) << i;
  }
}

// By what `last` has noted.
std::vector<uint64_t> DelaysOf(TestDisk& disk, const std::string& delay) {
  std::vector<uint64_t> delays;
  disk.SetRules("x: off read delay " + delay);
  disk.SetRules("x: read delay " + delay);
  for (int i = 0; i < 40; ++i) {
    for (int j = 0; j < 50; ++j) disk.Read(0, 512);
    for (const FaultFile::Event& event : disk.rules().EventsOf("x")) {
      if (delays.size() < static_cast<size_t>(i + 1) * 50) delays.push_back(event.detail);
    }
  }
  std::sort(delays.begin(), delays.end());
  return delays;
}

TEST_F(FaultRulesTest, DelaysAreDistributedAsSaid) {
  const std::vector<uint64_t> uniform = DelaysOf(disk_, "10us-50us");
  EXPECT_GE(uniform.front(), 10'000U);
  EXPECT_LE(uniform.back(), 50'000U);
  EXPECT_NEAR(static_cast<double>(uniform[uniform.size() / 2]), 30'000, 3'000);
  const std::vector<uint64_t> skewed = DelaysOf(disk_, "5us/50us");
  EXPECT_NEAR(static_cast<double>(skewed[skewed.size() / 2]), 5'000, 500);
  const auto above =
      std::count_if(skewed.begin(), skewed.end(), [](uint64_t nsec) { return nsec > 50'000; });
  EXPECT_GT(above, 4);
  EXPECT_LT(above, 50);
}

size_t Threads() {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/task"),
                                           std::filesystem::directory_iterator()));
}

TEST_F(FaultRulesTest, WhatHangsIsHeldUntilTheRuleIsOff) {
  Write(0, 'a');
  disk_.SetRules("x: read hang");
  const size_t threads = Threads();
  std::vector<std::unique_ptr<Request>> requests;
  for (int i = 0; i < 1000; ++i) {
    requests.push_back(std::make_unique<Request>());
    disk_.device().Submit({Op::kRead, 0, 512}, requests.back()->completion());
  }
  EXPECT_EQ(Write(1, 'b'), 0);
  EXPECT_LE(Threads(), threads + 1);  // the queue's own
  EXPECT_EQ(disk_.statistics().in_flight, 1000U);
  EXPECT_EQ(disk_.rules().CountsOf("x")->pending, 1000U);
  for (const auto& request : requests) EXPECT_FALSE(request->IsAnswered());
  disk_.SetRules("x: off read hang");
  for (const auto& request : requests) {
    const Outcome outcome = request->Wait();
    EXPECT_EQ(outcome.error, 0);
    EXPECT_EQ(outcome.data.at(0), 'a');
  }
  EXPECT_EQ(Hits("x"), 1000U);
  EXPECT_EQ(disk_.rules().CountsOf("x")->pending, 0U);
}

TEST_F(FaultRulesTest, WhoMayNotWaitIsBusyAndHasNotBeenCounted) {
  disk_.SetRules("a: read error EPERM probability 0\nx: read hang");
  std::vector<std::unique_ptr<Request>> requests;
  do {
    requests.push_back(std::make_unique<Request>());
    disk_.device().Submit({Op::kRead, 0, 512}, requests.back()->completion());
  } while (!requests.back()->IsAnswered());
  EXPECT_EQ(requests.back()->Wait().error, EBUSY);
  const uint64_t held = requests.size() - 1;
  EXPECT_GT(held, 5000U);
  EXPECT_EQ(Hits("x"), held);
  EXPECT_EQ(disk_.rules().CountsOf("x")->pending, held);
  EXPECT_EQ(Write(0, 'a'), 0);
  Request again;
  disk_.device().Submit({.op = Op::kRead, .offset = 0, .length = 512, .again = true},
                        again.completion());
  EXPECT_FALSE(again.IsAnswered()) << "it has waited before";
  disk_.SetRules("");
  for (const auto& request : requests) request->Wait();
  EXPECT_EQ(again.Wait().error, 0);
}

// Who is above gives up more than the request after a while.
TEST_F(FaultRulesTest, NobodyWaitsLongerThanThereIsPatience) {
  Medium& medium = disk_.mutable_medium();
  auto device = Device::PowerOn(
      Config(), medium, disk_.counters(),
      {.clock = Clock::Real(), .completions = disk_.completions(), .patience_nsec = 20 * kMsec});
  ASSERT_TRUE(device.ok());
  for (const char* const rule : {"x: read hang", "x: read delay 1s"}) {
    disk_.SetRules(rule);
    Request request;
    (*device)->Submit({Op::kRead, 0, 512}, request.completion());
    EXPECT_EQ(request.Wait().error, ETIMEDOUT) << rule;
  }
  disk_.SetRules("x: read delay 10ms");
  Request request;
  (*device)->Submit({Op::kRead, 0, 512}, request.completion());
  EXPECT_EQ(request.Wait().error, 0);
}

TEST_F(FaultRulesTest, WhatTwoRulesHoldWaitsForBoth) {
  disk_.SetRules("a: read hang\nb: read hang");
  Request request;
  disk_.device().Submit({Op::kRead, 0, 512}, request.completion());
  disk_.SetRules("a: read hang");
  EXPECT_FALSE(request.IsAnswered());
  disk_.SetRules("");
  EXPECT_EQ(request.Wait().error, 0);
  Request other;
  disk_.SetRules("a: read hang\nb: read hang");
  disk_.device().Submit({Op::kRead, 0, 512}, other.completion());
  disk_.SetRules("b: read hang");
  disk_.SetRules("");
  EXPECT_EQ(other.Wait().error, 0);
}

TEST_F(FaultRulesTest, WhatHangsIsAnsweredWhenTheQueueStops) {
  disk_.SetRules("x: read hang");
  Request request;
  disk_.device().Submit({Op::kRead, 0, 512}, request.completion());
  disk_.completions().Stop();
  EXPECT_EQ(request.Wait().error, 0);
  Request next;
  disk_.device().Submit({Op::kRead, 0, 512}, next.completion());
  EXPECT_EQ(next.Wait().error, 0);
}

TEST_F(FaultRulesTest, ARuleThatGoesLeavesWhatItDelays) {
  disk_.SetRules("x: read delay 30ms");
  Request request;
  disk_.device().Submit({Op::kRead, 0, 512}, request.completion());
  disk_.SetRules("");
  EXPECT_FALSE(request.IsAnswered());
  EXPECT_EQ(request.Wait().error, 0);
  EXPECT_FALSE(disk_.rules().CountsOf("x").has_value());
}

TEST_F(FaultRulesTest, NullBlksOwnComeFirst) {
  ASSERT_TRUE(disk_.medium().bad_blocks().Replace({}, [] {
    BadBlocks bad;
    bad.Mark({8, 8});
    return bad;
  }()));
  disk_.SetRules("x: read error EROFS");
  EXPECT_EQ(Read(8), EIO);
  EXPECT_EQ(Seen("x"), 0U);
  EXPECT_EQ(Read(0), EROFS);
  DeviceConfig lossy = Config();
  lossy.timeout_inject = {.probability = 100, .times = 1};
  lossy.io_timeout = 1;
  disk_.PowerOn(lossy);
  EXPECT_EQ(Read(0), ETIMEDOUT);
  EXPECT_EQ(Seen("x"), 1U);
  EXPECT_EQ(disk_.Read(1, 0).error, 0);
  EXPECT_EQ(disk_.Do({.op = Op::kRead, .offset = 1, .length = 512, .direct = true}).error, EINVAL);
  EXPECT_EQ(Seen("x"), 1U);
}

TEST_F(FaultRulesTest, TheLatestAreNoted) {
  disk_.SetRules("x: read write error EPERM");
  Write(9, 'a', 3);
  for (int i = 0; i < 70; ++i) Read(static_cast<uint64_t>(i));
  const std::vector<FaultFile::Event> events = disk_.rules().EventsOf("x");
  ASSERT_EQ(events.size(), 64U);
  EXPECT_EQ(events.front().sector, 6U);
  EXPECT_EQ(events.back().sector, 69U);
  EXPECT_EQ(events.back().sectors, 1U);
  EXPECT_EQ(events.back().op, kFaultRead);
  EXPECT_EQ(events.back().detail, uint64_t{EPERM});
}

}  // namespace
}  // namespace rnullfs
