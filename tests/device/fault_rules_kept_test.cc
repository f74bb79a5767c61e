// Fault rules that come and go: what has been counted, who takes over, what cannot be had; and all
// of it beside requests.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <thread>
#include <vector>

#include "device/disk.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

// Holds the last memfd, or refuses it.
class Keeper final : public MemfdKeeper {
 public:
  int Keep(int memfd) override {
    if (error != 0) return error;
    held = UniqueFd(fcntl(memfd, F_DUPFD_CLOEXEC, 3));
    return 0;
  }
  void Drop(int /*memfd*/) override { held.Reset(); }

  UniqueFd held;
  int error = 0;
};

FaultRules Rules(std::vector<std::string> lines) {
  FaultRules rules;
  for (const std::string& line : lines) EXPECT_TRUE(PutRuleLine("faults", line, rules).ok());
  return rules;
}

void Set(FaultRuleTable& table, const FaultRules& rules) {
  ASSERT_TRUE(table.Prepare(rules).ok());
  table.Commit();
}

constexpr FaultRequest kRead = {.op = kFaultRead, .first = 8, .last = 8, .seed = 1};

TEST(FaultRuleTable, CountsBeginAnewWhenARuleIsSwitchedOnOrChanged) {
  FaultRuleTable table("test", MemfdKeeper::None());
  Set(table, Rules({"x: read error"}));
  const auto seen = [&table] {
    table.Judge(kRead);
    return table.CountsOf("x")->seen;
  };
  EXPECT_EQ(seen(), 1U);
  EXPECT_EQ(seen(), 2U);
  Set(table, Rules({"x: read error", "y: read error"}));
  EXPECT_EQ(seen(), 3U);
  Set(table, Rules({"x: off read error"}));
  EXPECT_EQ(seen(), 3U) << "it is off";
  Set(table, Rules({"x: off write error"}));
  EXPECT_EQ(seen(), 3U);
  Set(table, Rules({"x: read error"}));
  EXPECT_EQ(seen(), 1U);
  Set(table, Rules({"x: read error times 7"}));
  EXPECT_EQ(seen(), 1U);
}

TEST(FaultRuleTable, WhatIsNotDoneLeavesNothing) {
  Keeper keeper;
  FaultRuleTable table("test", keeper);
  keeper.error = EMFILE;
  EXPECT_EQ(ErrnoOf(table.Prepare(Rules({"x: read error"}))), EMFILE);
  EXPECT_EQ(table.Get(), FaultRules());
  EXPECT_FALSE(table.armed());
  keeper.error = 0;
  Set(table, Rules({"x: read error"}));
  ASSERT_TRUE(table.Prepare(Rules({"y: read hang"})).ok());
  table.Undo();
  EXPECT_EQ(table.Get(), Rules({"x: read error"}));
  EXPECT_FALSE(table.CountsOf("y").has_value());
  EXPECT_EQ(table.Judge(kRead).error, EIO);
  EXPECT_TRUE(table.Commit().empty()) << "there is nothing to do";
  EXPECT_EQ(table.Get(), Rules({"x: read error"}));
}

TEST(FaultRuleTable, ASerialIsNeverUsedAgain) {
  FaultRuleTable table("test", MemfdKeeper::None());
  Set(table, Rules({"x: read error"}));
  const uint32_t first = table.CountsOf("x")->serial;
  EXPECT_EQ(table.NameOf(first), "x");
  Set(table, {});
  EXPECT_EQ(table.NameOf(first), std::nullopt);
  Set(table, Rules({"x: read error"}));
  EXPECT_GT(table.CountsOf("x")->serial, first);
}

// Requests that are not answered come again.
TEST(FaultRuleTable, IsTakenOverWithItsCounts) {
  Keeper keeper;
  const FaultRules rules = Rules({"a: off read error", "x: read hang after 2 times 3"});
  FaultRuleTable table("test", keeper);
  Set(table, rules);
  for (int i = 0; i < 3; ++i) table.Judge(kRead);
  std::vector<FaultVerdict> held;
  for (int i = 0; i < 2; ++i) held.push_back(table.Judge(kRead));
  EXPECT_EQ(table.CountsOf("x")->hits, 3U);
  EXPECT_EQ(table.CountsOf("x")->pending, 2U);

  FaultRuleTable next("test", keeper);
  ASSERT_TRUE(next.Adopt(rules, UniqueFd(fcntl(keeper.held.get(), F_DUPFD_CLOEXEC, 3))).ok());
  EXPECT_EQ(next.Get(), rules);
  EXPECT_EQ(next.CountsOf("x")->seen, 3U);
  EXPECT_EQ(next.CountsOf("x")->hits, 1U);
  EXPECT_EQ(next.CountsOf("x")->pending, 0U);
  EXPECT_EQ(next.CountsOf("x")->serial, table.CountsOf("x")->serial);
  EXPECT_EQ(next.EventsOf("x").size(), 1U);
  EXPECT_EQ(next.Judge(kRead).gates.size(), 1U);
  EXPECT_EQ(next.Judge(kRead).gates.size(), 1U);
  EXPECT_EQ(next.Judge(kRead).gates.size(), 0U) << "three times";
}

// What they have marked, and what other rules have counted for them.
TEST(FaultRuleTable, WhatComesAgainIsNewToAllRules) {
  Keeper keeper;
  const FaultRules rules = Rules({"a: read error after 4", "x: read hang once_per_sector 1",
                                  "y: read hang space 3 interval 2"});
  FaultRuleTable table("test", keeper);
  Set(table, rules);
  std::vector<FaultVerdict> held;
  for (uint64_t sector : {8, 8, 9}) {
    FaultRequest read = kRead;
    read.first = read.last = sector;
    if (FaultVerdict verdict = table.Judge(read); verdict.fired) held.push_back(std::move(verdict));
  }
  EXPECT_EQ(held.size(), 2U);
  FaultRuleTable next("test", keeper);
  ASSERT_TRUE(next.Adopt(rules, UniqueFd(fcntl(keeper.held.get(), F_DUPFD_CLOEXEC, 3))).ok());
  EXPECT_EQ(next.CountsOf("a")->seen, 1U) << "one that has been answered";
  EXPECT_EQ(next.CountsOf("x")->hits, 0U);
  EXPECT_EQ(next.CountsOf("y")->seen, 1U);
  FaultRequest read = kRead;
  EXPECT_EQ(next.Judge(read).gates.size(), 1U) << "it hangs again";
  EXPECT_EQ(next.Judge(read).gates.size(), 0U);
}

// Who is answered has no part in what is counted from then on.
TEST(FaultRuleTable, ASeriesThatIsOverIsNotTakenBackFromTheNext) {
  Keeper keeper;
  FaultRuleTable table("test", keeper);
  Set(table, Rules({"x: read delay 1s"}));
  FaultVerdict old = table.Judge(kRead);
  Set(table, Rules({"x: read delay 2s"}));
  EXPECT_EQ(table.CountsOf("x")->pending, 0U);
  FaultVerdict held = table.Judge(kRead);
  old = FaultVerdict();
  EXPECT_EQ(table.CountsOf("x")->pending, 1U);
  held = FaultVerdict();
  EXPECT_EQ(table.CountsOf("x")->pending, 0U);
  EXPECT_EQ(table.CountsOf("x")->hits, 1U);
}

TEST(FaultRuleTable, TakesOverWithoutAFileOrWithOneOfOtherRules) {
  Keeper keeper;
  FaultRuleTable without("test", keeper);
  ASSERT_TRUE(without.Adopt(Rules({"x: read error"}), UniqueFd()).ok());
  EXPECT_EQ(without.Judge(kRead).error, EIO);
  FaultRuleTable others("test", MemfdKeeper::None());
  ASSERT_TRUE(
      others.Adopt(Rules({"y: read error"}), UniqueFd(fcntl(keeper.held.get(), F_DUPFD_CLOEXEC, 3)))
          .ok());
  EXPECT_FALSE(others.CountsOf("x").has_value());
  EXPECT_EQ(others.Judge(kRead).error, EIO);
  UniqueFd rubbish(memfd_create("rubbish", MFD_CLOEXEC));
  EXPECT_EQ(ErrnoOf(FaultRuleTable("test", keeper).Adopt({}, std::move(rubbish))), EINVAL);
}

// Rules are replaced while requests run into them; whoever hangs is let go in the end.
TEST(FaultRules, ComeAndGoBesideRequests) {
  TestDisk disk({.blocksize = 512, .size = 16, .memory_backed = true, .seed = 1});
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&disk, &stop, i] {
      while (!stop) {
        const Outcome outcome = disk.Read(static_cast<uint64_t>(i) * 4096, 512);
        if (outcome.error != 0 && outcome.error != EROFS) ADD_FAILURE() << outcome.error;
      }
    });
  }
  for (int i = 0; i < 200; ++i) {
    disk.SetRules("a: read 0-7 hang\nb: read delay 10us-50us probability 20");
    disk.SetRules("b: read error EROFS interval 2\nc: read once_per_sector hang");
    disk.SetRules("c: read once_per_sector hang\nd: write hang");
    disk.SetRules("");
  }
  stop = true;
  disk.SetRules("");
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(disk.statistics().in_flight, 0U);
}

}  // namespace
}  // namespace rnullfs
