// What reads see of a disk that something lies over, what of it comes to an end and how, and what
// becomes of it without memory.

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <string>

#include "damage_util.h"

namespace rnullfs {
namespace {

class DamageShownTest : public testing::Test {
 protected:
  static Harm Lost() { return HarmTo(FaultAction::kLost, 0, 1); }
  // Letters of what a harmed read brings.
  static std::string ReadHarmed(LyingDisk& disk, uint64_t sector, uint64_t count, Harm harm) {
    harm.op = kFaultRead;
    harm.first = sector;
    harm.last = sector + count - 1;
    harm.disk_sectors = disk.store().size_bytes() / kSectorSize;
    std::string bytes(count * kSectorSize, '?');
    EXPECT_EQ(
        disk.damage().CopyOutHarmed(sector * kSectorSize, bytes.size(), bytes.data(), Only(harm)),
        0);
    return Letters(bytes);
  }

  LyingDisk disk_{4};
};

// --- Reads -------------------------------------------------------------------------------------

TEST_F(DamageShownTest, ReadsOfAnyRangeAgree) {
  ASSERT_EQ(disk_.WriteSectors(0, "abcdefghijkl"), 0);
  ASSERT_EQ(disk_.WriteSectors(3, "x", Lost()), 0);
  ASSERT_EQ(disk_.WriteSectors(7, "xx", Lost()), 0);
  const std::string all = disk_.ShownBytes();
  for (uint64_t begin = 0; begin < 10 * kSectorSize; begin += 101) {
    for (const uint64_t length : {1, 50, 512, 1000, 3000}) {
      ASSERT_EQ(Read(disk_.damage(), begin, length), all.substr(begin, length));
      std::string copy(length, '?');
      ASSERT_EQ(disk_.damage().CopyOut(begin, length, copy.data()), 0);
      ASSERT_EQ(copy, all.substr(begin, length));
    }
  }
}

TEST_F(DamageShownTest, ACorruptReadBringsOtherBitsAndTheSameAgain) {
  ASSERT_EQ(disk_.WriteSectors(0, "abcd"), 0);
  Harm harm = HarmTo(FaultAction::kCorrupt, 0, 1);
  harm.sectors = {{2, 2}};
  std::string first(1000, '?');
  std::string again = first;
  ASSERT_EQ(disk_.damage().CopyOutHarmed(700, 1000, first.data(), Only(harm)), 0);
  ASSERT_EQ(disk_.damage().CopyOutHarmed(700, 1000, again.data(), Only(harm)), 0);
  EXPECT_EQ(first, again);
  std::string whole = Sectors("b") + Sectors("c") + Sectors("d");
  harm.Corrupt(2, *reinterpret_cast<char(*)[kSectorSize]>(whole.data() + kSectorSize));
  EXPECT_EQ(first, whole.substr(700 - kSectorSize, 1000));
  EXPECT_EQ(disk_.Shown().substr(0, 4), "abcd");
  EXPECT_EQ(disk_.Listed(), "");
}

TEST_F(DamageShownTest, WhatAReadBringsMayStay) {
  ASSERT_EQ(disk_.WriteSectors(0, "abcd"), 0);
  Harm harm = HarmTo(FaultAction::kCorrupt, 0, 1, "rot", 6);
  harm.stored = true;
  EXPECT_EQ(ReadHarmed(disk_, 1, 2, harm), "!!");
  const std::string shown = disk_.ShownBytes();
  EXPECT_EQ(Letters(shown).substr(0, 4), "a!!d");
  EXPECT_EQ(disk_.Listed(), "1-2 corrupt rot 6\n");
  EXPECT_EQ(ReadHarmed(disk_, 0, 4, harm), "!!!!");
  EXPECT_EQ(disk_.ShownBytes().substr(kSectorSize, 2 * kSectorSize),
            shown.substr(kSectorSize, 2 * kSectorSize))
      << "what has stayed is not harmed again";
  ASSERT_EQ(disk_.WriteSectors(0, "aaaa"), 0);
  EXPECT_EQ(disk_.Shown().substr(0, 4), "aaaa");
  EXPECT_EQ(disk_.injected(), 4U);
  EXPECT_EQ(disk_.healed(), 4U);
}

TEST_F(DamageShownTest, AMisdirectedReadBringsWhatAnotherPlaceShows) {
  ASSERT_EQ(disk_.WriteSectors(0, "abcdefgh"), 0);
  ASSERT_EQ(disk_.WriteSectors(4, "x", Lost()), 0);
  Harm harm = HarmTo(FaultAction::kMisdirected, 0, 1, "m");
  harm.shift = 2;
  EXPECT_EQ(ReadHarmed(disk_, 1, 3, harm), "def");
  EXPECT_EQ(disk_.Shown().substr(0, 8), "abcdefgh");
  harm.stored = true;
  EXPECT_EQ(ReadHarmed(disk_, 1, 1, harm), "d");
  EXPECT_EQ(disk_.Listed(), "1-1 misdirected m 0\n4-4 lost r 0\n");
  EXPECT_EQ(disk_.Shown().substr(0, 8), "adcdefgh");
  harm.shift = -1;
  EXPECT_EQ(ReadHarmed(disk_, 5, 3, harm), "efg") << "not what has stayed of it";
  EXPECT_EQ(ReadHarmed(disk_, 0, 1, harm), ".") << "the end of the disk";
  EXPECT_EQ(disk_.Shown().substr(0, 8), ".dcdeefg");
}

TEST_F(DamageShownTest, AStaleReadBringsWhatWasThereBefore) {
  LyingDisk disk(2, /*remembers=*/true);
  disk.past().SetHistory(kMiB);
  ASSERT_EQ(disk.WriteSectors(0, "abc"), 0);
  ASSERT_EQ(disk.WriteSectors(1, "B"), 0);
  ASSERT_EQ(disk.WriteSectors(1, "B"), 0) << "the same is no other";
  Harm harm = HarmTo(FaultAction::kStale, 0, 1, "old", 3);
  EXPECT_EQ(ReadHarmed(disk, 0, 3, harm), ".b.");
  EXPECT_EQ(ReadHarmed(disk, 8, 1, harm), ".") << "it has never been anything else";
  EXPECT_EQ(disk.Listed(), "");
  harm.stored = true;
  EXPECT_EQ(ReadHarmed(disk, 1, 1, harm), "b");
  EXPECT_EQ(ReadHarmed(disk, 8, 1, harm), ".");
  EXPECT_EQ(disk.Shown().substr(0, 4), "abc.");
  EXPECT_EQ(disk.Listed(), "1-1 stale old 3\n");
  EXPECT_EQ(ReadHarmed(disk_, 0, 1, harm), ".") << "without a past it is as it is";
}

// --- Where there is data -----------------------------------------------------------------------

TEST_F(DamageShownTest, WhatIsDamagedIsData) {
  EXPECT_EQ(disk_.damage().NextData(0), 4 * kPage);
  EXPECT_EQ(disk_.damage().NextHole(0), 0U);
  ASSERT_EQ(disk_.WriteSectors(16, "aa", Lost()), 0) << "which shows zeros";
  ASSERT_EQ(disk_.damage().Discard(2 * kPage, kPage, nullptr), 0);
  EXPECT_EQ(disk_.damage().NextData(0), 4 * kPage) << "healed";
  Harm astray = HarmTo(FaultAction::kMisdirected, 0, 1);
  astray.shift = 8;
  ASSERT_EQ(disk_.WriteSectors(2, "xx", astray), 0);
  ASSERT_EQ(disk_.damage().Discard(0, kPage), 0);
  ASSERT_EQ(disk_.store().stored_pages(), 0U);
  const uint64_t begin = 10 * kSectorSize;
  const uint64_t end = 12 * kSectorSize;
  EXPECT_EQ(disk_.damage().NextData(0), begin);
  EXPECT_EQ(disk_.damage().NextData(begin + 7), begin + 7);
  EXPECT_EQ(disk_.damage().NextData(end), 4 * kPage);
  EXPECT_EQ(disk_.damage().NextHole(0), 0U);
  EXPECT_EQ(disk_.damage().NextHole(begin - 1), begin - 1);
  EXPECT_EQ(disk_.damage().NextHole(begin), end);
  EXPECT_EQ(disk_.damage().NextHole(end - 1), end);
  EXPECT_EQ(disk_.damage().NextHole(4 * kPage), 4 * kPage);
  ASSERT_EQ(disk_.WriteSectors(12, "aaaa"), 0);
  EXPECT_EQ(disk_.damage().NextHole(begin), 2 * kPage) << "its page is stored";
  ASSERT_EQ(disk_.WriteSectors(24, std::string(8, 'a'), Lost()), 0);
  ASSERT_EQ(disk_.store().Discard(24 * kSectorSize, kPage), 0);
  EXPECT_EQ(disk_.damage().NextHole(3 * kPage), 4 * kPage) << "where the disk ends there is one";
}

// --- How damage ends ---------------------------------------------------------------------------

TEST_F(DamageShownTest, ACommandHeals) {
  ASSERT_EQ(disk_.WriteSectors(0, "abcdefghijklmnop", Lost()), 0);
  disk_.damage().Heal(3, 9);
  EXPECT_EQ(disk_.Shown().substr(0, 17), "...defghij.......");
  EXPECT_EQ(disk_.Listed(), "0-2 lost r 0\n10-15 lost r 0\n");
  EXPECT_EQ(disk_.sectors(), 9U);
  disk_.damage().Heal(10, 10);
  disk_.damage().Heal(1000, UINT64_MAX / kSectorSize);
  EXPECT_EQ(disk_.sectors(), 8U);
  disk_.damage().HealAll();
  EXPECT_EQ(disk_.Shown(), disk_.Truth());
  EXPECT_FALSE(disk_.damage().any());
  EXPECT_EQ(disk_.healed(), 0U) << "nobody has written";
}

TEST_F(DamageShownTest, WhereTheTruthIsAnotherNothingIsDamaged) {
  ASSERT_EQ(disk_.WriteSectors(0, "aaaa"), 0);
  ASSERT_EQ(disk_.WriteSectors(0, "bbbb", Lost()), 0);
  ASSERT_EQ(Write(disk_.store(), 0, Sectors("c")), 0);
  ASSERT_EQ(Write(disk_.store(), 3 * kSectorSize + 511, "c"), 0);
  disk_.damage().Settle(Damage::After::kChange);
  EXPECT_EQ(disk_.Shown().substr(0, 5), "caa!.");
  EXPECT_EQ(disk_.Listed(), "1-2 lost r 0\n");
  EXPECT_EQ(disk_.sectors(), 2U);
  ASSERT_EQ(disk_.WriteSectors(1, "cc", Lost()), 0);
  ASSERT_EQ(Write(disk_.store(), kSectorSize, Sectors("bc")), 0) << "as a power cut takes it back";
  disk_.damage().Settle(Damage::After::kChange);
  EXPECT_EQ(disk_.Shown().substr(0, 5), "caa!.") << "instead of which it showed the same";
  ASSERT_TRUE(disk_.store().Resize(kPage).ok());
  disk_.damage().Settle(Damage::After::kChange);
  EXPECT_EQ(disk_.Listed(), "1-2 lost r 0\n");
}

// Over a past, where what no flush has covered can be lost.
TEST_F(DamageShownTest, WhatAHealingWriteLosesIsDamagedAgain) {
  LyingDisk disk(4, /*remembers=*/true);
  ASSERT_EQ(disk.WriteSectors(0, "aaaa"), 0);
  ASSERT_EQ(disk.WriteSectors(0, "bbbb", HarmTo(FaultAction::kLost, 0, 1)), 0);
  ASSERT_EQ(disk.WriteSectors(1, "bc"), 0);
  EXPECT_EQ(disk.Shown().substr(0, 4), "abca");
  EXPECT_EQ(disk.Listed(), "0-0 lost r 0\n3-3 lost r 0\n");
  EXPECT_EQ(disk.healed(), 2U);
  disk.BeKilled();
  EXPECT_EQ(disk.Listed(), "0-0 lost r 0\n3-3 lost r 0\n") << "a death takes nothing back";
  disk.damage().Settle(Damage::After::kPowerLoss);
  EXPECT_EQ(disk.Shown().substr(0, 4), "aaca") << "what was written to 2 was another, and is there";
  EXPECT_EQ(disk.Listed(), "0-1 lost r 0\n3-3 lost r 0\n");
  EXPECT_EQ(disk.healed(), 1U);

  ASSERT_EQ(disk.WriteSectors(1, "b"), 0);
  ASSERT_EQ(disk.damage().Flush(), 0);
  ASSERT_EQ(disk.damage().WriteThrough(0, kSectorSize, Sectors("b").data()), 0);
  disk.damage().Settle(Damage::After::kPowerLoss);
  EXPECT_EQ(disk.Shown().substr(0, 4), "bbca");
  EXPECT_EQ(disk.Listed(), "3-3 lost r 0\n") << "a flush has covered it";
  ASSERT_EQ(disk.WriteSectors(3, "b"), 0);
  ASSERT_EQ(disk.damage().Flush(HarmTo(FaultAction::kLost, 0, 0)), 0);
  disk.damage().Settle(Damage::After::kPowerLoss);
  EXPECT_EQ(disk.Listed(), "3-3 lost r 0\n") << "but none that is lost";
}

TEST_F(DamageShownTest, BehindTheEndNothingIsDamaged) {
  Harm astray = HarmTo(FaultAction::kMisdirected, 0, 1);
  astray.shift = 8;
  ASSERT_EQ(disk_.WriteSectors(2, "xx", astray), 0);
  ASSERT_EQ(disk_.WriteSectors(2, ".."), 0);
  ASSERT_EQ(disk_.WriteSectors(7, "aa", Lost()), 0);
  EXPECT_EQ(disk_.Listed(), "7-8 lost r 0\n10-11 misdirected r 0\n");
  ASSERT_TRUE(disk_.store().Resize(kPage).ok());
  disk_.damage().Settle(Damage::After::kChange);
  EXPECT_EQ(disk_.Listed(), "7-7 lost r 0\n");
  ASSERT_TRUE(disk_.store().Resize(2 * kPage).ok());
  EXPECT_EQ(disk_.Shown(), "................");
  EXPECT_EQ(disk_.Listed(), "7-7 lost r 0\n");
}

TEST_F(DamageShownTest, AProcessLeavesIt) {
  Harm astray = HarmTo(FaultAction::kMisdirected, 0, 1, "m", 4);
  astray.shift = 9;
  ASSERT_EQ(disk_.WriteSectors(0, "ab", astray), 0);
  const std::string shown = disk_.Shown();
  const std::string list = disk_.Listed();
  disk_.BeKilled();
  EXPECT_EQ(disk_.sectors(), 4U);
  EXPECT_EQ(disk_.Shown(), shown);
  EXPECT_EQ(disk_.Listed(), list);
  for (const uint64_t sectors : {4U, 0U}) {
    disk_.Miscount();
    disk_.BeKilled();
    EXPECT_EQ(disk_.sectors(), sectors);
    disk_.damage().HealAll();
  }
  disk_.damage().GiveBack();
  EXPECT_EQ(disk_.Shown(), disk_.Truth());
  EXPECT_FALSE(disk_.keeper().any());
}

// --- Without memory ----------------------------------------------------------------------------

TEST_F(DamageShownTest, MemoryIsGivenBackWhenNothingIsDamaged) {
  ASSERT_EQ(disk_.WriteSectors(0, "aaaaaaaaaaaa"), 0);
  ASSERT_EQ(disk_.WriteSectors(0, "b", Lost()), 0);
  ASSERT_EQ(disk_.WriteSectors(0, "c"), 0);
  const uint64_t before = disk_.memory().used_bytes();
  ASSERT_EQ(disk_.WriteSectors(6, "bbbb", Lost()), 0);
  EXPECT_EQ(disk_.memory().used_bytes(), before + 3 * kPage);
  ASSERT_EQ(disk_.WriteSectors(6, "cccc"), 0);
  EXPECT_EQ(disk_.memory().used_bytes(), before) << "the rule's name stays";
}

TEST_F(DamageShownTest, WithoutMemoryNothingIsDamaged) {
  ASSERT_EQ(disk_.WriteSectors(0, std::string(32, 'a')), 0);
  ASSERT_EQ(disk_.WriteSectors(0, "l", Lost()), 0);
  disk_.memory().SetLimit(disk_.memory().used_bytes());
  ASSERT_EQ(disk_.WriteSectors(2, "lll", Lost()), 0) << "their page has been damaged before";
  const std::string list = disk_.Listed();
  EXPECT_EQ(disk_.WriteSectors(6, "bbbb", Lost()), ENOSPC);
  EXPECT_EQ(disk_.WriteSectors(6, "bbbb", HarmTo(FaultAction::kCorrupt, 0, 1)), ENOSPC);
  EXPECT_EQ(disk_.WriteSectors(6, "b", HarmTo(FaultAction::kLost, 0, 1, "another")), 0);
  EXPECT_EQ(disk_.Truth().substr(6, 4), "baaa");
  disk_.damage().Heal(6, 6);
  EXPECT_EQ(disk_.Listed(), list);
  EXPECT_EQ(disk_.sectors(), 4U);
  EXPECT_EQ(disk_.memory().left_bytes(), 0U);
  Harm harm = HarmTo(FaultAction::kCorrupt, 0, 1);
  harm.stored = true;
  EXPECT_EQ(ReadHarmed(disk_, 9, 1, harm), "!") << "it is read like that, and does not stay";
  EXPECT_EQ(disk_.Listed(), list);
  EXPECT_EQ(disk_.WriteSectors(9, "b"), 0);
}

// The disk's own memory fails, where it is damaged already and shows what a hole does not have.
TEST_F(DamageShownTest, AWriteThatFailsLeavesWhatWasDamagedBefore) {
  ASSERT_EQ(disk_.WriteSectors(0, "aaaaaaaa"), 0);
  Harm astray = HarmTo(FaultAction::kMisdirected, 0, 1, "m", 1);
  astray.shift = 8;
  ASSERT_EQ(disk_.WriteSectors(0, "xyz", astray), 0);
  disk_.memory().SetLimit(disk_.memory().used_bytes());
  const std::string shown = disk_.Shown();
  const std::string list = disk_.Listed();
  EXPECT_EQ(disk_.Write(8 * kSectorSize, "unaligned"), ENOSPC);
  EXPECT_EQ(disk_.WriteSectors(9, "bb", HarmTo(FaultAction::kCorrupt, 0, 1, "c", 2)), ENOSPC);
  EXPECT_EQ(disk_.WriteSectors(9, "bbb", HarmTo(FaultAction::kLost, 0, 1, "c", 2)), ENOSPC);
  EXPECT_EQ(disk_.Shown(), shown);
  EXPECT_EQ(disk_.Listed(), list);
  EXPECT_EQ(disk_.sectors(), 6U);
  disk_.BeKilled();
  EXPECT_EQ(disk_.Shown(), shown);
  EXPECT_EQ(disk_.Listed(), list);
}

}  // namespace
}  // namespace rnullfs
