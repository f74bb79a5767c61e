// The tree as the kernel sees it: names, attributes, errors.

#include <dirent.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "fuse/fuse_test.h"
#include "rnullfs/attributes.h"

namespace rnullfs {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

using OperationsTest = FuseTest;

TEST_F(OperationsTest, LookupTellsWhatAFileIs) {
  const auto features = kernel_.Lookup(kRoot, "features").As<fuse_entry_out>();
  EXPECT_EQ(features.attr.mode, S_IFREG | 0444U);
  EXPECT_EQ(features.attr.size, 4096U);
  EXPECT_EQ(features.attr.ino, features.nodeid);
  EXPECT_GT(features.entry_valid, 0U);
  EXPECT_EQ(features.attr_valid, 0U);  // sizes change without the kernel
  EXPECT_EQ(kernel_.Lookup(kRoot, "nothing").error, ENOENT);
}

TEST_F(OperationsTest, GetAttrAgreesWithLookup) {
  const uint64_t device = kernel_.MakeDevice("d", R"({"size": 3, "power": true})");
  for (const DirectoryEntry& entry : kernel_.List(device)) {
    if (entry.name[0] == '.') continue;
    const auto found = kernel_.Lookup(device, entry.name).As<fuse_entry_out>();
    EXPECT_EQ(found.nodeid, entry.node) << entry.name;
    const auto attributes = kernel_.GetAttr(entry.node).As<fuse_attr_out>();
    EXPECT_EQ(attributes.attr.mode, found.attr.mode) << entry.name;
    EXPECT_EQ(attributes.attr.ino, found.nodeid) << entry.name;
  }
  EXPECT_EQ(kernel_.GetAttr(kRoot).As<fuse_attr_out>().attr.mode, S_IFDIR | 0755U);
}

TEST_F(OperationsTest, TheDiskIsLookedUpAnewEachTime) {
  const uint64_t device = kernel_.MakeDevice("d", R"({"size": 3})");
  EXPECT_EQ(kernel_.Lookup(device, "disk").error, ENOENT);
  EXPECT_EQ(kernel_.WriteFile(device, "power", "1"), 0);
  const auto disk = kernel_.Lookup(device, "disk").As<fuse_entry_out>();
  EXPECT_EQ(disk.entry_valid, 0U);
  EXPECT_EQ(disk.attr.mode, S_IFREG | 0600U);
  EXPECT_EQ(disk.attr.size, 3U << 20);
  EXPECT_EQ(kernel_.WriteFile(device, "power", "0"), 0);
  EXPECT_EQ(kernel_.GetAttr(disk.nodeid).error, ENOENT);
  EXPECT_EQ(kernel_.Open(disk.nodeid, O_RDWR).error, ENOENT);
}

TEST_F(OperationsTest, MkdirMakesADeviceThatBelongsToItsMaker) {
  const auto made = kernel_.MakeDirectory(kRoot, "d", 0700).As<fuse_entry_out>();
  EXPECT_EQ(made.attr.mode, S_IFDIR | 0700U);
  EXPECT_EQ(made.attr.uid, kCallerUid);
  EXPECT_EQ(made.attr.gid, kCallerGid);
  EXPECT_EQ(kernel_.Find(kRoot, "d"), made.nodeid);
  EXPECT_EQ(kernel_.ReadFile(made.nodeid, "size"), "4096\n");
}

TEST_F(OperationsTest, MkdirRefusesWhatHasNoPlace) {
  const uint64_t device = kernel_.MakeDevice("d", "{}");
  EXPECT_EQ(kernel_.MakeDirectory(kRoot, "d").error, EEXIST);
  EXPECT_EQ(kernel_.MakeDirectory(kRoot, "features").error, EEXIST);
  EXPECT_EQ(kernel_.MakeDirectory(device, "nested").error, EPERM);
  EXPECT_EQ(kernel_.MakeDirectory(kRoot, "line\nbreak").error, EINVAL);
  EXPECT_EQ(kernel_.MakeDirectory(kRoot, std::string(256, 'n')).error, ENAMETOOLONG);
}

TEST_F(OperationsTest, RmdirRemovesADeviceUnlessItsDiskIsOpen) {
  const uint64_t device = kernel_.MakeDevice("d", R"({"power": true})");
  const OpenFile disk = kernel_.OpenOf(device, "disk", O_RDONLY);
  EXPECT_EQ(kernel_.RemoveDirectory(kRoot, "d").error, EBUSY);
  EXPECT_THAT(kernel_.ReadFile(device, "last_error"), StartsWith("rmdir: "));
  kernel_.Close(disk);
  EXPECT_EQ(kernel_.RemoveDirectory(kRoot, "d").error, 0);
  EXPECT_EQ(kernel_.RemoveDirectory(kRoot, "d").error, ENOENT);
  EXPECT_EQ(kernel_.Lookup(kRoot, "d").error, ENOENT);
}

// FUSE hears of a close after close(2) has returned.  On a busy machine the closer may come late,
// but hardly every time.
TEST_F(OperationsTest, RefusalsWaitForACloseThatIsOnItsWay) {
  const uint64_t device = kernel_.MakeDevice("d", "{}");
  int error = EBUSY;
  for (int attempt = 0; attempt < 10 && error != 0; ++attempt) {
    kernel_.WriteFile(device, "power", "1");
    const OpenFile disk = kernel_.OpenOf(device, "disk", O_RDWR);
    std::thread closer([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      kernel_.Release(disk);
    });
    error = kernel_.WriteFile(device, "power", "0");
    closer.join();
  }
  EXPECT_EQ(error, 0);
}

TEST_F(OperationsTest, NothingElseIsMadeRenamedOrUnlinked) {
  const uint64_t device = kernel_.MakeDevice("d", "{}");
  // Arguments long enough for each, then two names.
  const std::string payload = std::string(16, '\0') + std::string("size\0target\0", 12);
  for (const uint32_t opcode :
       {FUSE_MKNOD, FUSE_CREATE, FUSE_UNLINK, FUSE_SYMLINK, FUSE_LINK, FUSE_RENAME, FUSE_RENAME2}) {
    EXPECT_EQ(kernel_.Call(opcode, device, payload).error, EPERM) << opcode;
    EXPECT_EQ(kernel_.Call(opcode, kRoot, payload).error, EPERM) << opcode;
  }
}

TEST_F(OperationsTest, ReadDirectoryGoesOnWhereItStopped) {
  std::vector<std::string> expected = {".", "..", "features", "status.json", "power"};
  for (int i = 0; i < 50; ++i) {
    expected.push_back("device" + std::to_string(i));
    kernel_.MakeDevice(expected.back(), "{}");
  }
  for (const uint32_t size : {64, 200, 4096, 65536}) {
    std::vector<std::string> names;
    for (const DirectoryEntry& entry : kernel_.List(kRoot, size)) {
      names.push_back(entry.name);
      const bool is_file =
          entry.name == "features" || entry.name == "status.json" || entry.name == "power";
      EXPECT_EQ(entry.type, is_file ? DT_REG : DT_DIR) << entry.name;
    }
    EXPECT_EQ(names, expected) << size;
  }
}

TEST_F(OperationsTest, AttributesAreReadAndWritten) {
  const uint64_t device = kernel_.MakeDevice("d", "{}");
  EXPECT_EQ(kernel_.WriteFile(device, "size", "64\n"), 0);
  EXPECT_EQ(kernel_.ReadFile(device, "size"), "64\n");
  EXPECT_EQ(kernel_.WriteFile(device, "size", "much\n"), EINVAL);
  EXPECT_EQ(kernel_.WriteFile(device, "power", "1\n"), 0);
  EXPECT_EQ(kernel_.WriteFile(device, "size", "63\n"), EBUSY);
  EXPECT_THAT(kernel_.ReadFile(device, "last_error"), HasSubstr("write 0 to power first"));
  EXPECT_EQ(kernel_.ReadFile(device, "size"), "64\n");
  EXPECT_EQ(kernel_.ReadFile(kRoot, "features"), FeaturesLine());
}

TEST_F(OperationsTest, AWriteOfMoreThan4095BytesIsTakenUpToThere) {
  const uint64_t device = kernel_.MakeDevice("d", "{}");
  const OpenFile size = kernel_.OpenOf(device, "size", O_WRONLY);
  const FuseReply reply = kernel_.Write(size, 0, "7" + std::string(5000, ' '));
  EXPECT_EQ(reply.error, 0);
  EXPECT_EQ(reply.As<fuse_write_out>().size, 4095U);
  kernel_.Close(size);
  EXPECT_EQ(kernel_.ReadFile(device, "size"), "7\n");
}

TEST_F(OperationsTest, TextIsReadPastTheKernelsCache) {
  const uint64_t device = kernel_.MakeDevice("d", "{}");
  const uint64_t node = kernel_.Find(device, "size");
  const auto open = kernel_.Open(node, O_RDONLY).As<fuse_open_out>();
  EXPECT_EQ(open.open_flags & (FOPEN_DIRECT_IO | FOPEN_KEEP_CACHE), FOPEN_DIRECT_IO);
  const OpenFile file = {node, open.fh};
  EXPECT_EQ(kernel_.Read(file, 0, 2).data, "40");
  EXPECT_EQ(kernel_.WriteFile(device, "size", "5"), 0);
  EXPECT_EQ(kernel_.Read(file, 2, 100).data, "96\n");
  EXPECT_EQ(kernel_.Read(file, 5, 100).data, "");
  EXPECT_EQ(kernel_.Read(file, 0, 100).data, "5\n");
  kernel_.Close(file);
}

TEST_F(OperationsTest, WhatIsReadOnlyIsNotOpenedForWriting) {
  const uint64_t device = kernel_.MakeDevice("d", "{}");
  EXPECT_EQ(kernel_.Open(kernel_.Find(kRoot, "features"), O_WRONLY).error, EACCES);
  EXPECT_EQ(kernel_.Open(kernel_.Find(device, "stats.json"), O_RDWR).error, EACCES);
}

TEST_F(OperationsTest, TruncatingChangesNoLength) {
  const uint64_t device = kernel_.MakeDevice("d", R"({"size": 3, "power": true})");
  fuse_setattr_in to_nothing = {};
  to_nothing.valid = FATTR_SIZE;
  for (const char* name : {"size", "config.json", "disk"}) {
    const OpenFile file = kernel_.OpenOf(device, name, O_RDWR);
    EXPECT_EQ(kernel_.SetAttr(file.node, to_nothing).error, 0) << name;
    fuse_setattr_in open = to_nothing;
    open.valid |= FATTR_FH;
    open.fh = file.handle;
    const FuseReply reply = kernel_.SetAttr(file.node, open);
    EXPECT_EQ(reply.error, 0) << name;
    EXPECT_GT(reply.As<fuse_attr_out>().attr.size, 0U) << name;
    kernel_.Close(file);
  }
  EXPECT_EQ(kernel_.ReadFile(device, "size"), "3\n");
  EXPECT_EQ(kernel_.SetAttr(kernel_.Find(kRoot, "features"), to_nothing).error, EACCES);

  fuse_setattr_in larger = to_nothing;
  larger.size = (3 << 20) + 1;
  EXPECT_EQ(kernel_.SetAttr(kernel_.Find(device, "disk"), larger).error, ENOSPC);
}

TEST_F(OperationsTest, OwnershipAndTimesCanBeSet) {
  const uint64_t node = kernel_.Find(kernel_.MakeDevice("d", "{}"), "size");
  fuse_setattr_in change = {};
  change.valid = FATTR_MODE | FATTR_UID | FATTR_GID | FATTR_MTIME | FATTR_ATIME | FATTR_ATIME_NOW;
  change.mode = S_IFREG | 0600;
  change.uid = 7;
  change.gid = 8;
  change.mtime = 1'000'000;
  change.mtimensec = 9;
  EXPECT_EQ(kernel_.SetAttr(node, change).error, 0);
  const fuse_attr attributes = kernel_.GetAttr(node).As<fuse_attr_out>().attr;
  EXPECT_EQ(attributes.mode, S_IFREG | 0600U);
  EXPECT_EQ(attributes.uid, 7U);
  EXPECT_EQ(attributes.gid, 8U);
  EXPECT_EQ(attributes.mtime, 1'000'000U);
  EXPECT_EQ(attributes.mtimensec, 9U);
  EXPECT_GT(attributes.atime, 1'000'000U);
}

TEST_F(OperationsTest, ConfigJsonArrivesInPieces) {
  const uint64_t device = kernel_.MakeDevice("d", "{}");
  const OpenFile config = kernel_.OpenOf(device, "config.json", O_WRONLY);
  uint64_t offset = 0;
  for (const std::string piece : {"{\"size\": 5", ", \"blocksize\"", ": 512"}) {
    EXPECT_EQ(kernel_.Write(config, offset, piece).As<fuse_write_out>().size, piece.size());
    EXPECT_EQ(kernel_.Flush(config).error, EINVAL);  // a duplicate was closed
    offset += piece.size();
  }
  EXPECT_EQ(kernel_.ReadFile(device, "size"), "4096\n");
  EXPECT_EQ(kernel_.Write(config, offset, "}\n").error, 0);
  kernel_.Close(config);
  EXPECT_EQ(kernel_.ReadFile(device, "size"), "5\n");
  EXPECT_EQ(kernel_.ReadFile(device, "last_error"), "");
}

TEST_F(OperationsTest, ConfigJsonIsAppendedToAcrossOpens) {
  const uint64_t device = kernel_.MakeDevice("d", "{}");
  for (const char* piece : {"{\"size\"", ": 5"}) {
    const OpenFile config = kernel_.OpenOf(device, "config.json", O_WRONLY | O_APPEND);
    EXPECT_EQ(kernel_.Write(config, 150, piece).error, 0);
    EXPECT_EQ(kernel_.Flush(config).error, EINVAL);
    EXPECT_EQ(kernel_.Release(config).error, 0);
  }
  const OpenFile config = kernel_.OpenOf(device, "config.json", O_WRONLY | O_APPEND);
  EXPECT_EQ(kernel_.Write(config, 150, "}").error, 0);
  kernel_.Close(config);
  EXPECT_EQ(kernel_.ReadFile(device, "size"), "5\n");
}

TEST_F(OperationsTest, StatFsHasTheDisksBlockSize) {
  const uint64_t device = kernel_.MakeDevice("d", R"({"blocksize": 512, "power": true})");
  EXPECT_EQ(kernel_.StatFs(kRoot).As<fuse_statfs_out>().st.bsize, 4096U);
  const auto disk = kernel_.StatFs(kernel_.Find(device, "disk")).As<fuse_statfs_out>();
  EXPECT_EQ(disk.st.bsize, 512U);
  EXPECT_EQ(disk.st.namelen, 255U);
  EXPECT_GT(disk.st.blocks, disk.st.bfree);
}

// ENOSYS would stop fsync for the whole mount.
TEST_F(OperationsTest, EverythingCanBeSynced) {
  const uint64_t device = kernel_.MakeDevice("d", R"({"power": true})");
  EXPECT_EQ(kernel_.Sync({device, 0}, FUSE_FSYNCDIR).error, 0);
  for (const char* name : {"size", "config.json", "stats.json", "disk"}) {
    const OpenFile file = kernel_.OpenOf(device, name, O_RDONLY);
    EXPECT_EQ(kernel_.Sync(file).error, 0) << name;
    kernel_.Close(file);
  }
}

}  // namespace
}  // namespace rnullfs
