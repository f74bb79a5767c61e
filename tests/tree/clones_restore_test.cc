// Disks that begin as others, and who takes over: what is found again, wherever a process died.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/kept_file.h"
#include "base/memfd_name.h"
#include "past/past.h"
#include "tree/clones_test.h"
#include "tree/memfds_left.h"

namespace rnullfs {
namespace {

TEST_F(ClonesTest, ARowOfThemIsFoundAgain) {
  const Node d = Disk1("d");
  const Node e = Clone("e", "d");
  EXPECT_EQ(old_->Write(*e, 4096, "e"), 0);
  Take(*e, "s");
  EXPECT_EQ(old_->Write(*e, 4096, "x"), 0);
  const Node f = Clone("f", "e@s");
  EXPECT_EQ(old_->Write(*d, 0, "x"), 0);
  for (int times = 0; times < 2; ++times) {
    TakeOver();
    EXPECT_EQ(OriginOf(*Found("e")), "d");
    EXPECT_EQ(OriginOf(*Found("f")), "e@s");
    EXPECT_EQ(new_->Read(*Found("f"), 0, 1), "d");
    EXPECT_EQ(new_->Read(*Found("f"), 4096, 1), "e");
    EXPECT_EQ(new_->Read(*Found("e"), 4096, 1), "x");
    EXPECT_EQ(Snapshots(*Found("d")), 1U);
    EXPECT_THAT(Drop(*Found("e"), "s"), Refused(EBUSY));
  }
}

// One that is off, an older one that begins as a younger, and one that has no store yet.
TEST_F(ClonesTest, WhoIsOlderMayBeginAsAYounger) {
  const Node older = Make("older", "{}");
  const Node later = Make("later", "{}");
  const Node d = Disk1("d");
  ASSERT_THAT(older->WriteJson({.data = R"({"origin": "d", "power": true})"}), IsOk());
  ASSERT_THAT(Set(*older, "power", "0"), IsOk());
  ASSERT_THAT(Set(*later, "origin", "older"), IsOk());
  TakeOver();
  EXPECT_EQ(OriginOf(*Found("older")), "d");
  EXPECT_EQ(OriginOf(*Found("later")), "older");
  EXPECT_EQ(Snapshots(*Found("d")), 1U);
  EXPECT_EQ(Snapshots(*Found("older")), 1U);
  ASSERT_THAT(Set(*Found("later"), "power", "1"), IsOk());
  EXPECT_EQ(Read(*Found("later")), "d");
  TakeOver();
  EXPECT_EQ(Read(*Found("later")), "d");
}

TEST_F(ClonesTest, WhoStandsAloneDoesSoForGood) {
  const Node d = Disk1("d");
  const Node e = Clone("e", "d");
  ASSERT_THAT(Set(*e, "origin", ""), IsOk());
  TakeOver();
  EXPECT_EQ(OriginOf(*Found("e")), "");
  EXPECT_EQ(Read(*Found("e")), "d");
  EXPECT_THAT(new_->tree.Remove(kRootInode, "d"), IsOk());
}

// Who dies between a snapshot and its user's record leaves one that nobody needs.
TEST_F(ClonesTest, WhatIsHeldForNobodyGoes) {
  const Node d = Disk1("d");
  Take(*d, "");
  Take(*d, "named");
  const Node e = Clone("e", "d");
  EXPECT_EQ(Snapshots(*d), 3U);
  TakeOver();
  EXPECT_EQ(Snapshots(*Found("d")), 2U);
  EXPECT_EQ(Read(*Found("e")), "d");
}

// Who dies where all has been copied and its record not saved: the marks have gone before.
TEST_F(ClonesTest, AStoreWithoutMarksStandsAlone) {
  const Node d = Disk1("d");
  const Node e = Clone("e", "d");
  e->With([](Disk& disk, const Doors&) { EXPECT_THAT(disk.medium()->StandAlone(), IsOk()); });
  TakeOver();
  EXPECT_EQ(OriginOf(*Found("e")), "");
  EXPECT_EQ(Read(*Found("e")), "d");
  EXPECT_EQ(Snapshots(*Found("d")), 0U);
}

// Who dies while it is switched on for the first time.
TEST_F(ClonesTest, AStoreThatNoRecordHasIsMadeAgain) {
  const Node d = Disk1("d");
  const Node e = Make("e", R"({"origin": "d"})");
  e->With([](Disk& disk, const Doors&) {
    DeviceConfig config = disk.config();
    config.memory_backed = true;
    EXPECT_THAT(disk.medium()->Prepare(config), IsOk());
  });
  TakeOver();
  EXPECT_EQ(OriginOf(*Found("e")), "d");
  EXPECT_EQ(Found("e")->With([](Disk& disk, const Doors&) { return disk.store(); }), nullptr);
  ASSERT_THAT(Set(*Found("e"), "power", "1"), IsOk());
  EXPECT_EQ(Read(*Found("e")), "d");
}

TEST_F(ClonesTest, AnOriginThatIsMissingIsSaid) {
  const Node d = Disk1("d");
  Take(*d, "s");
  const Node e = Clone("e", "d@s");
  d->With([](Disk& disk, const Doors&) {  // as it never happens
    disk.medium()->past()->file().MakeSnapshot(0)->serial = 0;
  });
  absl::StatusOr<std::unique_ptr<Survival>> survival = Survival::Open(guard_.State(), guard_);
  ASSERT_THAT(survival, IsOk());
  new_ = std::make_unique<Process>(*std::move(survival));
  EXPECT_THAT(new_->tree.Restore(guard_.Disks()),
              RefusedWith(EINVAL, "e has an origin that is missing"));
}

// A user may give his image the name of a memfd.
TEST(MemfdsLeft, AFileThatIsKeptIsNoMemfd) {
  std::vector<UniqueFd> left;
  left.emplace_back(memfd_create(DiskMemfdName(1, "d").c_str(), MFD_CLOEXEC));
  left.emplace_back(memfd_create(DiskMemfdName(1, "d").c_str(), MFD_CLOEXEC));
  const uint64_t inode = InodeOf(left[0].get());
  ASSERT_TRUE(MarkAsKept(left[1].get()));
  const std::map<uint64_t, Disk::Memfds> memfds = MemfdsOf({}, left);
  EXPECT_EQ(InodeOf(memfds.at(1).disk.get()), inode);
  EXPECT_FALSE(memfds.at(1).moving_to.valid());
  struct stat status = {};
  ASSERT_EQ(fstat(left[1].get(), &status), 0);
  const OriginKey key = {.file_device = status.st_dev, .file_inode = status.st_ino};
  EXPECT_TRUE(FileOf(key, left).valid());
  EXPECT_FALSE(FileOf(key, left).valid()) << "once";
}

// Those who go with the process go in any order.
TEST_F(ClonesTest, TheEndNeedsNoOrder) {
  const Node older = Make("older", "{}");
  const Node d = Disk1("d");
  const Node e = Clone("e", "d");
  Clone("f", "e");
  ASSERT_THAT(older->WriteJson({.data = R"({"origin": "e", "power": true})"}), IsOk());
}

}  // namespace
}  // namespace rnullfs
