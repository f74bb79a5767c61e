// snapshots/ and at/ in a device's directory, and what the two show of its past.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tree/refused.h"
#include "tree/rollback_file.h"
#include "tree/tree_test.h"

namespace rnullfs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class PastSectionsTest : public TreeTest {
 protected:
  PastSectionsTest() { EXPECT_THAT(node_->WriteJson({.data = kOn}), IsOk()); }

  void Write(std::string_view data, uint64_t offset = 0) {
    node_->device()->Submit(
        {.op = Op::kWrite, .offset = offset, .length = data.size(), .data = data.data()},
        {.complete = [](void*, const Answer& answer) { EXPECT_EQ(answer.error, 0); }});
  }
  // The number of the last change.
  uint64_t Now() {
    return node_->With([](Disk& disk, const Doors&) { return disk.past().figures().sequence; });
  }
  void StoreText(std::string_view attribute, std::string_view text) {
    EXPECT_THAT(node_->StoreText(*FindAttribute(attribute), text), IsOk());
  }
  Inode Take(std::string_view name, uint64_t request = 0) {
    return tree_.Find(snapshots_)->Make(name, {.request = request}).value()->inode();
  }
  Inode At(uint64_t moment) { return Find(at_, absl::StrCat(moment)); }
  std::unique_ptr<FileHandle> Open(Inode file) {
    return tree_.Find(file)->Open(O_RDONLY, 0, "a test").value();
  }
  std::string Read(Inode file, uint64_t length) { return Open(file)->Read(0, length).value(); }
  struct stat Stat(Inode inode) {
    return tree_.Find(inode)->Stat().value();
  }

  static constexpr std::string_view kOn =
      R"({"size": 1, "memory_backed": true, "history": 1, "power": true})";
  const std::shared_ptr<DeviceNode> node_ = Device("d");
  const Inode directory_ = MakeInode(node_->id(), kDirectorySlot);
  const Inode snapshots_ = Find(directory_, "snapshots");
  const Inode at_ = Find(directory_, "at");
};

// --- at/ -----------------------------------------------------------------------------------------

TEST_F(PastSectionsTest, EveryMomentHasADisk) {
  const uint64_t before = Now();
  Write("one");
  Write("two");
  EXPECT_EQ(Read(Find(At(before), "disk"), 3), std::string(3, '\0'));
  EXPECT_EQ(Read(Find(At(before + 1), "disk"), 3), "one");
  EXPECT_EQ(Read(Find(At(before + 2), "disk"), 3), "two");
  EXPECT_EQ(Stat(Find(At(before), "disk")).st_size, 1 << 20);
}

TEST_F(PastSectionsTest, OnlyTheFirstAndTheLastMomentAreListed) {
  EXPECT_THAT(List(at_), ElementsAre(".", "..", "0"));
  EXPECT_EQ(Stat(at_).st_nlink, 3U);
  for (int i = 0; i < 5; ++i) Write("x");
  EXPECT_THAT(List(at_), ElementsAre(".", "..", "0", "5"));
  EXPECT_EQ(Stat(at_).st_nlink, 4U);
  EXPECT_EQ(Stat(at_).st_mode, S_IFDIR | 0555U);
  uint64_t next = 0;
  EXPECT_THAT(List(at_, 0, 3, &next), ElementsAre(".", "..", "0"));
  Write("x");  // between two pieces of a listing
  EXPECT_THAT(List(at_, next, 3, &next), ElementsAre("6"));
  EXPECT_THAT(List(at_, next), ElementsAre());
  EXPECT_THAT(List(At(3)), ElementsAre(".", "..", "disk"));
}

TEST_F(PastSectionsTest, AMomentIsANumberAsItIsPrinted) {
  for (int i = 0; i < 5; ++i) Write("x");
  for (const char* name : {"", "00", "05", "+5", "-1", "0x5", "5 ", " 5", "five", "6",
                           "18446744073709551615", "18446744073709551616", "4294967301"}) {
    EXPECT_THAT(tree_.Lookup(at_, name), Refused(ENOENT)) << name;
  }
  EXPECT_FALSE(tree_.Lookup(at_, "5").value()->lasting());
  EXPECT_FALSE(tree_.Lookup(At(5), "disk").value()->lasting());
  EXPECT_THAT(tree_.Lookup(At(5), "disc"), Refused(ENOENT));
}

TEST_F(PastSectionsTest, NothingIsChangedInAt) {
  Write("x");
  EXPECT_THAT(tree_.Find(at_)->Make("7", {}), Refused(EPERM));
  EXPECT_THAT(tree_.Remove(at_, "0"), Refused(EPERM));
  EXPECT_THAT(tree_.Remove(At(0), "disk"), Refused(ENOTDIR));
  EXPECT_THAT(tree_.Find(at_)->Rename("0", *tree_.Find(at_), "2", 0), Refused(EPERM));
  EXPECT_THAT(tree_.Find(Find(At(0), "disk"))->Open(O_RDWR), Refused(EACCES));
  EXPECT_THAT(tree_.Find(Find(At(0), "disk"))->Truncate(0), Refused(EACCES));
  EXPECT_THAT(tree_.Find(At(0))->ChangeOwnership({.mode = 0700}), Refused(EPERM));
}

TEST_F(PastSectionsTest, WithoutHistoryThereIsNoMoment) {
  Take("s");
  Write("x");
  StoreText("history", "0");
  EXPECT_THAT(List(at_), ElementsAre(".", ".."));
  EXPECT_EQ(Stat(at_).st_nlink, 2U);
  EXPECT_THAT(tree_.Lookup(at_, absl::StrCat(Now())), Refused(ENOENT));
  StoreText("history", "1");
  EXPECT_THAT(List(at_), ElementsAre(".", "..", absl::StrCat(Now())));
}

// 1 MiB of history: two overwrites of the disk are more.
TEST_F(PastSectionsTest, WhatTheHistoryForgetsIsStale) {
  Write(std::string(1 << 20, 'a'));
  const uint64_t moment = Now();
  const Inode directory = At(moment);
  const Inode file = Find(directory, "disk");
  const std::unique_ptr<FileHandle> open = Open(file);
  EXPECT_EQ(open->Read(0, 1).value(), "a");
  Write(std::string(1 << 20, 'b'));
  Write(std::string(1 << 20, 'c'));
  EXPECT_THAT(tree_.Lookup(at_, absl::StrCat(moment)), Refused(ENOENT));
  EXPECT_THAT(open->Read(0, 1), Refused(ESTALE));
  EXPECT_EQ(open->view()->CopyOut(0, 0, nullptr), ESTALE);
  EXPECT_THAT(tree_.Find(file)->Stat(), Refused(ESTALE));
  EXPECT_THAT(tree_.Find(directory)->Stat(), Refused(ESTALE));
  EXPECT_THAT(tree_.Lookup(directory, "disk"), Refused(ENOENT));
  EXPECT_THAT(tree_.Find(directory)->List(0, [](auto...) { return true; }), Refused(ESTALE));
  EXPECT_THAT(Open(file)->Read(0, 1), Refused(ESTALE));  // as who takes over makes it again
  EXPECT_THAT(List(at_), ElementsAre(".", "..", absl::StrCat(moment + 1), absl::StrCat(Now())));
}

TEST_F(PastSectionsTest, AnotherSizeBeginsTheHistoryAnew) {
  Write("x");
  StoreText("power", "0");
  StoreText("power", "1");
  EXPECT_EQ(Read(Find(At(1), "disk"), 1), "x");
  const std::unique_ptr<FileHandle> open = Open(Find(At(1), "disk"));
  for (const char* size : {"2", "1", "2"}) {
    StoreText("power", "0");
    StoreText("size", size);
    EXPECT_EQ(Read(Find(At(Now()), "disk"), 1), "x");  // not before it is on
    StoreText("power", "1");
    EXPECT_THAT(List(at_), ElementsAre(".", "..", absl::StrCat(Now())));
    EXPECT_EQ(Stat(Find(At(Now()), "disk")).st_size >> 20, size[0] - '0');
    Write("x");
    node_->device()->Submit({.op = Op::kFlush}, {.complete = [](void*, const Answer&) {}});
  }
  EXPECT_THAT(open->Read(0, 1), Refused(ESTALE));
}

TEST_F(PastSectionsTest, ADeviceWithALateNumberHasNoAtNoFaultsAndNoLog) {
  const auto late = std::make_shared<DeviceNode>(
      kWideDeviceIdMax + 1, "late", Ownership(),
      NodeServices{.device = {.clock = Clock::Real(), .completions = completions_},
                   .memory = memory_,
                   .passthrough_obstacle = [] { return std::string("it is a test"); }});
  DeviceDirectory directory(late, DeviceSections());
  EXPECT_EQ(directory.Lookup("at"), nullptr);
  EXPECT_EQ(directory.Lookup("faults"), nullptr);
  EXPECT_EQ(directory.Lookup("log"), nullptr);
  EXPECT_NE(directory.Lookup("snapshots"), nullptr);
  EXPECT_EQ(directory.Stat()->st_nlink, Stat(directory_).st_nlink - 4);
  std::vector<std::string> names;
  EXPECT_THAT(directory.List(0,
                             [&](std::string_view name, Inode, mode_t, uint64_t) {
                               names.emplace_back(name);
                               return true;
                             }),
              IsOk());
  EXPECT_THAT(
      names, testing::AllOf(testing::Contains("snapshots"), testing::Not(testing::Contains("at"))));
}

// --- snapshots/ ----------------------------------------------------------------------------------

TEST_F(PastSectionsTest, MkdirTakesASnapshot) {
  Write("then");
  const Inode snapshot = Take("clean");
  Write("now!");
  EXPECT_EQ(Find(snapshots_, "clean"), snapshot);
  EXPECT_THAT(List(snapshot), ElementsAre(".", "..", "disk", "info.json"));
  EXPECT_EQ(Read(Find(snapshot, "disk"), 4), "then");
  EXPECT_THAT(Read(Find(snapshot, "info.json"), 1000),
              testing::AllOf(HasSubstr("\"sequence\": 1,"), HasSubstr("\"size_bytes\": 1048576,")));
  EXPECT_EQ(Stat(Find(snapshot, "disk")).st_size, 1 << 20);
  EXPECT_EQ(Stat(snapshots_).st_nlink, 3U);
  EXPECT_TRUE(tree_.Lookup(snapshots_, "clean").value()->lasting());
}

TEST_F(PastSectionsTest, TheSameRequestTakesOneSnapshot) {
  EXPECT_EQ(Take("clean", 77), Take("clean", 77));
  EXPECT_THAT(tree_.Find(snapshots_)->Make("clean", {.request = 78}), Refused(EEXIST));
  for (const char* name : {"", "a\nb"}) {
    EXPECT_THAT(tree_.Find(snapshots_)->Make(name, {}), Refused(EINVAL)) << name;
  }
}

TEST_F(PastSectionsTest, ASnapshotIsRenamedAndRemoved) {
  const Inode snapshot = Take("a");
  Take("b");
  const auto rename = [&](const char* from, const char* to) {
    return tree_.Find(snapshots_)->Rename(from, *tree_.Find(snapshots_), to, 0);
  };
  ASSERT_THAT(rename("a", "c"), IsOk());
  EXPECT_EQ(Find(snapshots_, "c"), snapshot);
  EXPECT_THAT(tree_.Lookup(snapshots_, "a"), Refused(ENOENT));
  EXPECT_THAT(rename("a", "d"), Refused(ENOENT));
  EXPECT_THAT(rename("b", "c"), Refused(EEXIST));
  EXPECT_THAT(tree_.Find(snapshots_)->Rename("b", *tree_.Find(at_), "b", 0), Refused(EPERM));
  ASSERT_THAT(tree_.Remove(snapshots_, "c"), IsOk());
  EXPECT_THAT(tree_.Remove(snapshots_, "c"), Refused(ENOENT));
  EXPECT_THAT(tree_.Find(snapshot)->Stat(), Refused(ENOENT));
  EXPECT_THAT(List(snapshots_), ElementsAre(".", "..", "b"));
  EXPECT_THAT(tree_.Remove(Find(snapshots_, "b"), "disk"), Refused(ENOTDIR));
}

TEST_F(PastSectionsTest, AListingGoesOnWhileSnapshotsComeAndGo) {
  for (const char* name : {"a", "b", "c", "d"}) Take(name);
  uint64_t next = 0;
  EXPECT_THAT(List(snapshots_, 0, 4, &next), ElementsAre(".", "..", "a", "b"));
  ASSERT_THAT(tree_.Remove(snapshots_, "a"), IsOk());
  ASSERT_THAT(tree_.Remove(snapshots_, "c"), IsOk());
  EXPECT_THAT(List(snapshots_, next), ElementsAre("d"));
  Take("e");  // where a was
  EXPECT_THAT(List(snapshots_, next), ElementsAre("d"));
  EXPECT_THAT(List(snapshots_), ElementsAre(".", "..", "e", "b", "d"));
}

TEST_F(PastSectionsTest, WhatIsOpenIsNotRemoved) {
  const Inode snapshot = Take("clean");
  std::unique_ptr<FileHandle> open = Open(Find(snapshot, "disk"));
  EXPECT_THAT(tree_.Remove(snapshots_, "clean", 0, IfOpen::kAgain), Refused(EAGAIN));
  EXPECT_THAT(tree_.Remove(snapshots_, "clean"), RefusedWith(EBUSY, "clean is in use by a test"));
  EXPECT_THAT(tree_.Remove(kRootInode, "d", 0, IfOpen::kAgain), Refused(EAGAIN));
  EXPECT_THAT(tree_.Remove(kRootInode, "d"),
              RefusedWith(EBUSY, "what it was is in use by a test;"));
  open = Open(Find(At(0), "disk"));
  ASSERT_THAT(tree_.Remove(snapshots_, "clean"), IsOk());
  EXPECT_THAT(tree_.Remove(kRootInode, "d"),
              RefusedWith(EBUSY, "what it was is in use by a test;"));
  EXPECT_EQ(node_->last_error().substr(0, 7), "rmdir: ");
  open.reset();
  ASSERT_THAT(tree_.Remove(kRootInode, "d"), IsOk());
  EXPECT_THAT(tree_.Find(snapshots_)->Stat(), Refused(ENOENT));
  EXPECT_THAT(tree_.Find(at_)->Stat(), Refused(ENOENT));
}

// The directory has been found, and the device goes.
TEST_F(PastSectionsTest, NothingIsLeftOfADeviceThatIsRemoved) {
  Take("clean");
  const std::shared_ptr<Entry> at = tree_.Find(at_);
  const std::shared_ptr<Entry> moment = at->Lookup("0");
  const std::shared_ptr<Entry> snapshots = tree_.Find(snapshots_);
  ASSERT_THAT(tree_.Remove(kRootInode, "d"), IsOk());
  EXPECT_EQ(at->Lookup("0"), nullptr);
  EXPECT_THAT(moment->Lookup("disk")->Open(O_RDONLY), Refused(ESTALE));
  EXPECT_EQ(snapshots->Lookup("clean"), nullptr);
  EXPECT_THAT(snapshots->Make("more", {}), Refused(ENOENT));
  EXPECT_THAT(RollBack(*node_, "clean"), Refused(ENOENT));
}

// --- Both ----------------------------------------------------------------------------------------

TEST_F(PastSectionsTest, OwnerAndModeAreTheDisks) {
  Write("x");
  const Inode disk = MakeInode(node_->id(), kDiskSlot);
  for (const Inode file : {Find(At(0), "disk"), Find(Take("clean"), "disk")}) {
    node_->ChangeOwnership(kDiskSlot, kDiskMode, {.mode = 0600, .uid = 10});
    EXPECT_EQ(Stat(file).st_mode, S_IFREG | 0400U);
    EXPECT_EQ(Stat(file).st_uid, 10U);
    ASSERT_THAT(tree_.Find(disk)->ChangeOwnership({.mode = 0664, .uid = 5, .gid = 6}), IsOk());
    EXPECT_EQ(Stat(file).st_mode, S_IFREG | 0444U);
    EXPECT_EQ(Stat(file).st_uid, 5U);
    EXPECT_EQ(Stat(file).st_gid, 6U);
    EXPECT_THAT(tree_.Find(file)->ChangeOwnership({.mode = 0400}), Refused(EPERM));
    // It does not look as if it had been written to.
    const timespec modified = Stat(file).st_mtim;
    Write("y");
    EXPECT_EQ(Stat(file).st_mtim.tv_nsec, modified.tv_nsec);
  }
}

TEST_F(PastSectionsTest, TheyCanBeReadWhileTheDiskIsOff) {
  Write("then");
  const Inode snapshot = Find(Take("clean"), "disk");
  const Inode moment = Find(At(Now()), "disk");
  Write("now!");
  StoreText("power", "0");
  for (const Inode file : {snapshot, moment}) {
    EXPECT_EQ(Read(file, 4), "then");
    EXPECT_EQ(Stat(file).st_size, 1 << 20);
  }
}

}  // namespace
}  // namespace rnullfs
