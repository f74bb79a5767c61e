// Snapshots by name: what mkdir, rmdir and mv ask, and what another process finds of them.

#include "past/snapshots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "past_util.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

using testing::HasSubstr;

class SnapshotsTest : public testing::Test {
 protected:
  Snapshot Take(const std::string& name, uint64_t request = 0) {
    absl::StatusOr<Snapshot> taken = snapshots_->Take(name, 1000, request);
    EXPECT_TRUE(taken.ok()) << taken.status();
    return taken.ok() ? *taken : Snapshot();
  }
  void BeKilled() {
    snapshots_.reset();
    disk_.BeKilled();
    snapshots_ = std::make_unique<Snapshots>(disk_.past());
  }

  DiskWithPast disk_;
  std::unique_ptr<Snapshots> snapshots_ = std::make_unique<Snapshots>(disk_.past());
};

TEST_F(SnapshotsTest, AreMomentsWithNames) {
  ASSERT_EQ(disk_.Write(0, "a"), 0);
  const Snapshot a = Take("a");
  ASSERT_EQ(disk_.Write(0, "b"), 0);
  const Snapshot b = Take("b");
  EXPECT_EQ(a.number, 0);
  EXPECT_EQ(b.number, 1);
  EXPECT_EQ(a.moment, 1);
  EXPECT_EQ(b.moment, 2);
  EXPECT_EQ(a.size_bytes, disk_.past().size_bytes());
  EXPECT_EQ(a.taken_nsec, 1000);
  EXPECT_LT(a.serial, b.serial);
  EXPECT_EQ(snapshots_->count(), 2);
  EXPECT_EQ(snapshots_->Find("b")->number, 1);
  EXPECT_EQ(snapshots_->Get(0)->name, "a");
  EXPECT_FALSE(snapshots_->Find("c"));
  EXPECT_FALSE(snapshots_->Get(2));
  EXPECT_EQ(disk_.At(a.moment), "a.......");
}

TEST_F(SnapshotsTest, ANameIsTakenOnceButForTheSameRequest) {
  const Snapshot first = Take("a", 7);
  EXPECT_EQ(Take("a", 7).serial, first.serial);
  for (const uint64_t request : {0, 8}) {
    const absl::Status refused = snapshots_->Take("a", 0, request).status();
    EXPECT_EQ(ErrnoOf(refused), EEXIST);
    EXPECT_THAT(std::string(refused.message()), HasSubstr("the snapshot a exists"));
  }
  EXPECT_EQ(snapshots_->count(), 1);
  BeKilled();
  EXPECT_EQ(Take("a", 7).serial, first.serial) << "also by who takes over";
}

TEST_F(SnapshotsTest, HiddenOnesHaveNoName) {
  const Snapshot one = Take("");
  const Snapshot two = Take("");
  Take("named");
  EXPECT_NE(one.number, two.number);
  EXPECT_FALSE(snapshots_->Find(""));
  EXPECT_EQ(snapshots_->Next(0)->name, "named");
  EXPECT_FALSE(snapshots_->Next(3));
  BeKilled();
  EXPECT_EQ(snapshots_->count(), 3);
  EXPECT_TRUE(snapshots_->Remove(one.number).ok());
  EXPECT_TRUE(snapshots_->Get(two.number));
  EXPECT_TRUE(snapshots_->Find("named"));
}

TEST_F(SnapshotsTest, AreRenamed) {
  const Snapshot a = Take("a");
  Take("b");
  EXPECT_EQ(ErrnoOf(snapshots_->Rename(a.number, "b")), EEXIST);
  EXPECT_EQ(ErrnoOf(snapshots_->Rename(9, "c")), ENOENT);
  const std::string longest(255, 'x');
  for (const std::string& name : {std::string("c"), longest, std::string("a")}) {
    ASSERT_TRUE(snapshots_->Rename(a.number, name).ok());
    EXPECT_EQ(snapshots_->Find(name)->serial, a.serial);
    BeKilled();
    EXPECT_EQ(snapshots_->Find(name)->serial, a.serial);
    EXPECT_EQ(snapshots_->count(), 2);
  }
}

TEST_F(SnapshotsTest, AreNotRemovedWhileInUse) {
  const Snapshot a = Take("a");
  ASSERT_TRUE(snapshots_->Use(a.number, "fsck (pid 7)").ok());
  ASSERT_TRUE(snapshots_->Use(a.number, "losetup (pid 8)").ok());
  ASSERT_TRUE(snapshots_->Use(a.number, "fsck (pid 7)").ok());
  const absl::Status busy = snapshots_->Remove(a.number);
  EXPECT_EQ(ErrnoOf(busy), EBUSY);
  EXPECT_THAT(std::string(busy.message()), HasSubstr("fsck (pid 7), losetup (pid 8)"));
  snapshots_->EndUse(a.number, "fsck (pid 7)");
  snapshots_->EndUse(a.number, "losetup (pid 8)");
  EXPECT_EQ(snapshots_->Users(), "fsck (pid 7)");
  EXPECT_EQ(ErrnoOf(snapshots_->Remove(a.number)), EBUSY);
  snapshots_->EndUse(a.number, "fsck (pid 7)");
  EXPECT_FALSE(snapshots_->in_use());
  EXPECT_TRUE(snapshots_->Remove(a.number).ok());
  EXPECT_EQ(ErrnoOf(snapshots_->Remove(a.number)), ENOENT);
  EXPECT_EQ(ErrnoOf(snapshots_->Use(a.number, "x")), ENOENT);
}

TEST_F(SnapshotsTest, NumbersAreUsedAgainAndSerialsAreNot) {
  const Snapshot a = Take("a");
  const Snapshot b = Take("b");
  ASSERT_TRUE(snapshots_->Remove(a.number).ok());
  const Snapshot c = Take("c");
  EXPECT_EQ(c.number, a.number);
  ASSERT_TRUE(snapshots_->Remove(c.number).ok());
  BeKilled();
  const Snapshot d = Take("d");
  EXPECT_EQ(d.number, a.number);
  EXPECT_GT(d.serial, c.serial) << "though nothing was left of that one";
  EXPECT_GT(c.serial, b.serial);
}

// A number is the slot of an inode number.
TEST_F(SnapshotsTest, ThereAreAtMost65535) {
  // All but one, as another process might have left them.
  for (uint32_t number = 1; number < VersionFile::kSnapshotsMax; ++number) {
    VersionFile::SnapshotEntry* const entry = disk_.past().file().MakeSnapshot(number);
    ASSERT_NE(entry, nullptr);
    entry->serial = number;
  }
  BeKilled();
  EXPECT_EQ(snapshots_->count(), VersionFile::kSnapshotsMax - 1);
  EXPECT_EQ(Take("the last one").number, 0);
  const absl::Status full = snapshots_->Take("one more", 0, 0).status();
  EXPECT_EQ(ErrnoOf(full), ENOSPC);
  EXPECT_THAT(std::string(full.message()), HasSubstr("at most 65535 snapshots"));
}

TEST_F(SnapshotsTest, OutliveTheProcess) {
  ASSERT_EQ(disk_.Write(0, "ab"), 0);
  const Snapshot a = Take("a");
  ASSERT_EQ(disk_.Write(1, "cd"), 0);
  const Snapshot b = Take("b");
  ASSERT_EQ(disk_.Discard(0, 3), 0);
  BeKilled();
  EXPECT_EQ(snapshots_->Find("a")->moment, a.moment);
  EXPECT_EQ(snapshots_->Find("a")->taken_nsec, 1000);
  EXPECT_EQ(disk_.At(a.moment), "ab......");
  EXPECT_EQ(disk_.At(b.moment), "acd.....");
  EXPECT_EQ(disk_.Now(), "........");
  ASSERT_TRUE(snapshots_->Remove(b.number).ok());
  EXPECT_EQ(disk_.At(a.moment), "ab......");
  ASSERT_TRUE(snapshots_->Remove(a.number).ok());
  EXPECT_EQ(disk_.Versions(), 0);
}

// Its serial number is what makes it one.
TEST_F(SnapshotsTest, AHalfTakenOneIsNone) {
  ASSERT_EQ(disk_.Write(0, "a"), 0);
  VersionFile::SnapshotEntry* const entry = disk_.past().file().MakeSnapshot(0);
  entry->moment = disk_.past().Hold();
  entry->SetName("half");
  ASSERT_EQ(disk_.Write(0, "b"), 0);
  EXPECT_EQ(disk_.Versions(), 1);
  BeKilled();
  EXPECT_EQ(snapshots_->count(), 0);
  EXPECT_FALSE(snapshots_->Find("half"));
  EXPECT_EQ(disk_.Versions(), 0) << "nobody wants what was kept for it";
  EXPECT_EQ(Take("whole").number, 0);
}

TEST_F(SnapshotsTest, WithoutMemoryThereIsNone) {
  DiskWithPast disk(8, /*limit_bytes=*/kPage);  // the header's
  Snapshots snapshots(disk.past());
  EXPECT_EQ(ErrnoOf(snapshots.Take("a", 0, 0).status()), ENOSPC);
  EXPECT_EQ(snapshots.count(), 0);
  EXPECT_FALSE(disk.past().file().header().serial);
}

// By its serial number: the place of one that has gone may be another's.
TEST_F(SnapshotsTest, AHiddenOneGoesByItself) {
  const Snapshot named = Take("a");
  const Snapshot hidden = Take("");
  ASSERT_TRUE(snapshots_->Use(hidden.number, "e").ok());
  snapshots_->RemoveHidden(hidden.serial);
  EXPECT_TRUE(snapshots_->Get(hidden.number)) << "it is in use";
  snapshots_->EndUse(hidden.number, "e");
  snapshots_->RemoveHidden(named.serial);
  EXPECT_TRUE(snapshots_->Find("a"));
  snapshots_->RemoveHidden(hidden.serial);
  EXPECT_FALSE(snapshots_->Get(hidden.number));
  const Snapshot next = Take("");
  EXPECT_EQ(next.number, hidden.number);
  snapshots_->RemoveHidden(hidden.serial);
  EXPECT_TRUE(snapshots_->Get(next.number));
  snapshots_->RemoveHidden(next.serial);
  BeKilled();
  EXPECT_EQ(snapshots_->count(), 1);
}

}  // namespace
}  // namespace rnullfs
