// What fault rules do to requests of a device, but for those that have them wait.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "device/bad_block_table.h"
#include "device/fault_rules_util.h"

namespace rnullfs {
namespace {

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
