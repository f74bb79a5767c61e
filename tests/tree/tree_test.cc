#include "tree/tree.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "device/completion_queue.h"
#include "rnullfs/clock.h"
#include "tree/files.h"
#include "tree/refused.h"

namespace rnullfs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr Inode kNoSuchInode = MakeInode(1'000'000, kDirectorySlot);

class TreeTest : public testing::Test {
 protected:
  absl::StatusOr<std::shared_ptr<DeviceNode>> MakeDevice(std::string_view name) {
    return tree_.MakeDevice(kRootInode, name, 0755, 10, 20);
  }
  std::shared_ptr<DeviceNode> Device(std::string_view name) { return MakeDevice(name).value(); }
  Inode Find(Inode directory, std::string_view name) const {
    return tree_.Lookup(directory, name).value().st_ino;
  }

  // The names behind `offset`, at most `count`; `*next` goes on behind them.
  std::vector<std::string> List(Inode directory, uint64_t offset = 0, size_t count = SIZE_MAX,
                                uint64_t* next = nullptr) const {
    std::vector<std::string> names;
    const absl::Status status = tree_.List(
        directory, offset, [&](std::string_view name, Inode, mode_t, uint64_t next_offset) {
          if (names.size() == count) return false;
          names.emplace_back(name);
          if (next != nullptr) *next = next_offset;
          return true;
        });
    EXPECT_THAT(status, IsOk());
    return names;
  }

  CompletionQueue completions_{Clock::Real()};
  Tree tree_{1,
             2,
             [] { return "{\"state\": \"well\"}\n"; },
             {.clock = Clock::Real(), .completions = completions_}};
};

TEST_F(TreeTest, TheRootHasItsTwoFiles) {
  EXPECT_THAT(List(kRootInode), ElementsAre(".", "..", "features", "status.json"));
  const struct stat root = tree_.Stat(kRootInode).value();
  EXPECT_EQ(root.st_mode, S_IFDIR | 0755U);
  EXPECT_EQ(root.st_uid, 1U);
  EXPECT_EQ(root.st_gid, 2U);
  EXPECT_EQ(root.st_nlink, 2U);

  const struct stat features = tree_.Lookup(kRootInode, "features").value();
  EXPECT_EQ(features.st_mode, S_IFREG | 0444U);
  EXPECT_EQ(features.st_size, 4096);
  EXPECT_EQ(tree_.Open(features.st_ino, O_RDONLY).value()->Read(0, 4096), FeaturesLine());

  const struct stat status = tree_.Lookup(kRootInode, "status.json").value();
  EXPECT_EQ(status.st_size, 18);
  EXPECT_EQ(tree_.Open(status.st_ino, O_RDONLY).value()->Read(0, 4096), "{\"state\": \"well\"}\n");
}

TEST_F(TreeTest, ADeviceHasAFileForEachAttribute) {
  const auto device = Device("d");
  const Inode directory = Find(kRootInode, "d");
  EXPECT_THAT(List(directory), ElementsAre(".", "..", "power", "blocksize", "size", "rotational",
                                           "irqmode", "completion_nsec", "memory_backed",
                                           "config.json", "stats.json", "last_error"));
  for (const std::string& name : List(directory)) {
    if (name[0] == '.') continue;
    const struct stat st = tree_.Lookup(directory, name).value();
    EXPECT_EQ(tree_.Stat(st.st_ino).value().st_size, st.st_size) << name;
    EXPECT_EQ(st.st_mode & ~0222U, S_IFREG | 0444U) << name;
    EXPECT_EQ(st.st_uid, 10U);
    if (FindAttribute(name) != nullptr) {
      EXPECT_EQ(st.st_size, 4096) << name;
    }
  }
  EXPECT_EQ(tree_.Stat(directory).value().st_mode, S_IFDIR | 0755U);
  EXPECT_EQ(tree_.Stat(kRootInode).value().st_nlink, 3U);
}

TEST_F(TreeTest, TheDiskIsThereWhileTheDeviceIsOn) {
  const auto device = Device("d");
  const Inode directory = Find(kRootInode, "d");
  const Inode disk = MakeInode(device->id(), kDiskSlot);
  EXPECT_THAT(tree_.Lookup(directory, "disk"), Refused(ENOENT));
  EXPECT_THAT(tree_.Stat(disk), Refused(ENOENT));

  ASSERT_THAT(device->StoreJson(R"({"size": 3, "power": true})"), IsOk());
  EXPECT_EQ(List(directory).back(), "disk");
  const struct stat st = tree_.Lookup(directory, "disk").value();
  EXPECT_EQ(st.st_ino, disk);
  EXPECT_EQ(st.st_mode, S_IFREG | 0600U);
  EXPECT_EQ(st.st_size, 3 << 20);
  EXPECT_EQ(st.st_blocks, 0);
  EXPECT_EQ(tree_.DiskOwner(disk), device);
  EXPECT_EQ(tree_.OpenDiskOwner(disk), device.get());
  EXPECT_EQ(tree_.DiskOwner(directory), nullptr);
  EXPECT_EQ(tree_.DiskOwner(kRootInode), nullptr);
}

TEST_F(TreeTest, NamesArePlainAndAtMost255Bytes) {
  EXPECT_THAT(MakeDevice(std::string(255, 'x')), IsOk());
  EXPECT_THAT(MakeDevice(std::string(256, 'x')), Refused(ENAMETOOLONG));
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

TEST_F(TreeTest, NamesAreTakenOnce) {
  const auto device = Device("d");
  EXPECT_THAT(MakeDevice("d"), Refused(EEXIST));
  EXPECT_THAT(MakeDevice("features"), Refused(EEXIST));
  EXPECT_THAT(MakeDevice("status.json"), Refused(EEXIST));
  ASSERT_THAT(tree_.RemoveDevice(kRootInode, "d"), IsOk());
  EXPECT_THAT(MakeDevice("d"), IsOk());
}

TEST_F(TreeTest, DirectoriesAreMadeInTheRootOnly) {
  const auto device = Device("d");
  EXPECT_THAT(tree_.MakeDevice(Find(kRootInode, "d"), "nested", 0755, 0, 0), Refused(EPERM));
  EXPECT_THAT(tree_.MakeDevice(kNoSuchInode, "nested", 0755, 0, 0), Refused(EPERM));
}

TEST_F(TreeTest, RemovesDevicesAndNothingElse) {
  const auto device = Device("d");
  const Inode directory = Find(kRootInode, "d");
  EXPECT_THAT(tree_.RemoveDevice(kRootInode, "features"), Refused(ENOTDIR));
  EXPECT_THAT(tree_.RemoveDevice(directory, "size"), Refused(ENOTDIR));
  EXPECT_THAT(tree_.RemoveDevice(kRootInode, "e"), Refused(ENOENT));
  ASSERT_THAT(device->StoreJson(R"({"power": true})"), IsOk());
  const uint64_t handle = device->OpenDisk("dd").value();
  EXPECT_THAT(tree_.RemoveDevice(kRootInode, "d"), Refused(EBUSY));
  EXPECT_EQ(Find(kRootInode, "d"), directory);

  device->CloseDisk(handle);
  EXPECT_THAT(tree_.RemoveDevice(kRootInode, "d"), IsOk());
  EXPECT_EQ(tree_.device_count(), 0U);
}

TEST_F(TreeTest, WhatIsRemovedIsNotThere) {
  const Inode disk = MakeInode(Device("d")->id(), kDiskSlot);
  const Inode directory = Find(kRootInode, "d");
  const Inode size = Find(directory, "size");
  ASSERT_THAT(tree_.RemoveDevice(kRootInode, "d"), IsOk());
  EXPECT_THAT(tree_.Lookup(kRootInode, "d"), Refused(ENOENT));
  EXPECT_THAT(tree_.Lookup(directory, "size"), Refused(ENOENT));
  EXPECT_THAT(tree_.List(directory, 0, [](auto&&...) { return true; }), Refused(ENOENT));
  for (const Inode inode : {directory, size, disk, kNoSuchInode}) {
    EXPECT_THAT(tree_.Stat(inode), Refused(ENOENT));
    EXPECT_THAT(tree_.Open(inode, O_RDONLY), Refused(ENOENT));
    EXPECT_THAT(tree_.Truncate(inode, 0), Refused(ENOENT));
    EXPECT_THAT(tree_.ChangeOwnership(inode, {.mode = 0700}), Refused(ENOENT));
    EXPECT_EQ(tree_.DiskOwner(inode), nullptr);
  }
}

TEST_F(TreeTest, InodeNumbersAreNeverUsedAgain) {
  std::set<Inode> seen;
  for (int i = 0; i < 100; ++i) {
    Device("d");
    EXPECT_TRUE(seen.insert(Find(kRootInode, "d")).second);
    ASSERT_THAT(tree_.RemoveDevice(kRootInode, "d"), IsOk());
  }
}

TEST_F(TreeTest, ListingGoesOnWhereItStopped) {
  std::vector<std::string> expected = {".", "..", "features", "status.json"};
  for (int i = 0; i < 300; ++i) expected.push_back(Device("d" + std::to_string(i))->name());
  EXPECT_EQ(List(kRootInode), expected);
  for (const size_t chunk : {1, 3, 100}) {
    std::vector<std::string> names;
    for (uint64_t offset = 0;;) {
      const std::vector<std::string> more = List(kRootInode, offset, chunk, &offset);
      if (more.empty()) break;
      names.insert(names.end(), more.begin(), more.end());
    }
    EXPECT_EQ(names, expected) << "in pieces of " << chunk;
  }
}

TEST_F(TreeTest, ListingSkipsNothingWhenOthersGo) {
  for (int i = 0; i < 10; ++i) Device("d" + std::to_string(i));
  uint64_t offset = 0;
  EXPECT_EQ(List(kRootInode, 0, 6, &offset).back(), "d1");
  ASSERT_THAT(tree_.RemoveDevice(kRootInode, "d0"), IsOk());
  ASSERT_THAT(tree_.RemoveDevice(kRootInode, "d1"), IsOk());
  ASSERT_THAT(tree_.RemoveDevice(kRootInode, "d2"), IsOk());
  EXPECT_THAT(List(kRootInode, offset, 2), ElementsAre("d3", "d4"));
}

TEST_F(TreeTest, ListingAgreesWithStat) {
  ASSERT_THAT(Device("d")->StoreJson(R"({"power": true})"), IsOk());
  for (const Inode directory : {kRootInode, Find(kRootInode, "d")}) {
    const absl::Status status =
        tree_.List(directory, 0, [&](std::string_view name, Inode inode, mode_t type, uint64_t) {
          EXPECT_EQ(tree_.Stat(inode).value().st_mode & S_IFMT, type) << name;
          if (name[0] != '.') {
            EXPECT_EQ(Find(directory, name), inode) << name;
          }
          return true;
        });
    EXPECT_THAT(status, IsOk());
  }
}

TEST_F(TreeTest, WhatIsReadOnlyIsNotOpenedForWriting) {
  Device("d");
  const Inode directory = Find(kRootInode, "d");
  const Inode read_only[] = {Find(kRootInode, "features"), Find(kRootInode, "status.json"),
                             Find(directory, "stats.json"), Find(directory, "last_error")};
  for (const Inode inode : read_only) {
    EXPECT_THAT(tree_.Open(inode, O_RDONLY), IsOk());
    EXPECT_THAT(tree_.Open(inode, O_WRONLY), Refused(EACCES));
    EXPECT_THAT(tree_.Open(inode, O_RDWR), Refused(EACCES));
    EXPECT_THAT(tree_.Truncate(inode, 0), Refused(EACCES));
  }
  for (const char* name : {"size", "config.json"}) {
    EXPECT_THAT(tree_.Open(Find(directory, name), O_RDWR), IsOk());
  }
}

TEST_F(TreeTest, OpenFilesAreWhatTheirNamesSay) {
  const auto device = Device("d");
  const Inode directory = Find(kRootInode, "d");
  const auto open = [&](std::string_view name, int flags) {
    return tree_.Open(Find(directory, name), flags).value();
  };
  EXPECT_THAT(open("size", O_WRONLY)->Write(0, "64\n"), IsOk());
  EXPECT_EQ(open("size", O_RDONLY)->Read(0, 100), "64\n");
  EXPECT_THAT(open("config.json", O_RDWR)->Read(0, 4096), testing::HasSubstr("\"size\": 64,"));
  EXPECT_EQ(open("stats.json", O_RDONLY)->Read(0, 4096), device->StatsText());
  EXPECT_THAT(open("power", O_WRONLY)->Write(0, "2"), Refused(EINVAL));
  EXPECT_EQ(open("last_error", O_RDONLY)->Read(0, 4096), device->last_error());

  const auto piece = open("config.json", O_WRONLY);
  EXPECT_THAT(piece->Write(0, R"({"size": )"), IsOk());
  EXPECT_THAT(piece->Flush(), Refused(EINVAL));
  EXPECT_THAT(open("config.json", O_WRONLY | O_APPEND)->Write(0, "65}"), IsOk());
  EXPECT_EQ(device->config().size, 65U);
}

TEST_F(TreeTest, TruncateLeavesLengthsAlone) {
  const auto device = Device("d");
  ASSERT_THAT(device->StoreJson(R"({"size": 1, "power": true})"), IsOk());
  const Inode directory = Find(kRootInode, "d");
  EXPECT_THAT(tree_.Truncate(Find(directory, "size"), 0), IsOk());
  EXPECT_THAT(tree_.Truncate(Find(directory, "config.json"), 0), IsOk());
  EXPECT_THAT(tree_.Truncate(kRootInode, 0), Refused(EISDIR));
  EXPECT_THAT(tree_.Truncate(directory, 0), Refused(EISDIR));
  const Inode disk = Find(directory, "disk");
  EXPECT_THAT(tree_.Truncate(disk, 0), IsOk());
  EXPECT_THAT(tree_.Truncate(disk, 1 << 20), IsOk());
  EXPECT_THAT(tree_.Truncate(disk, (1 << 20) + 1), Refused(ENOSPC));
  EXPECT_EQ(tree_.Stat(disk).value().st_size, 1 << 20);
}

TEST_F(TreeTest, OwnershipCanBeChanged) {
  Device("d");
  const Inode directory = Find(kRootInode, "d");
  const OwnershipChange change = {
      .mode = S_IFREG | 0640, .uid = 100, .accessed = timespec{.tv_sec = 5, .tv_nsec = 6}};
  const Inode inodes[] = {kRootInode, Find(kRootInode, "features"), directory,
                          Find(directory, "size")};
  for (const Inode inode : inodes) {
    const struct stat before = tree_.Stat(inode).value();
    EXPECT_THAT(tree_.ChangeOwnership(inode, change), IsOk());
    const struct stat after = tree_.Stat(inode).value();
    EXPECT_EQ(after.st_mode, (before.st_mode & S_IFMT) | 0640);
    EXPECT_EQ(after.st_uid, 100U);
    EXPECT_EQ(after.st_gid, before.st_gid);
    EXPECT_EQ(after.st_atim.tv_sec, 5);
    EXPECT_EQ(after.st_atim.tv_nsec, 6);
    EXPECT_EQ(after.st_mtim.tv_sec, before.st_mtim.tv_sec);
  }
  EXPECT_EQ(tree_.Stat(Find(directory, "power")).value().st_uid, 10U);
}

TEST_F(TreeTest, KnowsWhichDisksAreInUse) {
  EXPECT_THAT(tree_.DisksInUse(), IsEmpty());
  std::vector<uint64_t> handles;
  for (const char* name : {"a", "b", "c"}) {
    ASSERT_THAT(Device(name)->StoreJson(R"({"power": true})"), IsOk());
  }
  const auto owner = [&](std::string_view name) {
    return tree_.DiskOwner(Find(Find(kRootInode, name), "disk"));
  };
  const uint64_t a = owner("a")->OpenDisk("dd").value();
  const uint64_t c = owner("c")->OpenDisk("dd").value();
  EXPECT_THAT(tree_.DisksInUse(), ElementsAre("a", "c"));
  owner("a")->CloseDisk(a);
  EXPECT_THAT(tree_.DisksInUse(), ElementsAre("c"));
  owner("c")->CloseDisk(c);
  EXPECT_THAT(tree_.DisksInUse(), IsEmpty());
}

}  // namespace
}  // namespace rnullfs
