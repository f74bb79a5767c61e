// Disks that begin as others of their mount: names, rights, and what is held for them.

#include "tree/clones_test.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"

namespace rnullfs {
namespace {

TEST_F(ClonesTest, APowerOnThatFailsWithoutAnOriginLeavesIt) {
  Disk1("d");
  const Node e = Make("e", R"({"origin": "d"})");
  EXPECT_THAT(e->WriteJson({.data = R"({"origin": "", "zoned": true, "power": true})"}),
              Refused(EINVAL));
  EXPECT_THAT(Set(*e, "power", "1"), IsOk());
  EXPECT_EQ(Read(*e), "d");
}

TEST_F(ClonesTest, TheLongestDisksNameCounts) {
  Take(*Disk1("d"), "a@b");
  const Node longer = Disk1("e@a");
  Take(*longer, "b");
  const Node other = Disk1("e");
  EXPECT_EQ(Read(*Clone("of_snapshot", "d@a@b")), "d");
  EXPECT_EQ(Read(*Clone("of_longer", "e@a@b"), 3), "e@a");
  EXPECT_EQ(Read(*Clone("now", "e@a"), 3), "e@a");
  const Node x = Make("x", "{}");
  EXPECT_THAT(Set(*x, "origin", "e@b"), RefusedWith(ENOENT, "e has no snapshot b"));
  EXPECT_THAT(Set(*x, "origin", "e@"), RefusedWith(ENOENT, "has no snapshot"));
  EXPECT_THAT(Set(*x, "origin", "@"), RefusedWith(ENOENT, "no disk @"));
  EXPECT_THAT(Set(*x, "origin", "@@e"), Refused(ENOENT));
  EXPECT_THAT(Set(*x, "origin", "x"), RefusedWith(EINVAL, "has stored nothing"));
  EXPECT_EQ(OriginOf(*x), "");
}

// Not even for a moment with its own lock.
TEST_F(ClonesTest, ADiskIsNotItsOwnOrigin) {
  const Node d = Disk1("d");
  EXPECT_THAT(Set(*d, "origin", "d"), Refused(EBUSY));
  ASSERT_THAT(Set(*d, "power", "0"), IsOk());
  EXPECT_THAT(Set(*d, "origin", "d"), RefusedWith(EINVAL, "contents of its own"));
  EXPECT_EQ(Snapshots(*d), 0U);
}

TEST_F(ClonesTest, WhatIsNeededStays) {
  const Node d = Disk1("d");
  Take(*d, "s");
  const Node e = Clone("e", "d@s");
  EXPECT_THAT(Drop(*d, "s"), RefusedWith(EBUSY, "e, a clone"));
  ASSERT_THAT(Set(*d, "power", "0"), IsOk());
  EXPECT_THAT(old_->tree.Remove(kRootInode, "d"), RefusedWith(EBUSY, "e, a clone"));
  EXPECT_EQ(Read(*e), "d") << "also of a disk that is off";
  d->With([](Disk& disk, const Doors&) {
    EXPECT_THAT(disk.past().Rename(disk.past().Find("s")->number, "t"), IsOk());
  });
  EXPECT_EQ(OriginOf(*e), "d@t");
  ASSERT_THAT(Set(*e, "origin", ""), IsOk());
  EXPECT_THAT(Drop(*d, "t"), IsOk());
  EXPECT_THAT(old_->tree.Remove(kRootInode, "d"), IsOk());
  EXPECT_EQ(Read(*e), "d");
}

TEST_F(ClonesTest, AHiddenSnapshotGoesWithItsClone) {
  const Node d = Disk1("d");
  const Node e = Clone("e", "d");
  EXPECT_EQ(Snapshots(*d), 1U);
  EXPECT_EQ(OriginOf(*e), "d");
  const Node f = Clone("f", "d");
  EXPECT_EQ(Snapshots(*d), 2U);
  ASSERT_THAT(old_->tree.Remove(kRootInode, "e"), IsOk());
  EXPECT_EQ(Snapshots(*d), 1U);
  ASSERT_THAT(Set(*f, "origin", ""), IsOk());
  EXPECT_EQ(Snapshots(*d), 0U);
  EXPECT_FALSE(d->With([](Disk& disk, const Doors&) { return disk.past().remembers(); }));
}

TEST_F(ClonesTest, ItsJsonMakesAnotherOne) {
  const Node d = Disk1("d");
  Take(*d, "s");
  const Node e = Clone("e", "d@s");
  EXPECT_EQ(old_->Write(*d, 0, "x"), 0);
  const std::string json = e->With([](Disk& disk, const Doors&) { return disk.Json(); });
  ASSERT_THAT(e->WriteJson({.data = json}), IsOk()) << "as it is";
  EXPECT_EQ(Read(*Make("f", json)), "d");
}

// --- Whose rights count --------------------------------------------------------------------------

TEST_F(ClonesTest, WhoMayNotReadADiskHasNoCloneOfIt) {
  const Node d = Disk1("d");  // of user 10, group 20
  Take(*d, "s");
  const Node x = Make("x", "{}");
  const auto allow = [&](Place place, mode_t mode) {
    d->ChangeOwnership(place, kDiskMode, {.mode = mode, .uid = {}, .gid = {}});
  };
  const Requester owner = {.pid = getpid(), .uid = 10, .gid = 99};
  const Requester member = {.pid = getpid(), .uid = 11, .gid = 20};
  const Requester other = {.pid = getpid(), .uid = 12, .gid = 98};
  allow(kDirectorySlot, 0755);
  allow(kDiskSlot, 0640);
  EXPECT_THAT(Set(*x, "origin", "d@s", owner), IsOk());
  EXPECT_THAT(Set(*x, "origin", "", other), IsOk());
  EXPECT_THAT(Set(*x, "origin", "d@s", member), IsOk());
  EXPECT_THAT(Set(*x, "origin", "", other), IsOk());
  EXPECT_THAT(Set(*x, "origin", "d@s", other), RefusedWith(EACCES, "may not read the disk d"));
  EXPECT_THAT(Set(*x, "origin", "d", member), RefusedWith(EACCES, "take a snapshot of d"));
  EXPECT_THAT(Set(*x, "origin", "d", owner), IsOk());
  EXPECT_THAT(Set(*x, "origin", "", owner), IsOk());
  allow(kDiskSlot, 0046);  // the owner's bits are the owner's, and the group's the group's
  EXPECT_THAT(Set(*x, "origin", "d@s", owner), Refused(EACCES));
  EXPECT_THAT(Set(*x, "origin", "d@s", member), IsOk());
  EXPECT_THAT(Set(*x, "origin", "", owner), IsOk());
  allow(kDirectorySlot, 0700);
  EXPECT_THAT(Set(*x, "origin", "d@s", member), Refused(EACCES));
  EXPECT_EQ(Snapshots(*d), 1U);
}

// --- Many at once --------------------------------------------------------------------------------

TEST_F(ClonesTest, AreMadeAndGoWhileTheirOriginIsUsed) {
  const Node d = Disk1("d");
  std::atomic<bool> over = false;
  std::thread writer([&] {
    for (uint64_t i = 0; !over; ++i) EXPECT_EQ(old_->Write(*d, 4096 * (i % 200 + 1), "w"), 0);
  });
  std::thread asker([&] {
    while (!over) {
      Snapshots(*d);
      static_cast<void>(d->StatsText());
    }
  });
  std::vector<std::thread> makers;
  for (const char* name : {"a", "b"}) {
    makers.emplace_back([&, name] {
      for (int i = 0; i < 20; ++i) {
        const Node clone = Clone(name, "d");
        EXPECT_EQ(Read(*clone), "d");
        EXPECT_TRUE(i % 2 == 0 || Set(*clone, "origin", "").ok());
        EXPECT_THAT(old_->tree.Remove(kRootInode, name), IsOk());
      }
    });
  }
  for (std::thread& maker : makers) maker.join();
  over = true;
  writer.join();
  asker.join();
  EXPECT_EQ(Snapshots(*d), 0U);
}

}  // namespace
}  // namespace rnullfs
