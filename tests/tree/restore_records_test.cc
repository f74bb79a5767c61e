// What a process had heard, said and been told of a mount, and what its successor knows of that.

#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "rnullfs/error.h"
#include "tree/restore_test.h"

namespace rnullfs {
namespace {

// As long as it lives no file is written behind `bytes`.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit = {.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_;
};

constexpr uint64_t kRecordsBegin = 4096;

// How many bytes of records there are (store/record_log.h).
uint64_t RecordsEnd(const UniqueFd& state) {
  uint64_t header[3] = {};
  EXPECT_EQ(pread(state.get(), header, sizeof header, 0), static_cast<ssize_t>(sizeof header));
  return header[2];
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

TEST_F(RestoreTest, WritesOfTextThatAreHeardAgain) {
  const auto disk = Make("d", "{}");
  const Inode directory = MakeInode(disk->id(), 0);
  const Inode config = old_->tree.Lookup(directory, "config.json").value()->inode();
  const Inode badblocks = old_->tree.Lookup(directory, "badblocks").value()->inode();
  const auto heard = [&](Tree& tree, Inode file, int flags, uint64_t handle, uint64_t offset,
                         std::string_view text, uint64_t request) {
    const Writer writer = {.request = request};
    return tree.Find(file)->Open(flags, handle).value()->Write(offset, text, writer).status();
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
  EXPECT_EQ(Found("d")->settings().config.size, 7U);
  EXPECT_EQ(Found("d")->settings().config.blocksize, 512U);
  EXPECT_EQ(ShowAttribute(*FindAttribute("badblocks"), Found("d")->settings()), "4 4\n");
}

// The worker dies between a change that survives by itself, as what is left of a fault does, and
// the record of it.
TEST_F(RestoreTest, AChangeThatIsMadeAgainIsNoPuttingBack) {
  const auto disk = Make("d", "{}");
  const Attribute& times = *FindAttribute("init_hctx_fault_inject/times");
  ASSERT_THAT(disk->StoreText(times, "2\n"), IsOk());
  ASSERT_THAT(disk->StoreText(*FindAttribute("init_hctx_fault_inject/probability"), "100"), IsOk());
  const uint64_t before = RecordsEnd(guard_.State());
  ASSERT_THAT(disk->StoreText(*FindAttribute("power"), "1"), Refused(EFAULT));
  ASSERT_EQ(ShowAttribute(times, disk->settings()), "1\n");
  const uint64_t end = RecordsEnd(guard_.State());
  {
    const FileSizeLimit one_more(kRecordsBegin + end + (end - before) * 3 / 2);
    ASSERT_THAT(disk->StoreText(times, "2\n", {.request = 30}), IsOk());
  }
  const auto saved = Survival::Open(guard_.State(), guard_).value()->devices();
  ASSERT_TRUE(saved.at(0).texts.empty()) << "the change was not to be saved";
  EXPECT_EQ(saved.at(0).last_error, "");
  TakeOver();
  EXPECT_THAT(Found("d")->StoreText(times, "2\n", {.request = 30}), IsOk());
  EXPECT_EQ(ShowAttribute(times, Found("d")->settings()), "2\n");
  EXPECT_EQ(Found("d")->last_error(), "");
}

TEST_F(RestoreTest, WhatCouldNotBeSavedOfAMountIsSavedWithTheNextRecord) {
  Make("d", "{}");
  old_->survival->UpdateMount([](MountRecord& mount) { mount.counters.clear(); });
  const auto saved = [this] {
    return Survival::Open(guard_.State(), guard_).value()->mount().counters;
  };
  {
    const FileSizeLimit none(kRecordsBegin);
    TakeOver();
  }
  EXPECT_THAT(saved(), testing::IsEmpty());
  EXPECT_THAT(Found("d")->WriteJson({.data = R"({"size": 7})"}), IsOk());
  EXPECT_THAT(saved(), testing::Not(testing::IsEmpty()));
  EXPECT_EQ(saved(), new_->survival->mount().counters);
}

// The mount's record is longer than there is room for, the device's is not.
TEST_F(RestoreTest, NoDeviceThatTheMountDoesNotKnow) {
  Make("d", "{}");
  {
    const FileSizeLimit some(kRecordsBegin + RecordsEnd(guard_.State()) + 16'000);
    old_->survival->UpdateMount(
        [](MountRecord& mount) { mount.removals.assign(4'000, 1'000'000'000); });
    Make("unsaved", "{}");
  }
  const auto saved = Survival::Open(guard_.State(), guard_).value();
  EXPECT_EQ(saved->devices().size(), 1U);
  Make("e", "{}");
  TakeOver();
  EXPECT_NE(Found("d"), nullptr);
  EXPECT_NE(Found("e"), nullptr);
}

TEST_F(RestoreTest, AnUnfinishedConfigJson) {
  const auto disk = Make("d", "{}");
  const Inode file = old_->tree.Lookup(MakeInode(disk->id(), 0), "config.json").value()->inode();
  const auto open = old_->tree.Find(file)->Open(O_WRONLY, 2).value();
  ASSERT_EQ(open->Write(0, "{}").value(), 2U);
  ASSERT_EQ(open->Write(2, "\n{\"size\":").value(), 9U);
  TakeOver();
  // Another open has no part in it, and its close is not refused.
  const auto other = new_->tree.Find(file)->Open(O_RDONLY, 4).value();
  EXPECT_THAT(other->Flush(), IsOk());
  EXPECT_THAT(other->Write(11, " 76}"), testing::Not(IsOk()));
  const auto again = new_->tree.Find(file)->Open(O_WRONLY, 2).value();
  ASSERT_EQ(again->Write(11, " 77}").value(), 4U);
  EXPECT_EQ(Found("d")->settings().config.size, 77U);
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
  EXPECT_THAT(Found("d")->WriteJson({.data = R"({"size": 7})"}), IsOk());
  ASSERT_THAT(new_->tree.MakeDevice("e", {.uid = 1, .gid = 2}).status(), IsOk());
  TakeOver();
  EXPECT_EQ(Found("d")->settings().config.size, 7U);
  EXPECT_EQ(Found("d")->settings().unknown, R"({"wear":3})");
  EXPECT_EQ(new_->survival->devices().front().unknown, R"({"colour":"red"})");
  EXPECT_EQ(new_->survival->mount().unknown, R"({"zones":[1]})");
}

TEST_F(RestoreTest, WhyTheRootRefused) {
  EXPECT_THAT(old_->tree.Refuse(kRootInode, Error(EPERM, "not here")), Refused(EPERM));
  TakeOver();
  EXPECT_EQ(new_->tree.last_error(), "not here");
  ASSERT_THAT(new_->tree.MakeDevice("e", {.uid = 1, .gid = 2}).status(), IsOk());
  EXPECT_EQ(new_->tree.last_error(), "");
}

TEST_F(RestoreTest, OwnersAndModes) {
  const auto disk = Make("d", "{}");
  const Inode file = old_->tree.Lookup(MakeInode(disk->id(), 0), "config.json").value()->inode();
  ASSERT_THAT(old_->tree.Find(file)->ChangeOwnership({.mode = 0600, .uid = 33}), IsOk());
  ASSERT_THAT(old_->tree.Find(kRootInode)->ChangeOwnership({.mode = 0700}), IsOk());
  TakeOver();
  const struct stat st = new_->tree.Find(file)->Stat().value();
  EXPECT_EQ(st.st_mode & 07777, 0600U);
  EXPECT_EQ(st.st_uid, 33U);
  EXPECT_EQ(st.st_gid, 20U);
  EXPECT_EQ(new_->tree.Find(kRootInode)->Stat()->st_mode & 07777, 0700U);
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

TEST_F(RestoreTest, Counters) {
  const auto disk = Make("d", R"({"memory_backed": true, "size": 4, "power": true})");
  ASSERT_EQ(old_->Write(*disk, 0, "12345"), 0);
  TakeOver();
  EXPECT_EQ(new_->Write(*Found("d"), 0, "678"), 0);
  EXPECT_THAT(Found("d")->StatsText(), testing::HasSubstr("\"requests\": 2,\n    \"bytes\": 8,"));
  EXPECT_THAT(Found("d")->StatsText(), testing::HasSubstr("\"in_flight\": 0"));
}

TEST_F(RestoreTest, CountersOfVersionsWithLessAndMoreOfThem) {
  const auto disk = Make("d", R"({"memory_backed": true, "size": 4, "power": true})");
  ASSERT_EQ(old_->Write(*disk, 0, "12345"), 0);
  old_->survival->UpdateMount([](MountRecord& mount) { mount.counters.clear(); });
  TakeOver();
  EXPECT_THAT(Found("d")->StatsText(), testing::HasSubstr("\"requests\": 1,\n    \"bytes\": 5,"));
  const std::string later = "later.kind histogram 1x3330 4096";
  new_->survival->UpdateMount([&](MountRecord& mount) { mount.counters.push_back(later); });
  TakeOver();
  EXPECT_THAT(Found("d")->StatsText(), testing::HasSubstr("\"requests\": 1,\n    \"bytes\": 5,"));
  EXPECT_EQ(new_->survival->mount().counters.back(), later);
  new_->survival->UpdateMount([&](MountRecord& mount) { mount.counters.push_back(later); });
  EXPECT_THAT(Survival::Open(guard_.State(), guard_).status(), RefusedWith(EINVAL, "counters"));
}

TEST_F(RestoreTest, OwnershipInEveryView) {
  const auto disk = Make("d", "{}");
  const Place place = MakePlace(127, 65535);
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
  EXPECT_THAT(new_->tree.Find(last)->Stat(), IsOk());
  EXPECT_THAT(new_->tree.MakeDevice("more", {}).status(), RefusedWith(ENOSPC, "mount another"));
}

}  // namespace
}  // namespace rnullfs
