// What is in the tree: names, directories, and how they come and go.

#include "tree/tree.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <set>
#include <string>
#include <string_view>

#include "rnullfs/attributes.h"
#include "rnullfs/error.h"
#include "tree/refused.h"
#include "tree/tree_test.h"

namespace rnullfs {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr Inode kNoSuchInode = MakeInode(1'000'000, kDirectorySlot);

TEST_F(TreeTest, TheRootHasItsTwoFiles) {
  EXPECT_THAT(List(kRootInode), ElementsAre(".", "..", "features", "status.json", "power"));
  const struct stat root = tree_.Find(kRootInode)->Stat().value();
  EXPECT_EQ(root.st_mode, S_IFDIR | 0755U);
  EXPECT_EQ(root.st_uid, 1U);
  EXPECT_EQ(root.st_gid, 2U);
  EXPECT_EQ(root.st_nlink, 2U);

  const struct stat features = tree_.Lookup(kRootInode, "features").value()->Stat().value();
  EXPECT_EQ(features.st_mode, S_IFREG | 0444U);
  EXPECT_EQ(features.st_size, 4096);
  EXPECT_EQ(tree_.Find(features.st_ino)->Open(O_RDONLY).value()->Read(0, 4096).value(),
            FeaturesLine());

  const struct stat status = tree_.Lookup(kRootInode, "status.json").value()->Stat().value();
  EXPECT_EQ(status.st_size, 18);
  EXPECT_EQ(tree_.Find(status.st_ino)->Open(O_RDONLY).value()->Read(0, 4096).value(),
            "{\"state\": \"well\"}\n");
}

TEST_F(TreeTest, ADeviceHasAFileForEachAttribute) {
  const auto device = Device("d");
  const Inode directory = Find(kRootInode, "d");
  std::vector<std::string> expected = {".", "..", "timeout_inject", "requeue_inject",
                                       "init_hctx_fault_inject"};
  for (const Attribute& row : Attributes()) {
    if (!DirectoryOf(row).empty() || row.name == "power" || row.is_section) continue;
    expected.emplace_back(row.name);
    if (row.alias_is_file) expected.emplace_back(row.alias);
  }
  expected.insert(expected.end(),
                  {"power", "config.json", "stats.json", "last_error", "damage", "rollback",
                   "snapshots", "at", "faults", "pristine", "log", "crash"});
  EXPECT_EQ(List(directory), expected);
  for (const std::string& name : List(directory)) {
    if (name[0] == '.' || name.ends_with("_inject")) continue;
    const std::set<std::string> others = {"rollback", "snapshots", "at",   "faults",
                                          "pristine", "log",       "crash"};
    if (others.contains(name)) continue;
    const struct stat st = tree_.Lookup(directory, name).value()->Stat().value();
    EXPECT_EQ(tree_.Find(st.st_ino)->Stat().value().st_size, st.st_size) << name;
    EXPECT_EQ(st.st_mode & ~0222U, S_IFREG | 0444U) << name;
    EXPECT_EQ(st.st_uid, 10U);
    if (FindAttribute(name) != nullptr) {
      EXPECT_EQ(st.st_size, 4096) << name;
    }
  }
  EXPECT_EQ(tree_.Find(directory)->Stat().value().st_mode, S_IFDIR | 0755U);
  EXPECT_EQ(tree_.Find(kRootInode)->Stat().value().st_nlink, 3U);
}

TEST_F(TreeTest, FaultsHaveDirectories) {
  const auto device = Device("d");
  const Inode directory = Find(kRootInode, "d");
  EXPECT_EQ(tree_.Find(directory)->Stat().value().st_nlink, 11U);
  for (const FaultGroup& group : FaultGroups()) {
    const Inode faults = Find(directory, std::string(group.name));
    EXPECT_EQ(tree_.Find(faults)->Stat().value().st_mode, S_IFDIR | 0755U);
    EXPECT_THAT(List(faults),
                ElementsAre(".", "..", "probability", "interval", "times", "space", "verbose"));
    const Inode times = Find(faults, "times");
    EXPECT_EQ(tree_.Find(times)->Open(O_RDONLY).value()->Read(0, 10).value(), "1\n");
    EXPECT_EQ(tree_.Find(times)->Stat().value().st_mode, S_IFREG | 0644U);
    EXPECT_THAT(tree_.Lookup(directory, "times"), Refused(ENOENT));
    EXPECT_THAT(tree_.Lookup(faults, "power"), Refused(ENOENT));
    EXPECT_THAT(tree_.Remove(directory, group.name), Refused(EPERM));
    EXPECT_THAT(tree_.Find(faults)->Make("x", {}), Refused(EPERM));
  }
  EXPECT_EQ(tree_.device_count(), 1U);
}

TEST_F(TreeTest, OneAttributeMayHaveTwoFiles) {
  const auto device = Device("d");
  const Inode directory = Find(kRootInode, "d");
  const auto mib = tree_.Find(Find(directory, "cache_size_mib"))->Open(O_RDWR).value();
  EXPECT_THAT(mib->Write(0, "5\n"), IsOk());
  EXPECT_EQ(tree_.Find(Find(directory, "cache_size"))->Open(O_RDONLY).value()->Read(0, 10).value(),
            "5\n");
  EXPECT_NE(Find(directory, "cache_size_mib"), Find(directory, "cache_size"));
}

TEST_F(TreeTest, TheDiskIsThereWhileTheDeviceIsOn) {
  const auto device = Device("d");
  const Inode directory = Find(kRootInode, "d");
  const Inode disk = MakeInode(device->id(), kDiskSlot);
  EXPECT_THAT(tree_.Lookup(directory, "disk"), Refused(ENOENT));
  EXPECT_THAT(tree_.Find(disk)->Stat(), Refused(ENOENT));

  ASSERT_THAT(device->WriteJson({.data = R"({"size": 3, "power": true})"}), IsOk());
  EXPECT_THAT(List(directory), Contains("disk"));
  const struct stat st = tree_.Lookup(directory, "disk").value()->Stat().value();
  EXPECT_EQ(st.st_ino, disk);
  EXPECT_EQ(st.st_mode, S_IFREG | 0600U);
  EXPECT_EQ(st.st_size, 3 << 20);
  EXPECT_EQ(st.st_blocks, 0);
  EXPECT_EQ(tree_.DiskOwner(disk), device);
  EXPECT_EQ(tree_.OpenDiskOwner(disk), device.get());
  EXPECT_EQ(tree_.DiskOwner(directory), nullptr);
  EXPECT_EQ(tree_.DiskOwner(kRootInode), nullptr);
}

TEST_F(TreeTest, AMountHasALimitOfDevices) {
  for (int i = 0; i < 16384; ++i) ASSERT_THAT(MakeDevice(std::to_string(i)), IsOk());
  EXPECT_THAT(MakeDevice("more"), RefusedWith(ENOSPC, "16384 devices"));
  ASSERT_THAT(tree_.Remove(kRootInode, "7"), IsOk());
  EXPECT_THAT(MakeDevice("more"), IsOk());
}

TEST_F(TreeTest, NamesArePlainAndAtMost255Bytes) {
  EXPECT_THAT(MakeDevice(std::string(255, 'x')), IsOk());
  EXPECT_THAT(MakeDevice(std::string(256, 'x')), Refused(ENAMETOOLONG));
  EXPECT_THAT(tree_.Lookup(kRootInode, std::string(256, 'x')).status(), Refused(ENAMETOOLONG));
  EXPECT_THAT(MakeDevice(""), Refused(EINVAL));
  for (const char control : {'\n', '\t', '\x01', '\x1f', '\x7f'}) {
    EXPECT_THAT(MakeDevice(std::string("a") + control), Refused(EINVAL)) << int{control};
  }
  EXPECT_THAT(MakeDevice(std::string_view("a\0b", 3)), Refused(EINVAL));
  for (const char* name : {"with space", "caf\xc3\xa9", "\xff\xfe", "-rf", "disk"}) {
    EXPECT_THAT(MakeDevice(name), IsOk());
    EXPECT_THAT(tree_.Lookup(kRootInode, name), IsOk());
  }
}

// What a listing on a terminal would do, and not show.
TEST_F(TreeTest, NamesHaveNoControlCharactersOfUnicode) {
  for (const char* name :
       {"a\u0085", "\u009b31m", "a\u202egpj", "\u061c", "a\u200f", "\u2028", "\u2069"}) {
    EXPECT_THAT(MakeDevice(name), RefusedWith(EINVAL, "\\x")) << name;
  }
  // Bytes that are no UTF-8 are a name as elsewhere.
  for (const char* name : {"h\u00fctte", "\u65e5", "\xff\xfe", "\x9b"}) {
    EXPECT_THAT(MakeDevice(name).status(), IsOk()) << name;
  }
}

TEST_F(TreeTest, TheNewestRefusalIsKeptWhereItHappened) {
  const auto device = Device("d");
  EXPECT_THAT(tree_.Refuse(MakeInode(device->id(), 0), Error(EPERM, "no file can be made here")),
              Refused(EPERM));
  EXPECT_EQ(device->last_error(), "no file can be made here\n");
  EXPECT_EQ(tree_.last_error(), "");
  EXPECT_THAT(tree_.Refuse(kRootInode, MakeDevice("a\n").status()), Refused(EINVAL));
  EXPECT_THAT(tree_.last_error(), HasSubstr("a\\x0a"));
  Device("e");
  EXPECT_EQ(tree_.last_error(), "");
}

TEST_F(TreeTest, NamesAreTakenOnce) {
  const auto device = Device("d");
  EXPECT_THAT(MakeDevice("d"), Refused(EEXIST));
  EXPECT_THAT(MakeDevice("features"), Refused(EEXIST));
  EXPECT_THAT(MakeDevice("status.json"), Refused(EEXIST));
  ASSERT_THAT(tree_.Remove(kRootInode, "d"), IsOk());
  EXPECT_THAT(MakeDevice("d"), IsOk());
}

TEST_F(TreeTest, DirectoriesAreMadeInTheRootOnly) {
  const auto device = Device("d");
  EXPECT_THAT(tree_.Find(Find(kRootInode, "d"))->Make("nested", {}), Refused(EPERM));
  EXPECT_THAT(tree_.Find(kNoSuchInode)->Make("nested", {}), Refused(EPERM));
}

TEST_F(TreeTest, RemovesDevicesAndNothingElse) {
  const auto device = Device("d");
  const Inode directory = Find(kRootInode, "d");
  EXPECT_THAT(tree_.Remove(kRootInode, "features"), Refused(ENOTDIR));
  EXPECT_THAT(tree_.Remove(directory, "size"), Refused(ENOTDIR));
  EXPECT_THAT(tree_.Remove(kRootInode, "e"), Refused(ENOENT));
  ASSERT_THAT(device->WriteJson({.data = R"({"power": true})"}), IsOk());
  const uint64_t handle = OpenDisk(*device, "dd").value().number;
  EXPECT_THAT(tree_.Remove(kRootInode, "d"), Refused(EBUSY));
  EXPECT_EQ(Find(kRootInode, "d"), directory);

  device->CloseDisk(handle);
  EXPECT_THAT(tree_.Remove(kRootInode, "d"), IsOk());
  EXPECT_EQ(tree_.device_count(), 0U);
}

TEST_F(TreeTest, WhatIsRemovedIsNotThere) {
  const Inode disk = MakeInode(Device("d")->id(), kDiskSlot);
  const Inode directory = Find(kRootInode, "d");
  const Inode size = Find(directory, "size");
  ASSERT_THAT(tree_.Remove(kRootInode, "d"), IsOk());
  EXPECT_THAT(tree_.Lookup(kRootInode, "d"), Refused(ENOENT));
  EXPECT_THAT(tree_.Lookup(directory, "size"), Refused(ENOENT));
  EXPECT_THAT(tree_.Find(directory)->List(0, [](auto&&...) { return true; }), Refused(ENOENT));
  for (const Inode inode : {directory, size, disk, kNoSuchInode}) {
    EXPECT_THAT(tree_.Find(inode)->Stat(), Refused(ENOENT));
    EXPECT_THAT(tree_.Find(inode)->Open(O_RDONLY), Refused(ENOENT));
    EXPECT_THAT(tree_.Find(inode)->Truncate(0), Refused(ENOENT));
    EXPECT_THAT(tree_.Find(inode)->ChangeOwnership({.mode = 0700}), Refused(ENOENT));
    EXPECT_EQ(tree_.DiskOwner(inode), nullptr);
  }
}

TEST_F(TreeTest, InodeNumbersAreNeverUsedAgain) {
  std::set<Inode> seen;
  for (int i = 0; i < 100; ++i) {
    Device("d");
    EXPECT_TRUE(seen.insert(Find(kRootInode, "d")).second);
    ASSERT_THAT(tree_.Remove(kRootInode, "d"), IsOk());
  }
}

}  // namespace
}  // namespace rnullfs
