// What a disk shows after changes that were silently harmed, and what it has, byte by byte.

#include "damage/damage.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <string>

#include "damage_util.h"

namespace rnullfs {
namespace {

class DamageTest : public testing::Test {
 protected:
  // On the disk, and on what it ought to be.
  static void Patch(std::string& bytes, uint64_t offset, const std::string& data) {
    bytes.replace(offset, data.size(), data);
  }

  LyingDisk disk_{4};
};

// --- Kinds of harm -----------------------------------------------------------------------------

TEST_F(DamageTest, WhatIsUnharmedShowsWhatItHas) {
  ASSERT_EQ(disk_.WriteSectors(1, "abc"), 0);
  ASSERT_EQ(disk_.damage().Discard(2 * kSectorSize, kSectorSize), 0);
  EXPECT_EQ(disk_.Shown(), disk_.Truth());
  EXPECT_EQ(disk_.Shown().substr(0, 5), ".a.c.");
  EXPECT_EQ(disk_.Listed(), "");
  EXPECT_FALSE(disk_.damage().any());
}

TEST_F(DamageTest, ALostWriteShowsWhatWasThere) {
  ASSERT_EQ(disk_.WriteSectors(0, "aaaaaaaaaa"), 0);
  ASSERT_EQ(disk_.WriteSectors(7, "bab", HarmTo(FaultAction::kLost, 0, 1, "l", 5)), 0);
  EXPECT_EQ(disk_.Shown().substr(0, 11), "aaaaaaaaaa.");
  EXPECT_EQ(disk_.Truth().substr(0, 11), "aaaaaaabab.") << "what it would be";
  EXPECT_EQ(disk_.Listed(), "7-7 lost l 5\n9-9 lost l 5\n") << "what is the same is not damaged";
  EXPECT_EQ(disk_.sectors(), 2U);
  EXPECT_EQ(disk_.injected(), 2U);
}

TEST_F(DamageTest, ALostWriteOfPartsOfSectorsLosesThese) {
  ASSERT_EQ(disk_.WriteSectors(0, "aaaa"), 0);
  const std::string before = disk_.ShownBytes();
  const std::string data(700, 'b');
  const Harm harm = HarmTo(FaultAction::kLost, 600, data.size());
  ASSERT_EQ(disk_.Write(600, data, &harm), 0);
  EXPECT_EQ(disk_.ShownBytes(), before);
  std::string truth = before;
  Patch(truth, 600, data);
  EXPECT_EQ(disk_.TruthBytes(), truth);
  EXPECT_EQ(disk_.Listed(), "1-2 lost r 0\n");
}

TEST_F(DamageTest, ATornWriteArrivesInPart) {
  for (const FaultPart part : {FaultPart::kFirst, FaultPart::kLast, FaultPart::kRandom}) {
    LyingDisk disk(4);
    ASSERT_EQ(disk.WriteSectors(0, "aaaaaaaaaa"), 0);
    Harm harm = HarmTo(FaultAction::kTorn, 700, 3000);
    harm.part = part;
    harm.draw = UINT64_MAX / 3;
    std::string truth = disk.ShownBytes();
    std::string shown = truth;
    Patch(truth, 700, std::string(3000, 'b'));
    for (uint64_t at = 700; at < 3700; ++at) {
      if (harm.Arrives(at / kSectorSize)) shown[at] = 'b';
    }
    ASSERT_EQ(disk.Write(700, std::string(3000, 'b'), &harm), 0);
    EXPECT_TRUE(disk.TruthBytes() == truth);
    EXPECT_TRUE(disk.ShownBytes() == shown);
    EXPECT_EQ(disk.sectors(), harm.count() - harm.ArrivingCount());
  }
}

TEST_F(DamageTest, ATornWriteThatIsToldIsWhatItIs) {
  ASSERT_EQ(disk_.WriteSectors(0, "aaaaaaaa"), 0);
  ASSERT_EQ(disk_.WriteSectors(2, "lll", HarmTo(FaultAction::kLost, 0, 1)), 0);
  Harm harm = HarmTo(FaultAction::kTorn, 0, 1);
  harm.acknowledged = false;  // and the first sector alone arrives
  EXPECT_EQ(disk_.WriteSectors(2, "bbb", harm), EIO);
  EXPECT_EQ(disk_.Truth().substr(0, 8), "aabllaaa");
  EXPECT_EQ(disk_.Shown().substr(0, 8), "aabaaaaa") << "no more than before";
  EXPECT_EQ(disk_.Listed(), "3-4 lost r 0\n");
  EXPECT_EQ(disk_.healed(), 1U);
}

TEST_F(DamageTest, ACorruptWriteShowsOtherBits) {
  Harm harm = HarmTo(FaultAction::kCorrupt, 0, 1);
  harm.sectors = {{2, 2}, {4, 9}};
  harm.amount = {.count = 3};
  ASSERT_EQ(disk_.WriteSectors(1, "bcde", harm), 0);
  EXPECT_EQ(disk_.Truth().substr(0, 6), ".bcde.");
  EXPECT_EQ(disk_.Shown().substr(0, 6), ".b!d!.") << "those of the rule";
  char expected[kSectorSize];
  std::memset(expected, 'c', sizeof expected);
  harm.Corrupt(2, expected);
  EXPECT_EQ(disk_.ShownBytes().substr(2 * kSectorSize, kSectorSize),
            std::string(expected, sizeof expected));
  EXPECT_EQ(disk_.Listed(), "2-2 corrupt r 0\n4-4 corrupt r 0\n");
}

// Of a sector that is written in part, any bits are others.
TEST_F(DamageTest, ACorruptWriteOfAPartIsAWriteOfTheSector) {
  ASSERT_EQ(disk_.WriteSectors(0, "aa"), 0);
  Harm harm = HarmTo(FaultAction::kCorrupt, 100, 10);
  harm.amount = {.bytes = true, .count = 512};
  ASSERT_EQ(disk_.Write(100, std::string(10, 'b'), &harm), 0);
  const std::string shown = disk_.ShownBytes();
  const std::string truth = disk_.TruthBytes();
  for (uint64_t i = 0; i < kSectorSize; ++i) ASSERT_NE(shown[i], truth[i]) << i;
  EXPECT_EQ(shown.substr(kSectorSize), truth.substr(kSectorSize));
}

TEST_F(DamageTest, AMisdirectedWriteShowsElsewhere) {
  ASSERT_EQ(disk_.WriteSectors(0, "abcdefgh"), 0);
  Harm harm = HarmTo(FaultAction::kMisdirected, 0, 1, "m", 3);
  harm.shift = 4;
  ASSERT_EQ(disk_.WriteSectors(1, "xy", harm), 0);
  EXPECT_EQ(disk_.Truth().substr(0, 9), "axydefgh.");
  EXPECT_EQ(disk_.Shown().substr(0, 9), "abcdexyh.");
  EXPECT_EQ(disk_.Listed(), "1-2 misdirected m 3\n5-6 misdirected m 3\n");
  EXPECT_EQ(disk_.injected(), 4U);
  harm.shift = 1 - 32;
  ASSERT_EQ(disk_.WriteSectors(3, "zz", harm), 0) << "onto itself, in part";
  EXPECT_EQ(disk_.Truth().substr(0, 9), "axyzzfgh.");
  EXPECT_EQ(disk_.Shown().substr(0, 9), "abcdzzyh.");
}

TEST_F(DamageTest, AMisdirectedWriteOfPartsOfSectorsShowsThese) {
  ASSERT_EQ(disk_.WriteSectors(0, "abcdefgh"), 0);
  std::string shown = disk_.ShownBytes();
  std::string truth = shown;
  Harm harm = HarmTo(FaultAction::kMisdirected, 500, 100);
  harm.shift = -1;
  harm.disk_sectors = 32;
  ASSERT_EQ(disk_.Write(500, std::string(100, 'x'), &harm), 0);
  Patch(truth, 500, std::string(100, 'x'));
  Patch(shown, 0, std::string(88, 'x'));
  Patch(shown, 31 * kSectorSize + 500, std::string(12, 'x'));
  EXPECT_TRUE(disk_.TruthBytes() == truth);
  EXPECT_TRUE(disk_.ShownBytes() == shown);
  EXPECT_EQ(disk_.Listed(), "0-1 misdirected r 0\n31-31 misdirected r 0\n");
}

TEST_F(DamageTest, WhatGoesAstrayToWhereItIsAlreadyHealsThat) {
  ASSERT_EQ(disk_.WriteSectors(0, "aaaa"), 0);
  ASSERT_EQ(disk_.WriteSectors(3, "x", HarmTo(FaultAction::kLost, 0, 1)), 0);
  Harm harm = HarmTo(FaultAction::kMisdirected, 0, 1);
  harm.shift = 2;
  ASSERT_EQ(disk_.WriteSectors(1, "x", harm), 0);
  EXPECT_EQ(disk_.Shown().substr(0, 4), "aaax");
  EXPECT_EQ(disk_.Listed(), "1-1 misdirected r 0\n");
}

TEST_F(DamageTest, WhatIsLostOfADiscardOrZeroesIsWhatThereWas) {
  const std::string were = "aa.aaaaaa";
  ASSERT_EQ(disk_.WriteSectors(0, "aa"), 0);
  ASSERT_EQ(disk_.WriteSectors(3, "aaaaaa"), 0);
  const Harm harm = HarmTo(FaultAction::kLost, 0, 8192);
  ASSERT_EQ(disk_.damage().Discard(kSectorSize, 3 * kSectorSize, HarmsOf(&harm).get()), 0);
  EXPECT_EQ(disk_.Listed(), "1-1 lost r 0\n3-3 lost r 0\n") << "a hole cannot lose anything";
  ASSERT_EQ(disk_.damage().WriteZeroes(6 * kSectorSize + 100, kSectorSize, HarmsOf(&harm).get()),
            0);
  EXPECT_EQ(disk_.Listed(), "1-1 lost r 0\n3-3 lost r 0\n6-7 lost r 0\n");
  EXPECT_EQ(disk_.Shown().substr(0, 9), were);
  EXPECT_EQ(disk_.Truth().substr(0, 9), "a...aa!!a");
  ASSERT_EQ(disk_.damage().Discard(0, 4 * kPage, HarmsOf(&harm).get()), 0);
  EXPECT_EQ(disk_.Shown().substr(0, 9), were);
  EXPECT_EQ(disk_.store().stored_pages(), 0U) << "the truth is a hole";
  EXPECT_EQ(disk_.sectors(), 8U);
}

TEST_F(DamageTest, AWriteThroughIsHarmedLikeAWrite) {
  const Harm harm = HarmTo(FaultAction::kLost, 0, kSectorSize);
  const std::string data = Sectors("a");
  ASSERT_EQ(disk_.damage().WriteThrough(0, kSectorSize, data.data(), HarmsOf(&harm).get()), 0);
  EXPECT_EQ(disk_.Shown()[0], '.');
  EXPECT_EQ(disk_.Truth()[0], 'a');
  ASSERT_EQ(disk_.damage().WriteThrough(0, kSectorSize, data.data()), 0);
  EXPECT_EQ(disk_.Shown()[0], 'a');
}

// --- What is damaged already -------------------------------------------------------------------

TEST_F(DamageTest, ToWriteHeals) {
  ASSERT_EQ(disk_.WriteSectors(0, "aaaa", HarmTo(FaultAction::kLost, 0, 1)), 0);
  ASSERT_EQ(disk_.WriteSectors(1, "b"), 0);
  ASSERT_EQ(disk_.damage().WriteZeroes(2 * kSectorSize, kSectorSize), 0);
  EXPECT_EQ(disk_.Shown().substr(0, 5), ".b...");
  EXPECT_EQ(disk_.Truth().substr(0, 5), "ab.a.");
  EXPECT_EQ(disk_.Listed(), "0-0 lost r 0\n3-3 lost r 0\n");
  EXPECT_EQ(disk_.healed(), 2U);
  ASSERT_EQ(disk_.damage().Discard(0, 4 * kPage), 0);
  EXPECT_EQ(disk_.Listed(), "");
  EXPECT_EQ(disk_.healed(), 4U);
  EXPECT_EQ(disk_.sectors(), 0U);
}

TEST_F(DamageTest, ToWriteAPartLeavesTheOthersDamaged) {
  ASSERT_EQ(disk_.WriteSectors(0, "aaaa", HarmTo(FaultAction::kLost, 0, 1, "l", 8)), 0);
  ASSERT_EQ(disk_.Write(500, std::string(600, 'b')), 0);
  std::string shown(4 * kPage, '\0');
  std::string truth = Sectors("aaaa") + std::string(4 * kPage - 4 * kSectorSize, '\0');
  Patch(shown, 500, std::string(600, 'b'));
  Patch(truth, 500, std::string(600, 'b'));
  EXPECT_TRUE(disk_.ShownBytes() == shown);
  EXPECT_TRUE(disk_.TruthBytes() == truth);
  EXPECT_EQ(disk_.Listed(), "0-0 lost l 8\n2-3 lost l 8\n");
  ASSERT_EQ(disk_.Write(10, std::string(3, 'c')), 0);
  ASSERT_EQ(disk_.damage().Discard(20, 3), 0);
  ASSERT_EQ(disk_.Write(0, std::string(200, 'd')), 0);
  ASSERT_EQ(disk_.Write(200, std::string(300, 'd')), 0);
  EXPECT_EQ(disk_.ShownBytes().substr(0, kSectorSize), disk_.TruthBytes().substr(0, kSectorSize));
  EXPECT_EQ(disk_.Listed(), "2-3 lost l 8\n") << "that was the last of it";
}

TEST_F(DamageTest, WhatIsHarmedAgainIsTheLastOnes) {
  ASSERT_EQ(disk_.WriteSectors(0, "aaaa", HarmTo(FaultAction::kLost, 0, 1, "one", 1)), 0);
  ASSERT_EQ(disk_.WriteSectors(1, "bb", HarmTo(FaultAction::kCorrupt, 0, 1, "two", 2)), 0);
  ASSERT_EQ(disk_.WriteSectors(2, "c", HarmTo(FaultAction::kLost, 0, 1, "three", 3)), 0);
  EXPECT_EQ(disk_.Shown().substr(0, 4), ".!!.");
  EXPECT_EQ(disk_.Truth().substr(0, 4), "abca");
  EXPECT_EQ(disk_.Listed(),
            "0-0 lost one 1\n1-1 corrupt two 2\n2-2 lost three 3\n3-3 lost one 1\n");
  EXPECT_EQ(disk_.injected(), 4U);
  disk_.BeKilled();
  EXPECT_EQ(disk_.Shown().substr(0, 4), ".!!.");
  EXPECT_EQ(disk_.Listed(),
            "0-0 lost one 1\n1-1 corrupt two 2\n2-2 lost three 3\n3-3 lost one 1\n");
}

}  // namespace
}  // namespace rnullfs
