// A tree that a process left behind, and the one that its successor makes of records and memfds.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "device/completion_queue.h"
#include "rnullfs/clock.h"
#include "rnullfs/error.h"
#include "tree/refused.h"
#include "tree/survival.h"
#include "tree/tree.h"

namespace rnullfs {
namespace {

UniqueFd Duplicate(int fd) { return UniqueFd(fcntl(fd, F_DUPFD_CLOEXEC, 3)); }

uint64_t InodeOf(int fd) {
  struct stat status = {};
  fstat(fd, &status);
  return status.st_ino;
}

// Everything that is stored in a sparse file, with where it lies.
std::string FileOf(int fd) {
  std::string contents;
  off_t hole = 0;
  for (off_t data = 0; (data = lseek(fd, hole, SEEK_DATA)) >= 0;) {
    hole = lseek(fd, data, SEEK_HOLE);
    std::string bytes(hole - data, '\0');
    EXPECT_EQ(pread(fd, bytes.data(), bytes.size(), data), static_cast<ssize_t>(bytes.size()));
    contents += std::to_string(data) + ":" + bytes;
  }
  return contents;
}

// What the guard does: holds what it is given.
class FakeGuard : public MemfdKeeper {
 public:
  int Keep(int memfd) override {
    kept_.push_back(Duplicate(memfd));
    return 0;
  }
  void Drop(int memfd) override {
    const uint64_t inode = InodeOf(memfd);
    std::erase_if(kept_, [inode](const UniqueFd& each) { return InodeOf(each.get()) == inode; });
  }
  // Everything but the state, which is always first.
  std::vector<UniqueFd> Disks() const {
    std::vector<UniqueFd> disks;
    for (size_t i = 1; i < kept_.size(); ++i) disks.push_back(Duplicate(kept_[i].get()));
    return disks;
  }
  UniqueFd State() const { return Duplicate(kept_.at(0).get()); }

 private:
  std::vector<UniqueFd> kept_;
};

// A process's part of the mount.
struct Process {
  explicit Process(std::unique_ptr<Survival> survived) : survival(std::move(survived)) {}

  std::unique_ptr<Survival> survival;
  CompletionQueue completions{Clock::Real()};
  MemoryLimit memory{uint64_t{64} << 20};
  Tree tree{1,
            2,
            [] { return std::string(); },
            {.device = {.clock = Clock::Real(), .completions = completions},
             .memory = memory,
             .passthrough_obstacle = [] { return std::string(); },
             .survival = survival.get()}};

  int Write(DeviceNode& node, uint64_t offset, std::string_view data) const {
    int error = -1;
    node.device()->Submit(
        {.op = Op::kWrite, .offset = offset, .length = data.size(), .data = data.data()},
        {.complete = [](void* tag,
                        const Answer& answer) { *static_cast<int*>(tag) = answer.error; },
         .tag = &error});
    return error;
  }
  std::string Read(DeviceNode& node, uint64_t offset, uint64_t length) const {
    std::string data;
    node.device()->Submit({.op = Op::kRead, .offset = offset, .length = length},
                          {.complete =
                               [](void* tag, const Answer& answer) {
                                 for (const iovec& part : answer.data) {
                                   static_cast<std::string*>(tag)->append(
                                       static_cast<const char*>(part.iov_base), part.iov_len);
                                 }
                               },
                           .tag = &data});
    return data;
  }
};

class RestoreTest : public testing::Test {
 protected:
  std::shared_ptr<DeviceNode> Make(std::string_view name, std::string_view json,
                                   uint64_t request = 0) {
    const auto node =
        old_->tree.MakeDevice(name, {.uid = 10, .gid = 20, .request = request}).value();
    EXPECT_THAT(node->StoreJson(json), IsOk());
    return node;
  }

  // The old process is as good as gone: nothing of it is used any more.
  void TakeOver() {
    absl::StatusOr<std::unique_ptr<Survival>> survival = Survival::Open(guard_.State(), guard_);
    ASSERT_THAT(survival.status(), IsOk());
    // Who is killed tidies nothing up.
    if (new_ != nullptr) killed_.push_back(std::move(new_));
    new_ = std::make_unique<Process>(*std::move(survival));
    ASSERT_THAT(new_->tree.Restore(guard_.Disks()), IsOk());
  }
  std::shared_ptr<DeviceNode> Found(std::string_view name) const {
    const auto st = new_->tree.Lookup(kRootInode, name);
    const auto devices = new_->tree.Devices();
    const auto it = std::find_if(devices.begin(), devices.end(), [&](const auto& device) {
      return st.ok() && device->id() == DeviceIdOf((*st)->inode());
    });
    return it == devices.end() ? nullptr : *it;
  }

  static absl::StatusOr<DiskHandle> Open(DeviceNode& node, int backing_id, uint64_t request = 0) {
    return node.OpenDisk(
        "a test", O_RDWR, [backing_id](int) { return backing_id; }, request);
  }

  FakeGuard guard_;
  std::unique_ptr<Process> old_ = std::make_unique<Process>(Survival::Create(guard_).value());
  std::vector<std::unique_ptr<Process>> killed_;
  std::unique_ptr<Process> new_;
};

TEST_F(RestoreTest, DevicesWithConfigurationPowerAndData) {
  const auto on = Make("on", R"({"memory_backed": true, "size": 4, "power": true})");
  const auto off = Make("off", R"({"blocksize": 512, "irqmode": 2})");
  ASSERT_EQ(old_->Write(*on, 12345, "what was written"), 0);
  EXPECT_THAT(off->StoreText(*FindAttribute("blocksize"), "513"), testing::Not(IsOk()));
  TakeOver();
  ASSERT_NE(Found("on"), nullptr);
  EXPECT_EQ(Found("on")->config(), on->config());
  EXPECT_EQ(Found("on")->id(), on->id());
  EXPECT_EQ(new_->Read(*Found("on"), 12345, 16), "what was written");
  EXPECT_EQ(Found("on")->stored_bytes(), on->stored_bytes());
  EXPECT_EQ(Found("off")->config(), off->config());
  EXPECT_EQ(Found("off")->last_error(), off->last_error());
  EXPECT_EQ(new_->tree.device_count(), 2U);
  EXPECT_GT(new_->tree.MakeDevice("next", {.uid = 1, .gid = 2}).value()->id(), off->id());
}

TEST_F(RestoreTest, DataOfADiskThatIsOff) {
  const auto disk = Make("d", R"({"memory_backed": true, "size": 4, "power": true})");
  ASSERT_EQ(old_->Write(*disk, 0, "kept"), 0);
  ASSERT_THAT(disk->StoreJson(R"({"power": false})"), IsOk());
  TakeOver();
  EXPECT_EQ(Found("d")->device(), nullptr);
  ASSERT_THAT(Found("d")->StoreJson(R"({"power": true, "size": 8})"), IsOk());
  EXPECT_EQ(new_->Read(*Found("d"), 0, 5), std::string("kept\0", 5));
}

TEST_F(RestoreTest, Counters) {
  const auto disk = Make("d", R"({"memory_backed": true, "size": 4, "power": true})");
  ASSERT_EQ(old_->Write(*disk, 0, "12345"), 0);
  TakeOver();
  EXPECT_EQ(new_->Write(*Found("d"), 0, "678"), 0);
  EXPECT_THAT(Found("d")->StatsText(), testing::HasSubstr("\"requests\": 2,\n    \"bytes\": 8,"));
  EXPECT_THAT(Found("d")->StatsText(), testing::HasSubstr("\"in_flight\": 0"));
}

TEST_F(RestoreTest, TimesThatWereSet) {
  const auto disk = Make("d", R"({"memory_backed": true, "size": 4, "power": true})");
  ASSERT_EQ(old_->Write(*disk, 0, "12345"), 0);
  disk->ChangeOwnership(kDiskSlot, 0600, {.modified = timespec{.tv_sec = 1000, .tv_nsec = 0}});
  TakeOver();
  EXPECT_EQ(Found("d")->OwnershipOf(kDiskSlot, 0600).modified.tv_sec, 1000);
  ASSERT_EQ(new_->Write(*Found("d"), 0, "6"), 0);
  TakeOver();
  EXPECT_GT(Found("d")->OwnershipOf(kDiskSlot, 0600).modified.tv_sec, 1000);
}

// Who asked for it asks again; nobody would let go of what the last process held.
TEST_F(RestoreTest, NoRequestHoldsADiskAnyMore) {
  const auto disk = Make("d", R"({"memory_backed": true, "size": 4, "power": true})");
  ASSERT_THAT(disk->HoldDisk("truncate (pid 7)"), IsOk());
  const uint64_t open = Open(*disk, 0).value().number;
  TakeOver();
  EXPECT_TRUE(Found("d")->disk_open());
  Found("d")->CloseDisk(open);
  EXPECT_FALSE(Found("d")->disk_open());
}

// A program that only asks whether it could go on (--upgrade) must not touch what is in use.
TEST_F(RestoreTest, ReadingWritesNothing) {
  const auto disk = Make("d", R"({"memory_backed": true, "size": 4, "power": true})");
  ASSERT_EQ(old_->Write(*disk, 0, "12345"), 0);
  old_->survival->UpdateMount([](MountRecord& mount) { mount.counters_layout = 1; });
  const std::string stats = disk->StatsText();
  const std::string before = FileOf(guard_.State().get());
  ASSERT_THAT(Survival::Open(guard_.State(), guard_).status(), IsOk());
  EXPECT_EQ(FileOf(guard_.State().get()), before);
  EXPECT_EQ(disk->StatsText(), stats);
  TakeOver();
  EXPECT_THAT(Found("d")->StatsText(), testing::HasSubstr("\"requests\": 0,"));
}

TEST_F(RestoreTest, OpenHandles) {
  const auto disk = Make("d", R"({"memory_backed": true, "size": 4, "power": true})");
  const DiskHandle first = Open(*disk, 5, 100).value();
  const DiskHandle second = Open(*disk, 5, 102).value();
  disk->CloseDisk(second.number);
  TakeOver();
  const auto found = Found("d");
  EXPECT_TRUE(found->passthrough_open());
  EXPECT_EQ(new_->memory.used_bytes(), uint64_t{4} << 20) << "the whole disk is reserved again";
  EXPECT_THAT(found->StoreJson(R"({"power": false})"), Refused(EBUSY));
  EXPECT_EQ(Open(*found, 6).value().backing_id, 5) << "the kernel's number for all of them";
  // Asked again by the kernel, because nobody had answered.
  EXPECT_EQ(Open(*found, 7, 100).value().number, first.number);
  EXPECT_EQ(found->CloseDisk(first.number), 0);
  EXPECT_EQ(found->CloseDisk(first.number), 0) << "again";
}

// Who was to give it back may have died before.
TEST_F(RestoreTest, ABackingNumberThatNobodyNeeds) {
  const auto disk = Make("d", R"({"memory_backed": true, "size": 4, "power": true})");
  const DiskHandle open = Open(*disk, 5).value();
  EXPECT_EQ(disk->retired_backing_id(), 0);
  EXPECT_EQ(disk->CloseDisk(open.number), 5);
  TakeOver();
  EXPECT_EQ(Found("d")->backing_id(), 0);
  EXPECT_EQ(Found("d")->retired_backing_id(), 5);
  EXPECT_EQ(Open(*Found("d"), 6).value().backing_id, 6);
}

TEST_F(RestoreTest, RequestsThatAreHeardAgain) {
  Make("made", "{}", 200);
  Make("removed", "{}");
  ASSERT_THAT(old_->tree.Remove(kRootInode, "removed", 202), IsOk());
  TakeOver();
  Tree& tree = new_->tree;
  EXPECT_THAT(tree.MakeDevice("made", {.uid = 1, .gid = 2, .request = 200}).status(), IsOk());
  EXPECT_THAT(tree.MakeDevice("made", {.uid = 1, .gid = 2, .request = 204}).status(),
              Refused(EEXIST));
  EXPECT_THAT(tree.Remove(kRootInode, "removed", 202), IsOk());
  EXPECT_THAT(tree.Remove(kRootInode, "removed", 206), Refused(ENOENT));
  EXPECT_THAT(tree.Remove(kRootInode, "never", 0), Refused(ENOENT));
}

TEST_F(RestoreTest, OwnersAndModes) {
  const auto disk = Make("d", "{}");
  const Inode file = old_->tree.Lookup(MakeInode(disk->id(), 0), "config.json").value()->inode();
  ASSERT_THAT(old_->tree.ChangeOwnership(file, {.mode = 0600, .uid = 33}), IsOk());
  ASSERT_THAT(old_->tree.ChangeOwnership(kRootInode, {.mode = 0700}), IsOk());
  TakeOver();
  const struct stat st = new_->tree.Stat(file).value();
  EXPECT_EQ(st.st_mode & 07777, 0600U);
  EXPECT_EQ(st.st_uid, 33U);
  EXPECT_EQ(st.st_gid, 20U);
  EXPECT_EQ(new_->tree.Stat(kRootInode)->st_mode & 07777, 0700U);
}

TEST_F(RestoreTest, AnUnfinishedConfigJson) {
  const auto disk = Make("d", "{}");
  const Inode file = old_->tree.Lookup(MakeInode(disk->id(), 0), "config.json").value()->inode();
  const auto open = old_->tree.Open(file, O_WRONLY, 2).value();
  ASSERT_EQ(open->Write(0, "{}").value(), 2U);
  ASSERT_EQ(open->Write(2, "\n{\"size\":").value(), 9U);
  TakeOver();
  // Another open has no part in it, and its close is not refused.
  const auto other = new_->tree.Open(file, O_RDONLY, 4).value();
  EXPECT_THAT(other->Flush(), IsOk());
  EXPECT_THAT(other->Write(11, " 76}"), testing::Not(IsOk()));
  const auto again = new_->tree.Open(file, O_WRONLY, 2).value();
  ASSERT_EQ(again->Write(11, " 77}").value(), 4U);
  EXPECT_EQ(Found("d")->config().size, 77U);
}

TEST_F(RestoreTest, WritesOfTextThatAreHeardAgain) {
  const auto disk = Make("d", "{}");
  const Inode directory = MakeInode(disk->id(), 0);
  const Inode config = old_->tree.Lookup(directory, "config.json").value()->inode();
  const Inode badblocks = old_->tree.Lookup(directory, "badblocks").value()->inode();
  const auto heard = [&](Tree& tree, Inode file, int flags, uint64_t handle, uint64_t offset,
                         std::string_view text, uint64_t request) {
    return tree.Open(file, flags, handle).value()->Write(offset, text, request).status();
  };
  // As far as the answer, which never came.
  EXPECT_THAT(heard(old_->tree, config, O_WRONLY, 2, 0, R"({"size": )", 300), IsOk());
  EXPECT_THAT(heard(old_->tree, config, O_WRONLY, 2, 9, "7}", 302), IsOk());
  EXPECT_THAT(heard(old_->tree, config, O_WRONLY | O_APPEND, 5, 0, R"({"blocksize")", 304), IsOk());
  EXPECT_THAT(heard(old_->tree, badblocks, O_WRONLY, 6, 0, "+0-7", 306), IsOk());
  EXPECT_THAT(heard(old_->tree, badblocks, O_WRONLY, 6, 0, "-0-3", 308), IsOk());
  EXPECT_THAT(heard(old_->tree, badblocks, O_WRONLY, 6, 0, "0", 310), Refused(EINVAL));
  const std::string last_error = disk->last_error();
  TakeOver();
  Tree& tree = new_->tree;
  EXPECT_THAT(heard(tree, config, O_WRONLY, 2, 9, "7}", 302), IsOk());
  EXPECT_THAT(heard(tree, config, O_WRONLY | O_APPEND, 5, 0, R"({"blocksize")", 304), IsOk());
  EXPECT_THAT(heard(tree, badblocks, O_WRONLY, 6, 0, "+0-7", 306), IsOk());
  EXPECT_THAT(heard(tree, badblocks, O_WRONLY, 6, 0, "0", 310), Refused(EINVAL));
  EXPECT_EQ(Found("d")->last_error(), last_error);
  EXPECT_THAT(heard(tree, config, O_WRONLY | O_APPEND, 5, 0, ": 512}", 312), IsOk());
  EXPECT_EQ(Found("d")->config().size, 7U);
  EXPECT_EQ(Found("d")->config().blocksize, 512U);
  EXPECT_EQ(ShowAttribute(*FindAttribute("badblocks"), Found("d")->config()), "4 4\n");
}

// A later version's records, as they are kept and written back.
TEST_F(RestoreTest, WhatALaterVersionHasInItsRecords) {
  const auto disk = Make("d", "{}");
  DeviceRecord record;
  record.id = disk->id();
  record.name = "d";
  record.unknown = R"({"colour":"red"})";
  record.config.unknown = R"({"wear":3})";
  old_->survival->Save(record);
  old_->survival->UpdateMount([](MountRecord& mount) { mount.unknown = R"({"zones":[1]})"; });
  TakeOver();
  EXPECT_THAT(Found("d")->StoreJson(R"({"size": 7})"), IsOk());
  ASSERT_THAT(new_->tree.MakeDevice("e", {.uid = 1, .gid = 2}).status(), IsOk());
  TakeOver();
  EXPECT_EQ(Found("d")->config().size, 7U);
  EXPECT_EQ(Found("d")->config().unknown, R"({"wear":3})");
  EXPECT_EQ(new_->survival->devices().front().unknown, R"({"colour":"red"})");
  EXPECT_EQ(new_->survival->mount().unknown, R"({"zones":[1]})");
}

TEST_F(RestoreTest, OwnershipInEveryView) {
  const auto disk = Make("d", "{}");
  const uint32_t place = MakePlace(255, 65535);
  disk->ChangeOwnership(place, 0444, {.mode = 0400});
  TakeOver();
  EXPECT_EQ(Found("d")->OwnershipOf(place, 0444).mode, 0400U);
  EXPECT_EQ(Found("d")->OwnershipOf(SlotOf(place), 0444).mode, 0444U);
}

TEST_F(RestoreTest, DeviceNumbersEnd) {
  old_->survival->UpdateMount([](MountRecord& mount) { mount.next_id = kDeviceIdMax; });
  TakeOver();
  ASSERT_THAT(new_->tree.MakeDevice("last", {}).status(), IsOk());
  const Inode last = new_->tree.Lookup(kRootInode, "last").value()->inode();
  EXPECT_EQ(DeviceIdOf(last), kDeviceIdMax);
  EXPECT_THAT(new_->tree.Stat(last), IsOk());
  EXPECT_THAT(new_->tree.MakeDevice("more", {}).status(), RefusedWith(ENOSPC, "mount another"));
}

TEST_F(RestoreTest, WhyTheRootRefused) {
  EXPECT_THAT(old_->tree.Refuse(kRootInode, Error(EPERM, "not here")), Refused(EPERM));
  TakeOver();
  EXPECT_EQ(new_->tree.last_error(), "not here");
  ASSERT_THAT(new_->tree.MakeDevice("e", {.uid = 1, .gid = 2}).status(), IsOk());
  EXPECT_EQ(new_->tree.last_error(), "");
}

TEST_F(RestoreTest, DropsWhatNoRecordNames) {
  const auto disk = Make("d", R"({"memory_backed": true, "size": 4, "power": true})");
  ASSERT_EQ(guard_.Disks().size(), 1U);
  old_->survival->Forget(disk->id());  // rmdir was that far
  TakeOver();
  EXPECT_EQ(guard_.Disks().size(), 0U);
  EXPECT_EQ(new_->tree.device_count(), 0U);
}

TEST_F(RestoreTest, RefusesADiskWithoutItsMemory) {
  Make("d", R"({"memory_backed": true, "size": 4, "power": true})");
  Process next(Survival::Open(guard_.State(), guard_).value());
  const absl::Status missing = next.tree.Restore({});
  EXPECT_FALSE(missing.ok());
  EXPECT_THAT(std::string(missing.message()), testing::HasSubstr("the memory of d is missing"));
}

TEST_F(RestoreTest, OverAndOver) {
  const auto disk = Make("d", R"({"memory_backed": true, "size": 4, "power": true})");
  ASSERT_EQ(old_->Write(*disk, 0, "kept"), 0);
  for (int i = 0; i < 20; ++i) {
    TakeOver();
    EXPECT_EQ(new_->Read(*Found("d"), 0, 4), "kept");
    ASSERT_EQ(new_->Write(*Found("d"), 4096 * (i + 1), "more"), 0);
  }
  EXPECT_EQ(guard_.Disks().size(), 1U);
}

}  // namespace
}  // namespace rnullfs
