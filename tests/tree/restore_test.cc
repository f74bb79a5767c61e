// Disks that a process left behind, and those that its successor makes of records and memfds.

#include "tree/restore_test.h"

#include <unistd.h>

#include <cerrno>

namespace rnullfs {
namespace {

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

TEST_F(RestoreTest, DevicesWithConfigurationPowerAndData) {
  const auto on = Make("on", R"({"memory_backed": true, "size": 4, "power": true})");
  const auto off = Make("off", R"({"blocksize": 512, "irqmode": 2})");
  ASSERT_EQ(old_->Write(*on, 12345, "what was written"), 0);
  EXPECT_THAT(off->StoreText(*FindAttribute("blocksize"), "513"), testing::Not(IsOk()));
  TakeOver();
  ASSERT_NE(Found("on"), nullptr);
  EXPECT_EQ(Found("on")->settings(), on->settings());
  EXPECT_EQ(Found("on")->id(), on->id());
  EXPECT_EQ(new_->Read(*Found("on"), 12345, 16), "what was written");
  EXPECT_EQ(Found("on")->facts().stored_bytes, on->facts().stored_bytes);
  EXPECT_EQ(Found("off")->settings(), off->settings());
  EXPECT_EQ(Found("off")->last_error(), off->last_error());
  EXPECT_EQ(new_->tree.device_count(), 2U);
  EXPECT_GT(new_->tree.MakeDevice("next", {.uid = 1, .gid = 2}).value()->id(), off->id());
}

TEST_F(RestoreTest, DataOfADiskThatIsOff) {
  const auto disk = Make("d", R"({"memory_backed": true, "size": 4, "power": true})");
  ASSERT_EQ(old_->Write(*disk, 0, "kept"), 0);
  ASSERT_THAT(disk->WriteJson({.data = R"({"power": false})"}), IsOk());
  TakeOver();
  EXPECT_EQ(Found("d")->device(), nullptr);
  ASSERT_THAT(Found("d")->WriteJson({.data = R"({"power": true, "size": 8})"}), IsOk());
  EXPECT_EQ(new_->Read(*Found("d"), 0, 5), std::string("kept\0", 5));
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
  EXPECT_TRUE(found->facts().passthrough);
  EXPECT_EQ(new_->memory.used_bytes(), uint64_t{4} << 20) << "the whole disk is reserved again";
  EXPECT_THAT(found->WriteJson({.data = R"({"power": false})"}), Refused(EBUSY));
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
  EXPECT_EQ(disk->facts().retired_backing_id, 0);
  EXPECT_EQ(disk->CloseDisk(open.number), 5);
  TakeOver();
  EXPECT_EQ(Found("d")->facts().backing_id, 0);
  EXPECT_EQ(Found("d")->facts().retired_backing_id, 5);
  EXPECT_EQ(Open(*Found("d"), 6).value().backing_id, 6);
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
