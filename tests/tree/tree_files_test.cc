// What can be done to the files of the tree: opened, truncated, owned, held open.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <ctime>
#include <string_view>

#include "tree/refused.h"
#include "tree/tree_test.h"

namespace rnullfs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using TreeFilesTest = TreeTest;

TEST_F(TreeFilesTest, WhatIsReadOnlyIsNotOpenedForWriting) {
  Device("d");
  const Inode directory = Find(kRootInode, "d");
  const Inode read_only[] = {Find(kRootInode, "features"), Find(kRootInode, "status.json"),
                             Find(directory, "stats.json"), Find(directory, "last_error")};
  for (const Inode inode : read_only) {
    EXPECT_THAT(tree_.Find(inode)->Open(O_RDONLY), IsOk());
    EXPECT_THAT(tree_.Find(inode)->Open(O_WRONLY), Refused(EACCES));
    EXPECT_THAT(tree_.Find(inode)->Open(O_RDWR), Refused(EACCES));
    EXPECT_THAT(tree_.Find(inode)->Truncate(0), Refused(EACCES));
  }
  for (const char* name : {"size", "config.json"}) {
    EXPECT_THAT(tree_.Find(Find(directory, name))->Open(O_RDWR), IsOk());
  }
}

TEST_F(TreeFilesTest, OpenFilesAreWhatTheirNamesSay) {
  const auto device = Device("d");
  const Inode directory = Find(kRootInode, "d");
  const auto open = [&](std::string_view name, int flags) {
    return tree_.Find(Find(directory, name))->Open(flags).value();
  };
  EXPECT_THAT(open("size", O_WRONLY)->Write(0, "64\n"), IsOk());
  EXPECT_EQ(open("size", O_RDONLY)->Read(0, 100).value(), "64\n");
  EXPECT_THAT(open("config.json", O_RDWR)->Read(0, 4096).value(),
              testing::HasSubstr("\"size\": 64,"));
  EXPECT_EQ(open("stats.json", O_RDONLY)->Read(0, 4096).value(), device->StatsText());
  EXPECT_THAT(open("power", O_WRONLY)->Write(0, "2"), Refused(EINVAL));
  EXPECT_EQ(open("last_error", O_RDONLY)->Read(0, 4096).value(), device->last_error());

  const auto piece = open("config.json", O_WRONLY);
  EXPECT_THAT(piece->Write(0, R"({"size": )"), IsOk());
  EXPECT_THAT(piece->Flush(), Refused(EINVAL));
  EXPECT_THAT(open("config.json", O_WRONLY | O_APPEND)->Write(0, "65}"), IsOk());
  EXPECT_EQ(device->settings().config.size, 65U);
}

TEST_F(TreeFilesTest, TruncateLeavesLengthsAlone) {
  const auto device = Device("d");
  ASSERT_THAT(device->WriteJson({.data = R"({"size": 1, "power": true})"}), IsOk());
  const Inode directory = Find(kRootInode, "d");
  EXPECT_THAT(tree_.Find(Find(directory, "size"))->Truncate(0), IsOk());
  EXPECT_THAT(tree_.Find(Find(directory, "config.json"))->Truncate(0), IsOk());
  EXPECT_THAT(tree_.Find(kRootInode)->Truncate(0), Refused(EISDIR));
  EXPECT_THAT(tree_.Find(directory)->Truncate(0), Refused(EISDIR));
  const Inode disk = Find(directory, "disk");
  EXPECT_THAT(tree_.Find(disk)->Truncate(0), IsOk());
  EXPECT_THAT(tree_.Find(disk)->Truncate(1 << 20), IsOk());
  EXPECT_THAT(tree_.Find(disk)->Truncate((1 << 20) + 1), Refused(ENOSPC));
  EXPECT_EQ(tree_.Find(disk)->Stat().value().st_size, 1 << 20);
}

TEST_F(TreeFilesTest, OwnershipCanBeChanged) {
  Device("d");
  const Inode directory = Find(kRootInode, "d");
  const OwnershipChange change = {
      .mode = S_IFREG | 0640, .uid = 100, .accessed = timespec{.tv_sec = 5, .tv_nsec = 6}};
  const Inode inodes[] = {kRootInode, Find(kRootInode, "features"), directory,
                          Find(directory, "size")};
  for (const Inode inode : inodes) {
    const struct stat before = tree_.Find(inode)->Stat().value();
    EXPECT_THAT(tree_.Find(inode)->ChangeOwnership(change), IsOk());
    const struct stat after = tree_.Find(inode)->Stat().value();
    EXPECT_EQ(after.st_mode, (before.st_mode & S_IFMT) | 0640);
    EXPECT_EQ(after.st_uid, 100U);
    EXPECT_EQ(after.st_gid, before.st_gid);
    EXPECT_EQ(after.st_atim.tv_sec, 5);
    EXPECT_EQ(after.st_atim.tv_nsec, 6);
    EXPECT_EQ(after.st_mtim.tv_sec, before.st_mtim.tv_sec);
  }
  EXPECT_EQ(tree_.Find(Find(directory, "power"))->Stat().value().st_uid, 10U);
}

TEST_F(TreeFilesTest, KnowsWhichDisksAreInUse) {
  EXPECT_THAT(tree_.DisksInUse(), IsEmpty());
  for (const char* name : {"a", "b", "c"}) {
    ASSERT_THAT(Device(name)->WriteJson({.data = R"({"power": true})"}), IsOk());
  }
  const auto owner = [&](std::string_view name) {
    return tree_.DiskOwner(Find(Find(kRootInode, name), "disk"));
  };
  const uint64_t a = OpenDisk(*owner("a"), "dd").value().number;
  const uint64_t c = OpenDisk(*owner("c"), "dd").value().number;
  EXPECT_THAT(tree_.DisksInUse(), ElementsAre("a", "c"));
  owner("a")->CloseDisk(a);
  EXPECT_THAT(tree_.DisksInUse(), ElementsAre("c"));
  owner("c")->CloseDisk(c);
  EXPECT_THAT(tree_.DisksInUse(), IsEmpty());
}

}  // namespace
}  // namespace rnullfs
