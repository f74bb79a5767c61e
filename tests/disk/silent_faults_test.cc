// Rules that do something silently, as a user says them, and what becomes of a disk by them.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "rnullfs/error.h"
#include "silent_util.h"

namespace rnullfs {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

// --- What is said ------------------------------------------------------------------------------

TEST_F(SilentFaultsTest, EachKindIsSaidInALine) {
  On(R"(, "history": 1)");
  Rules("l: write 0-7 lost");
  ASSERT_EQ(Write(0, std::string(48, 'a')), 0);
  EXPECT_EQ(Shown(0, 48), std::string(48, '.')) << "all of a request that touches one of these";
  Rules(
      "-l\nt: write 8-15 torn last\nc: write 16-23 corrupt 3bits\n"
      "m: write 24-31 misdirected shift 8\ns: read 40 stale stored\n");
  ASSERT_EQ(Write(40, "b"), 0);
  ASSERT_EQ(Write(8, "bbbbbbbb"), 0);
  ASSERT_EQ(Write(16, "bbbbbbbb"), 0);
  ASSERT_EQ(Write(24, "bb"), 0);
  EXPECT_EQ(Shown(16, 18), "!!!!!!!!........bb");
  EXPECT_THAT(Shown(8, 8), MatchesRegex("\\.+b+"));
  EXPECT_EQ(Shown(40, 1), "a");
  Rules("-s\n");
  EXPECT_EQ(Shown(40, 1), "a") << "it stays";
  EXPECT_THAT(Listed(), HasSubstr("16-23 corrupt c\n24-25 misdirected m\n26-31 lost l\n"
                                  "32-33 misdirected m\n34-39 lost l\n40-40 stale s\n"));
  EXPECT_EQ(Truth(8, 33), "bbbbbbbbbbbbbbbbbbaaaaaaaaaaaaaab");
}

TEST_F(SilentFaultsTest, WhatARuleCannotDoIsRefused) {
  On();
  const auto refused = [&](const std::string& line) {
    EXPECT_EQ(ErrnoOf(disk_.Write("faults", line)), EINVAL) << line;
    return disk_.last_error();
  };
  EXPECT_THAT(refused("a: read lost"), HasSubstr("a: its action, lost, is one for write"));
  EXPECT_THAT(refused("a: read discard torn"), HasSubstr("torn, is one for write"));
  EXPECT_THAT(refused("a: flush corrupt"), HasSubstr("corrupt, is one for read"));
  EXPECT_THAT(refused("a: write stale"), HasSubstr("stale, is one for read"));
  EXPECT_THAT(refused("a: read stale"), HasSubstr("write a size (MiB) to it"));
  Rules("a: off read lost\nb: off read stale");
  Set("history", "1");
  Rules("b: read stale");
  EXPECT_EQ(ErrnoOf(disk_.Write("history", "0")), EINVAL);
  EXPECT_EQ(disk_.config().history, 1U);
}

TEST_F(SilentFaultsTest, ADiskThatStoresNothingHasNoneOnceItIsOn) {
  Rules("a: write lost");
  const absl::Status refused =
      disk_.WriteJson(R"({"memory_backed": false, "size": 1, "power": true})");
  EXPECT_EQ(ErrnoOf(refused), EINVAL);
  EXPECT_THAT(disk_.last_error(), HasSubstr("write 1 to memory_backed"));
  EXPECT_EQ(disk_.device(), nullptr);
  Rules("-a");
  ASSERT_TRUE(disk_.WriteJson(R"({"memory_backed": false, "size": 1, "power": true})").ok());
  EXPECT_EQ(ErrnoOf(disk_.Write("faults", "a: write lost")), EINVAL);
  EXPECT_TRUE(disk_.Write("faults", "a: write error").ok());
}

// What is kept of damage has its place by the sector.
TEST_F(SilentFaultsTest, ADiskThatIsTooLargeForDamageHasNone) {
  const std::string most = std::to_string(uint64_t{1} << 41);
  const std::string more = std::to_string((uint64_t{1} << 41) + 1);
  On();
  Rules("a: write lost");
  EXPECT_EQ(ErrnoOf(disk_.Write("size", more)), EINVAL);
  EXPECT_THAT(disk_.last_error(), HasSubstr("at most " + most + " MiB"));
  Set("size", most);
  Rules("-a");
  Set("size", more);
  EXPECT_EQ(ErrnoOf(disk_.Write("faults", "a: write lost")), EINVAL);
}

// --- Rules beside each other -------------------------------------------------------------------

TEST_F(SilentFaultsTest, ARequestComesToOneHarmByTheOrderOfNames) {
  On();
  Rules("b: write corrupt\na: write lost\nc: write 1 torn");
  ASSERT_EQ(Write(0, "xx"), 0);
  EXPECT_EQ(Listed(), "0-1 lost a\n");
  EXPECT_EQ(Hits("a") + Hits("b") + Hits("c"), 1U);
  Rules("a: write lost times 0");
  ASSERT_EQ(Write(4, "xx"), 0);
  EXPECT_EQ(Listed(), "0-1 lost a\n4-5 corrupt b\n");
}

TEST_F(SilentFaultsTest, WhatFailsBeforeIsNotHarmed) {
  On();
  Rules("a: write error ENOSPC\nb: write lost");
  EXPECT_EQ(Write(0, "x"), ENOSPC);
  EXPECT_EQ(Truth(0, 1), ".");
  EXPECT_EQ(Hits("b"), 0U);
  Rules("-a\nc: write error ENOSPC");
  EXPECT_EQ(Write(0, "x"), 0) << "it has been decided";
  EXPECT_EQ(Hits("c"), 0U);
  EXPECT_EQ(Listed(), "0-0 lost b\n");
}

TEST_F(SilentFaultsTest, WhatFailsAfterwardsIsHarmed) {
  for (const char* const error : {"a", "z"}) {
    On();
    Rules(std::string(error) + ": write error ENOSPC when after\nb: write lost");
    EXPECT_EQ(Write(0, "x"), ENOSPC);
    EXPECT_EQ(Truth(0, 1), "x");
    EXPECT_EQ(Listed(), "0-0 lost b\n");
    Rules(std::string("-") + error + "\n-b");
    ASSERT_EQ(Write(0, std::string("\0", 1)), 0);
  }
}

TEST_F(SilentFaultsTest, ATornWriteThatIsToldIsNoDamage) {
  On();
  ASSERT_EQ(Write(0, "aaaaaaaaaaaaaaaa"), 0);
  Rules("t: write torn acknowledged 0");
  EXPECT_EQ(Write(0, "bbbbbbbbbbbbbbbb"), EIO);
  EXPECT_EQ(Listed(), "");
  const std::string shown = Shown(0, 16);
  EXPECT_THAT(shown, MatchesRegex("b+a+"));
  EXPECT_EQ(Truth(0, 16), shown);
  EXPECT_EQ(Write(0, "c"), 0) << "a sector cannot be torn";
  EXPECT_EQ(Hits("t"), 1U);
}

TEST_F(SilentFaultsTest, BadBlocksComeFirst) {
  On(R"(, "badblocks": ["8-15"])");
  Rules("a: lost");
  EXPECT_EQ(Write(8, "xx"), EIO);
  EXPECT_EQ(Write(7, "xx"), EIO);
  EXPECT_EQ(Hits("a"), 0U);
  EXPECT_EQ(Listed(), "");
  EXPECT_EQ(Write(7, "x"), 0);
  EXPECT_EQ(Listed(), "7-7 lost a\n");
}

// As if it had come in one.
TEST_F(SilentFaultsTest, ARequestInPiecesIsHarmedAsAWhole) {
  for (const char* const rule :
       {"write torn", "write torn last", "write torn random", "write torn random acknowledged 0",
        "write corrupt 9bits", "write misdirected", "write 9 lost"}) {
    std::string shown[2];
    std::string listed[2];
    int error[2];
    for (int i = 0; i < 2; ++i) {
      Disk disk(2, "pieces", host_.services());
      const std::string pieces = i == 0 ? "0" : "8";
      ASSERT_TRUE(disk.WriteJson(R"({"memory_backed": true, "blocksize": 512, "size": 1, "seed": 7,
                                     "max_sectors": )" +
                                 pieces + R"(, "power": true})")
                      .ok());
      ASSERT_TRUE(disk.Write("faults", std::string("r: ") + rule).ok()) << disk.last_error();
      const std::string bytes(40 * 512, 'x');
      error[i] =
          disk.Do({.op = Op::kWrite, .offset = 2048, .length = bytes.size(), .data = bytes.data()});
      shown[i].resize(kMiB);
      ASSERT_EQ(disk.Do({.op = Op::kRead, .offset = 0, .length = kMiB}, shown[i].data()), 0);
      for (const Damage::Range& range : disk.medium()->damage().List()) {
        for (uint64_t at = range.first; at <= range.last; ++at)
          listed[i] += std::to_string(at) + " ";
      }
      EXPECT_EQ(disk.medium()->fault_rules().CountsOf("r")->hits, 1U) << rule;
    }
    EXPECT_EQ(error[0], error[1]) << rule;
    EXPECT_TRUE(shown[0] == shown[1]) << rule;
    EXPECT_EQ(listed[0], listed[1]) << rule;
  }
}

TEST_F(SilentFaultsTest, OfALargeBlockASectorIsHarmedAlone) {
  On("", 4096);
  const std::string bytes(512, 'x');
  Rules("a: write 3 lost\nc: read 8 corrupt");
  const Command write = {.op = Op::kWrite,
                         .offset = 3 * 512,
                         .length = 512,
                         .data = bytes.data(),
                         .direct = true,
                         .sectors = true};
  EXPECT_EQ(disk_.Do(write), 0);
  EXPECT_EQ(Listed(), "3-3 lost a\n");
  EXPECT_EQ(Truth(0, 8), "...x....");
  EXPECT_EQ(Shown(4, 8), "....!...");
  EXPECT_EQ(Write(0, "yyyyyyyy"), 0);
  EXPECT_EQ(Listed(), "0-7 lost a\n");
}

// --- What the disk becomes ---------------------------------------------------------------------

TEST_F(SilentFaultsTest, DamageStaysWhenTheDiskIsSwitchedOffAndGrows) {
  On();
  Rules("a: write lost");
  ASSERT_EQ(Write(2040, "xxxxxxxx"), 0);
  Set("size", "2");
  ASSERT_EQ(Write(2048, "y"), 0);
  Rules("-a");
  EXPECT_EQ(Listed(), "2040-2048 lost a\n");
  Set("power", "0");
  Set("power", "1");
  EXPECT_EQ(Listed(), "2040-2048 lost a\n");
  EXPECT_EQ(Shown(2040, 9), ".........");
  EXPECT_EQ(disk_.device()->NextData(0), 2040U * 512);
  EXPECT_EQ(disk_.device()->NextHole(2047 * 512), 2056U * 512)
      << "what shows zeros, but is damaged, is data, and the rest of its page is stored";
  Set("power", "0");
  Set("size", "1");
  Set("power", "1");
  EXPECT_EQ(Listed(), "2040-2047 lost a\n") << "what lies behind the end is gone";
  Set("size", "2");
  EXPECT_EQ(Listed(), "2040-2047 lost a\n");
  EXPECT_EQ(Truth(2048, 1), ".");
  Rules("m: write misdirected shift 1");
  ASSERT_EQ(Write(4095, "z"), 0) << "round the end that there is now";
  EXPECT_EQ(Shown(0, 1), "z");
}

TEST_F(SilentFaultsTest, MomentsShowTheTruthAndToGoBackHeals) {
  On(R"(, "history": 1)");
  ASSERT_EQ(Write(0, "aaaa"), 0);
  Rules("l: write lost");
  ASSERT_EQ(Write(1, "bb"), 0);
  const Snapshot taken = *disk_.past().Take("s", 0);
  Rules("-l");
  EXPECT_EQ(Shown(0, 4), "aaaa");
  EXPECT_EQ(LettersOf(**disk_.past().Open(taken.number, "x"), 0, 4), "abba");
  EXPECT_EQ(LettersOf(**disk_.past().OpenAt(taken.moment), 0, 4), "abba");
  ASSERT_EQ(Write(0, "cc"), 0);
  EXPECT_EQ(Listed(), "2-2 lost l\n");
  ASSERT_TRUE(disk_.past().RollBack("s").ok());
  EXPECT_EQ(Shown(0, 4), "abba");
  EXPECT_EQ(Listed(), "");
}

TEST_F(SilentFaultsTest, AStaleReadNeedsWhatWasThere) {
  On(R"(, "history": 1)");
  ASSERT_EQ(Write(0, "a"), 0);
  ASSERT_EQ(Write(0, "b"), 0);
  Rules("s: read stale");
  EXPECT_EQ(Shown(0, 2), "a.");
  EXPECT_EQ(Shown(0, 2), "a.");
  EXPECT_EQ(Hits("s"), 2U);
  EXPECT_EQ(Listed(), "");
}

TEST_F(SilentFaultsTest, WithoutMemoryForItAWriteFails) {
  DiskHost host(uint64_t{16} * kPage);
  Disk disk(2, "full", host.services());
  ASSERT_TRUE(disk.WriteJson(R"({"memory_backed": true, "size": 1, "power": true})").ok());
  ASSERT_TRUE(disk.Write("faults", "a: write 80-2047 lost").ok()) << disk.last_error();
  uint64_t page = 0;
  while (disk.Do({.op = Op::kWrite,
                  .offset = page * kPage,
                  .length = kPage,
                  .data = std::string(kPage, 'x').c_str()}) == 0) {
    ++page;
  }
  EXPECT_GT(page, 10U);
  EXPECT_LT(page, 16U);
  for (const Damage::Range& range : disk.medium()->damage().List()) {
    EXPECT_LT(range.last, page * 8) << "of what failed nothing is damaged";
  }
}

// --- Beside everything -------------------------------------------------------------------------

TEST_F(SilentFaultsTest, RulesComeAndGoBesideRequests) {
  On();
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {  // in a place that no rule is for
      for (uint64_t i = 0; !stop; ++i) {
        const uint64_t sector = t * 8 + i % 4 * 16;
        const std::string letters(8, static_cast<char>('a' + i % 26));
        ASSERT_EQ(Write(sector, letters), 0);
        ASSERT_EQ(Shown(sector, 8), letters);
      }
    });
  }
  threads.emplace_back([&] {
    for (uint64_t i = 0; !stop; ++i) {
      ASSERT_EQ(Write(1024 + i % 8 * 8, std::string(8, static_cast<char>('a' + i % 26))), 0);
      ASSERT_EQ(disk_.Do({.op = i % 2 == 0 ? Op::kFlush : Op::kDiscard,
                          .offset = (1024 + i % 8 * 8) * 512,
                          .length = i % 2 == 0 ? 0U : 4096U}),
                0);
    }
  });
  threads.emplace_back([&] {
    while (!stop) {
      for (uint64_t page = 128; page < 144; ++page) {
        const std::string shown = Shown(page * 8, 8);
        ASSERT_EQ(shown, std::string(8, shown[0])) << "as pages are written";
      }
    }
  });
  for (int i = 0; i < 60 && !HasFailure(); ++i) {
    Rules(i % 2 == 0 ? "a: write discard 1024-1087 lost\nf: flush lost"
                     : "a: write 1024-1087 misdirected shift 64\n-f");
    if (i % 3 == 0) {
      ASSERT_TRUE(disk_.past().Take("s", 0).ok());
    }
    damage().Heal(1024, 1024 + static_cast<uint64_t>(i | 7));
    if (i % 3 == 2) {
      ASSERT_TRUE(disk_.past().Remove(disk_.past().Find("s")->number).ok());
    }
    Set("size", std::to_string(1 + i / 8));
    for (const Damage::Range& range : damage().List()) {
      ASSERT_GE(range.first, 1024U);
      ASSERT_LT(range.last, 1024U + 128);
    }
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  damage().HealAll();
  EXPECT_EQ(Shown(0, 2048), Truth(0, 2048));
}

}  // namespace
}  // namespace rnullfs
