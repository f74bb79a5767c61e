// The power is cut on a disk that has lost flushes, or writes: it shows what is left, and has what
// had been promised; and what is damaged is what differs.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/memfd_name.h"
#include "records/state_records.h"
#include "silent_util.h"

namespace rnullfs {
namespace {

class SilentPowerTest : public SilentFaultsTest {
 protected:
  void CutAndGoOn() {
    ASSERT_TRUE(disk_.CheckCut().ok()) << disk_.CheckCut();
    const absl::Status cut = disk_.Cut();
    ASSERT_TRUE(cut.ok()) << cut;
    const std::string listed = Listed();
    disk_.EndCut();
    Set("power", "1");
    EXPECT_EQ(Listed(), listed) << "as it was at once";
  }
  // Exactly where what it shows is not what it has.
  void ExpectListOf(const std::string& rule, uint64_t sectors) {
    const std::string shown = Shown(0, sectors);
    const std::string truth = Truth(0, sectors);
    std::string listed(sectors, ' ');
    std::string differs = listed;
    for (const Damage::Range& range : damage().List()) {
      EXPECT_EQ(range.action, FaultAction::kLost);
      EXPECT_EQ(range.rule, rule);
      for (uint64_t i = range.first; i <= range.last; ++i) listed[i] = 'x';
    }
    for (uint64_t i = 0; i < sectors; ++i) differs[i] = shown[i] == truth[i] ? ' ' : 'x';
    EXPECT_EQ(listed, differs);
  }
};

TEST_F(SilentPowerTest, ALostFlushIsSeenWhenThePowerGoes) {
  On(R"(, "history": 8)");
  ASSERT_EQ(Write(0, "aaaaaaaaaaaa"), 0);
  ASSERT_EQ(Flush(), 0);
  ASSERT_EQ(Write(2, "bbbbbbbb"), 0);
  Rules("f: flush lost times 1");
  ASSERT_EQ(Flush(), 0);
  ASSERT_EQ(Write(4, "cc"), 0);
  ASSERT_EQ(Write(11, "c"), 0);
  EXPECT_EQ(Shown(0, 12), "aabbccbbbbac");
  EXPECT_EQ(Listed(), "") << "nobody could see it yet";
  CutAndGoOn();
  EXPECT_EQ(Shown(0, 12), "aaaaaaaaaaaa");
  EXPECT_EQ(Truth(0, 12), "aabbbbbbbbaa") << "what had been promised";
  EXPECT_EQ(Listed(), "2-9 lost f\n");
  EXPECT_EQ(disk_.counters().cuts.lost_sectors, 9U);
  EXPECT_EQ(disk_.counters().damage.injected, 8U);
  CutAndGoOn();
  EXPECT_EQ(Listed(), "2-9 lost f\n") << "nothing more";
  ASSERT_EQ(Write(2, "dddd"), 0);
  EXPECT_EQ(Listed(), "6-9 lost f\n");
}

TEST_F(SilentPowerTest, ATrueFlushCoversWhatALostOneDidNot) {
  On(R"(, "history": 8)");
  ASSERT_EQ(Write(0, "aaaa"), 0);
  Rules("f: flush lost times 1");
  ASSERT_EQ(Flush(), 0);
  ASSERT_EQ(Write(1, "b"), 0);
  ASSERT_EQ(Flush(), 0);
  ASSERT_EQ(Write(2, "c"), 0);
  CutAndGoOn();
  EXPECT_EQ(Shown(0, 4), "abaa");
  EXPECT_EQ(Listed(), "");
  EXPECT_EQ(Hits("f"), 1U);
}

TEST_F(SilentPowerTest, FlushesThatAreLostOneAfterTheOtherCoverNothing) {
  On(R"(, "history": 8)");
  ASSERT_EQ(Write(0, "aaaa"), 0);
  ASSERT_EQ(Write(0, "A", /*fua=*/true), 0);
  Rules("f: flush lost\nu: off flush lost");
  for (const char letter : std::string("bcd")) {
    ASSERT_EQ(Write(1, std::string(2, letter)), 0);
    ASSERT_EQ(Flush(), 0);
  }
  Rules("-f\nu: flush lost");
  ASSERT_EQ(Flush(), 0);
  ASSERT_EQ(Write(3, "e"), 0);
  CutAndGoOn();
  EXPECT_EQ(Shown(0, 4), "Aaaa");
  EXPECT_EQ(Truth(0, 4), "Adda");
  EXPECT_EQ(Listed(), "1-2 lost u\n") << "the last of them";
}

TEST_F(SilentPowerTest, WhateverACutKeepsTheListIsWhatDiffers) {
  uint64_t damaged = 0;
  for (const char* const keeps : {"none", "random", "torn", "all"}) {
    for (int seed = 0; seed < 6; ++seed) {
      SCOPED_TRACE(testing::Message() << keeps << ", seed " << seed);
      Set("power", "0");
      Set("seed", std::to_string(seed));
      Set("cut_keeps", keeps);
      On(R"(, "history": 8)");
      damage().HealAll();
      for (const char letter : std::string("aAbcd")) {
        for (uint64_t i = 0; i < 64; i += 16) {
          ASSERT_EQ(Write(i + (letter == 'A' ? 0 : 1), std::string(14, letter)), 0);
        }
        if (letter == 'A') {
          ASSERT_EQ(Flush(), 0);
          Rules("f: flush lost");
        }
        if (letter == 'b' || letter == 'c') {
          ASSERT_EQ(Flush(), 0);
        }
      }
      Rules("-f");
      CutAndGoOn();
      ExpectListOf("f", 64);
      damaged += damage().List().size();
      const bool all = std::string(keeps) == "all";
      for (const char truth : Truth(1, 13)) EXPECT_TRUE(truth == 'd' || (!all && truth == 'c'));
      for (const char shown : Shown(1, 13)) {
        EXPECT_THAT(all ? "d" : "Abcd", testing::HasSubstr(std::string(1, shown)));
      }
      EXPECT_TRUE(!all || Listed().empty());
      EXPECT_TRUE(keeps != std::string("none") || Shown(1, 13) == std::string(13, 'A'));
    }
  }
  EXPECT_GT(damaged, 20U);
}

TEST_F(SilentPowerTest, AWriteThatWasLostGoesWithWhatItShouldHaveBeen) {
  On(R"(, "history": 8)");
  ASSERT_EQ(Write(0, "aaaaaaaa"), 0);
  ASSERT_EQ(Flush(), 0);
  Rules("l: write 0-7 lost");
  ASSERT_EQ(Write(1, "bb"), 0);
  ASSERT_EQ(Flush(), 0);
  ASSERT_EQ(Write(2, "ccc"), 0);
  EXPECT_EQ(Listed(), "1-1 lost l\n2-4 lost l\n");
  CutAndGoOn();
  EXPECT_EQ(Truth(0, 8), "abbaaaaa");
  EXPECT_EQ(Shown(0, 8), "aaaaaaaa");
  EXPECT_EQ(Listed(), "1-1 lost l\n2-2 lost l\n") << "what had not been covered is true again";
}

TEST_F(SilentPowerTest, AWriteCacheLosesWhatALostFlushLeftThere) {
  On(R"(, "cache_size": 1)");
  ASSERT_EQ(Write(0, "aaaa"), 0);
  ASSERT_EQ(Flush(), 0);
  ASSERT_EQ(Write(1, "bb"), 0);
  Rules("f: flush lost");
  ASSERT_EQ(Flush(), 0);
  EXPECT_EQ(Shown(0, 4), "abba");
  CutAndGoOn();
  EXPECT_EQ(Shown(0, 4), "aaaa");
  EXPECT_EQ(Truth(0, 4), "abba");
  EXPECT_EQ(Listed(), "1-2 lost f\n");
  ASSERT_EQ(Write(1, "cb"), 0);
  EXPECT_EQ(Listed(), "");
  CutAndGoOn();
  EXPECT_EQ(Listed(), "1-2 lost f\n") << "nobody has flushed that";
  ASSERT_EQ(Write(1, "bb"), 0);
  Rules("-f");
  ASSERT_EQ(Flush(), 0);
  CutAndGoOn();
  EXPECT_EQ(Shown(0, 4), "abba");
  EXPECT_EQ(Listed(), "");
}

// It has never been on the disk.
TEST_F(SilentPowerTest, WhatHadBeenLostDoesNotComeWithALostFlush) {
  for (const char* const rules : {"f: flush lost", "l: write lost\nf: flush lost"}) {
    Set("power", "0");
    On(R"(, "history": 8)");
    ASSERT_EQ(Write(0, "a"), 0);
    ASSERT_EQ(Flush(), 0);
    Rules("l: write lost times 1");
    ASSERT_EQ(Write(0, "b"), 0);
    ASSERT_EQ(Flush(), 0);
    Rules(rules);
    ASSERT_EQ(Write(0, "c"), 0);
    ASSERT_EQ(Flush(), 0);
    Rules("-f\n-l");
    CutAndGoOn();
    EXPECT_EQ(Shown(0, 1), "a");
    EXPECT_EQ(Truth(0, 1), "c");
    EXPECT_EQ(Listed(), "0-0 lost l\n") << "what is shown is what that left";
  }
}

TEST_F(SilentPowerTest, WhatGoesPastACacheHealsForGood) {
  On(R"(, "cache_size": 1)");
  Rules("m: write 0 misdirected shift 8");
  ASSERT_EQ(Write(0, "x"), 0);
  ASSERT_EQ(Flush(), 0);
  ASSERT_EQ(Write(8, "c"), 0);
  ASSERT_EQ(disk_.Do({.op = Op::kDiscard, .offset = 4096, .length = 512}), 0);
  CutAndGoOn();
  EXPECT_EQ(Shown(8, 1), ".");
  EXPECT_EQ(Listed(), "0-0 misdirected m\n");
}

TEST_F(SilentPowerTest, ASnapshotCoversNothingOfACache) {
  On(R"(, "cache_size": 1)");
  ASSERT_EQ(Write(0, "a"), 0);
  Rules("l: write lost times 1");
  ASSERT_EQ(Write(0, "b"), 0);
  ASSERT_EQ(Flush(), 0);
  ASSERT_EQ(Write(0, "c"), 0);
  ASSERT_TRUE(disk_.past().Take("s", 0).ok());
  CutAndGoOn();
  EXPECT_EQ(Truth(0, 1), "b");
  EXPECT_EQ(Shown(0, 1), "a");
  EXPECT_EQ(Listed(), "0-0 lost l\n");
}

TEST_F(SilentPowerTest, ACacheThatIsSwitchedOffLosesItAsWell) {
  On(R"(, "cache_size": 1)");
  Rules("f: flush lost");
  ASSERT_EQ(Write(1, "bb"), 0);
  ASSERT_EQ(Flush(), 0);
  ASSERT_EQ(Write(2, "c"), 0);
  Set("power", "0");
  Set("power", "1");
  EXPECT_EQ(Truth(0, 4), ".bb.");
  EXPECT_EQ(Shown(0, 4), "....");
  EXPECT_EQ(Listed(), "1-2 lost f\n");
}

TEST_F(SilentPowerTest, WhoIsSwitchedOffInOrderLosesNothing) {
  On(R"(, "history": 8)");
  Rules("f: flush lost");
  ASSERT_EQ(Write(0, "aaaa"), 0);
  ASSERT_EQ(Flush(), 0);
  Set("power", "0");
  Set("power", "1");
  CutAndGoOn();
  EXPECT_EQ(Shown(0, 4), "aaaa");
  EXPECT_EQ(Listed(), "");
}

// --- What a process leaves ---------------------------------------------------------------------

// Everything that has been kept, by name.
class AllKept final : public MemfdKeeper {
 public:
  int Keep(int memfd) override {
    kept_.emplace_back(fcntl(memfd, F_DUPFD_CLOEXEC, 3));
    return 0;
  }
  void Drop(int /*memfd*/) override {}
  UniqueFd Left(const std::string& name) const {
    for (auto fd = kept_.rbegin(); fd != kept_.rend(); ++fd) {
      char is[256] = {};
      const std::string link = "/proc/self/fd/" + std::to_string(fd->get());
      EXPECT_GT(readlink(link.c_str(), is, sizeof is - 1), 0);
      if (std::string(is).find(name + " (deleted)") == std::string::npos) continue;
      return UniqueFd(fcntl(fd->get(), F_DUPFD_CLOEXEC, 3));
    }
    return UniqueFd();
  }

 private:
  std::vector<UniqueFd> kept_;
};

TEST_F(SilentPowerTest, WhoTakesOverShowsTheSameAndCutsAlike) {
  AllKept keeper;
  DeviceCounters counters;
  const auto services = [&] {
    return Disk::Services{.device = host_.services().device,
                          .memory = host_.memory(),
                          .keeper = keeper,
                          .counters = &counters};
  };
  Disk before(3, "disk", services());
  ASSERT_TRUE(before
                  .WriteJson(R"({"memory_backed": true, "blocksize": 512, "size": 1,
                                   "history": 8, "power": true})")
                  .ok());
  ASSERT_TRUE(before.Write("faults", "f: flush lost\nl: write 8-15 lost").ok());
  const std::string a(4096, 'a');
  for (const uint64_t offset : {0, 4096}) {
    ASSERT_EQ(before.Do({.op = Op::kWrite, .offset = offset, .length = 4096, .data = a.data()}), 0);
  }
  ASSERT_EQ(before.Do({.op = Op::kFlush}), 0);
  DeviceRecord record;
  before.Save(record);
  Disk::Memfds left;
  left.disk = keeper.Left(DiskMemfdName(3, "disk"));
  left.past = keeper.Left(PastMemfdName(3, "disk"));
  left.faults = keeper.Left(FaultsMemfdName(3, "disk"));
  left.damage = keeper.Left(DamageMemfdName(3, "disk"));
  ASSERT_TRUE(left.damage.valid());
  Disk after(3, "disk", services());
  const absl::Status restored = after.Restore(record, std::move(left));
  ASSERT_TRUE(restored.ok()) << restored;
  std::string bytes(8192, '?');
  ASSERT_EQ(after.Do({.op = Op::kRead, .offset = 0, .length = 8192}, bytes.data()), 0);
  EXPECT_EQ(rnullfs::LettersOf(bytes), "aaaaaaaa........");
  ASSERT_EQ(after.medium()->damage().List().size(), 1U);
  ASSERT_TRUE(after.Cut().ok());
  after.EndCut();
  ASSERT_TRUE(after.Write("power", "1").ok());
  ASSERT_EQ(after.Do({.op = Op::kRead, .offset = 0, .length = 8192}, bytes.data()), 0);
  EXPECT_EQ(rnullfs::LettersOf(bytes), "................");
  const std::vector<Damage::Range> list = after.medium()->damage().List();
  ASSERT_FALSE(list.empty());
  EXPECT_EQ(list.front().first, 0U);
  EXPECT_EQ(list.front().rule, "f");
  EXPECT_EQ(list.back().last, 15U);
  after.SwitchOff();
  before.SwitchOff();
}

}  // namespace
}  // namespace rnullfs
