// Disks that begin as others of their mount: names, rights, what is held for them, and who takes
// over.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/kept_file.h"
#include "base/memfd_name.h"
#include "past/past.h"
#include "tree/memfds_left.h"
#include "tree/refused.h"
#include "tree/restore_test.h"

namespace rnullfs {
namespace {

class ClonesTest : public RestoreTest {
 protected:
  using Node = std::shared_ptr<DeviceNode>;

  static absl::Status Set(DeviceNode& node, std::string_view attribute, std::string_view text,
                          const Requester& who = {}) {
    return node.StoreText(*FindAttribute(attribute), text, /*request=*/0, IfOpen::kRefuse, who);
  }
  static std::string OriginOf(DeviceNode& node) { return node.settings().origin; }
  static void Take(DeviceNode& node, std::string_view name) {
    node.With([&](Disk& disk, const Doors&) { EXPECT_THAT(disk.past().Take(name, 0), IsOk()); });
  }
  static absl::Status Drop(DeviceNode& node, std::string_view name) {
    return node.With([&](Disk& disk, const Doors&) {
      return disk.past().Remove(disk.past().Find(name)->number);
    });
  }
  static uint64_t Snapshots(DeviceNode& node) {
    return node.With([](Disk& disk, const Doors&) { return disk.past().figures().snapshots; });
  }
  // A disk that is on, with its name in it.
  Node Disk1(std::string_view name) {
    const Node node = Make(name, R"({"size": 1, "memory_backed": true, "power": true})");
    EXPECT_EQ(old_->Write(*node, 0, name), 0);
    return node;
  }
  Node Clone(std::string_view name, std::string_view origin) {
    return Make(name, absl::StrCat(R"({"origin": ")", std::string(origin), R"(", "power": true})"));
  }
  std::string Read(DeviceNode& node, uint64_t length = 1) const {
    return (new_ == nullptr ? *old_ : *new_).Read(node, 0, length);
  }
};

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

// --- Who takes over ------------------------------------------------------------------------------

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
