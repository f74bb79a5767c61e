// Who keeps what of the past: a page's versions, the moments that are held, and the history.

#include "past/retention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "past_util.h"

namespace rnullfs {
namespace {

TEST(Retention, WithoutMomentsAndHistoryNothingIsKept) {
  DiskWithPast disk;
  ASSERT_EQ(disk.Write(0, "ab"), 0);
  ASSERT_EQ(disk.Write(0, "cd"), 0);
  EXPECT_EQ(disk.Versions(), 0);
  EXPECT_EQ(disk.past().sequence(), 2);
  EXPECT_EQ(disk.past().oldest(), 2) << "only now can be seen";
}

TEST(Retention, AMomentKeepsAPageOnce) {
  DiskWithPast disk;
  ASSERT_EQ(disk.Write(0, "ab"), 0);
  const uint64_t moment = disk.past().Hold();
  for (const char* letters : {"c", "d", "e"}) ASSERT_EQ(disk.Write(0, letters), 0);
  EXPECT_EQ(disk.Versions(), 1);
  EXPECT_EQ(disk.At(moment), "ab......");
  EXPECT_EQ(disk.past().AloneBytes(moment), kPage);
  disk.past().Release(moment);
  EXPECT_EQ(disk.Versions(), 0);
}

// What was true over two moments is the newer one's, and goes to the older one.
TEST(Retention, AVersionIsHandedDown) {
  DiskWithPast disk;
  ASSERT_EQ(disk.Write(0, "ab"), 0);
  const uint64_t older = disk.past().Hold();
  ASSERT_EQ(disk.Write(1, "B"), 0);
  const uint64_t newer = disk.past().Hold();
  ASSERT_EQ(disk.Write(0, "xy"), 0);
  EXPECT_EQ(disk.Versions(), 3);
  EXPECT_EQ(disk.past().AloneBytes(older), kPage) << "b";
  EXPECT_EQ(disk.past().AloneBytes(newer), kPage) << "B; the older one would keep a";
  disk.past().Release(newer);
  EXPECT_EQ(disk.Versions(), 2);
  EXPECT_EQ(disk.At(older), "ab......");
  EXPECT_EQ(disk.past().AloneBytes(older), 2 * kPage);
  disk.past().Release(older);
  EXPECT_EQ(disk.Versions(), 0);
}

// What the disk is again it need not be kept.
TEST(Retention, GoingBackToTheNewestMomentFreesWhatItKept) {
  DiskWithPast disk;
  ASSERT_EQ(disk.Write(0, "abc"), 0);
  const uint64_t older = disk.past().Hold();
  ASSERT_EQ(disk.Write(1, "B"), 0);
  const uint64_t newest = disk.past().Hold();
  for (int times = 0; times < 3; ++times) {
    ASSERT_EQ(disk.Write(0, "xyzw"), 0);
    EXPECT_EQ(disk.Versions(), 5) << "b, and what has been overwritten since, a hole included";
    EXPECT_EQ(disk.At(newest), "aBc.....");
    ASSERT_EQ(disk.past().RollBack(newest), 0);
    EXPECT_EQ(disk.Versions(), 1);
    EXPECT_EQ(disk.Now(), "aBc.....");
    EXPECT_EQ(disk.At(newest), "aBc.....");
    EXPECT_EQ(disk.At(older), "abc.....");
  }
  ASSERT_EQ(disk.past().RollBack(older), 0);
  EXPECT_EQ(disk.Now(), "abc.....");
  EXPECT_EQ(disk.At(newest), "aBc.....") << "not from what the older one kept";
}

TEST(Retention, GoingBackFreesNothingThatTheHistoryHas) {
  DiskWithPast disk;
  disk.past().SetHistory(100 * kPage);
  ASSERT_EQ(disk.Write(0, "ab"), 0);
  const uint64_t moment = disk.past().Hold();
  ASSERT_EQ(disk.Write(0, "xy"), 0);
  ASSERT_EQ(disk.past().RollBack(moment), 0);
  EXPECT_EQ(disk.Now(), "ab......");
  EXPECT_EQ(disk.At(moment + 1, false), "xy......");
  EXPECT_EQ(disk.At(moment), "ab......");
}

TEST(Retention, AMomentMayHaveTwoHolders) {
  DiskWithPast disk;
  ASSERT_EQ(disk.Write(0, "a"), 0);
  const uint64_t moment = disk.past().Hold();
  EXPECT_EQ(disk.past().Hold(), moment);
  ASSERT_EQ(disk.Write(0, "b"), 0);
  EXPECT_EQ(disk.past().AloneBytes(moment), 0) << "neither keeps it alone";
  disk.past().Release(moment);
  EXPECT_EQ(disk.At(moment), "a.......");
  EXPECT_EQ(disk.past().AloneBytes(moment), kPage);
  disk.past().Release(moment);
  EXPECT_EQ(disk.Versions(), 0);
}

TEST(Retention, MomentsGoInAnyOrder) {
  std::vector<int> order = {0, 1, 2, 3};
  do {
    DiskWithPast disk;
    std::vector<uint64_t> moments;
    for (const char* letters : {"abcd", "B", "CC", "."}) {
      ASSERT_EQ(disk.Write(moments.size(), letters), 0);
      moments.push_back(disk.past().Hold());
    }
    ASSERT_EQ(disk.Write(0, "wxyz"), 0);
    const std::vector<std::string> was = {"abcd....", "aBcd....", "aBCC....", "aBC....."};
    for (size_t gone = 0; gone < order.size(); ++gone) {
      disk.past().Release(moments[order[gone]]);
      for (size_t left = gone + 1; left < order.size(); ++left) {
        ASSERT_EQ(disk.At(moments[order[left]]), was[order[left]]);
      }
    }
    ASSERT_EQ(disk.Versions(), 0);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(Retention, TheHistoryForgetsItsOldest) {
  DiskWithPast disk;
  disk.past().SetHistory(3 * kPage);
  for (const char* letters : {"a", "b", "c", "d", "e"}) ASSERT_EQ(disk.Write(0, letters), 0);
  EXPECT_EQ(disk.past().sequence(), 5);
  EXPECT_EQ(disk.past().oldest(), 2) << "of a to e, e is now";
  EXPECT_EQ(disk.At(2, false), "b.......");
  EXPECT_EQ(disk.At(5, false), "e.......");
  disk.past().SetHistory(kPage);
  EXPECT_EQ(disk.past().oldest(), 4);
  EXPECT_EQ(disk.past().history_bytes(), kPage);
  disk.past().SetHistory(0);
  EXPECT_EQ(disk.past().oldest(), 5);
  EXPECT_EQ(disk.Versions(), 0);
  EXPECT_EQ(disk.past().history_bytes(), 0);
}

TEST(Retention, WhatASnapshotKeptBecomesHistoryInItsOrder) {
  DiskWithPast disk;
  disk.past().SetHistory(8 * kPage);
  ASSERT_EQ(disk.Write(0, "abc"), 0);
  const uint64_t moment = disk.past().Hold();
  ASSERT_EQ(disk.Write(0, "x"), 0);  // the moment's
  ASSERT_EQ(disk.Write(0, "y"), 0);  // history
  ASSERT_EQ(disk.Write(1, "x"), 0);  // the moment's
  disk.past().Release(moment);
  for (uint64_t pages = 8; pages > 0; --pages) {
    disk.past().SetHistory(pages * kPage);
    const uint64_t oldest = disk.past().oldest();
    EXPECT_LE(disk.past().history_bytes(), pages * kPage);
    if (oldest <= 1) {
      EXPECT_EQ(disk.At(1, false), "abc.....");
    }
    if (oldest <= 2) {
      EXPECT_EQ(disk.At(2, false), "xbc.....");
    }
    EXPECT_EQ(disk.At(3, false), "ybc.....") << pages;
  }
  EXPECT_EQ(disk.past().oldest(), 3);
}

// What ended before a history begins is nothing that it could show.
TEST(Retention, AHistoryBeginsWithNow) {
  DiskWithPast disk;
  ASSERT_EQ(disk.Write(0, "a"), 0);
  const uint64_t moment = disk.past().Hold();
  ASSERT_EQ(disk.Write(0, "b"), 0);
  disk.past().SetHistory(8 * kPage);
  EXPECT_EQ(disk.past().oldest(), 2);
  disk.past().Release(moment);
  EXPECT_EQ(disk.Versions(), 0);
  const auto gone = disk.past().ViewAt(1, kPage, false);
  EXPECT_EQ(gone->Read(0, kPage, [](absl::Span<const iovec>) {}), ESTALE);
}

TEST(Retention, TheHistoryOutlivesTheProcess) {
  DiskWithPast disk;
  disk.past().SetHistory(8 * kPage);
  for (const char* letters : {"a", "b", "c"}) ASSERT_EQ(disk.Write(0, letters), 0);
  disk.BeKilled(8 * kPage);
  EXPECT_EQ(disk.past().oldest(), 0);
  EXPECT_EQ(disk.At(1, false), "a.......");
  disk.BeKilled(kPage);
  EXPECT_EQ(disk.past().oldest(), 2);
  disk.BeKilled();
  EXPECT_EQ(disk.Versions(), 0);
}

}  // namespace
}  // namespace rnullfs
