// Files that show what a disk was, as the kernel sees them: at/N/disk, snapshots/NAME/disk.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <future>
#include <string>
#include <string_view>
#include <thread>

#include "fuse/fuse_test.h"

namespace rnullfs {
namespace {

class ViewsTest : public FuseTest {
 protected:
  void Write(std::string_view data, uint64_t offset = 0) {
    const OpenFile disk = kernel_.OpenOf(device_, "disk", O_RDWR);
    EXPECT_EQ(kernel_.Write(disk, offset, data).error, 0);
    kernel_.Close(disk);
  }
  uint64_t At(std::string_view moment) { return kernel_.Find(kernel_.Find(device_, "at"), moment); }
  std::string Read(OpenFile file, uint64_t offset, uint32_t size) {
    return kernel_.Read(file, offset, size).data;
  }

  const uint64_t device_ = kernel_.MakeDevice(
      "d",
      R"({"size": 2, "memory_backed": true, "history": 1, "datapath": "daemon", "power": true})");
};

TEST_F(ViewsTest, AMomentIsReadThroughThePageCacheAndHasHoles) {
  Write("one", 65536);
  Write("two", 65536);
  const auto moment = kernel_.Lookup(kernel_.Find(device_, "at"), "1").As<fuse_entry_out>();
  EXPECT_EQ(moment.entry_valid, 0U);  // it may be forgotten
  EXPECT_EQ(moment.generation, 0U);
  EXPECT_NE(moment.nodeid >> 56, 0U);
  const uint64_t file = kernel_.Find(moment.nodeid, "disk");
  const auto opened = kernel_.Open(file, O_RDONLY).As<fuse_open_out>();
  EXPECT_EQ(opened.open_flags & FOPEN_DIRECT_IO, 0U);
  const OpenFile open = {.node = file, .handle = opened.fh};
  EXPECT_EQ(Read(open, 65536, 3), "one");
  EXPECT_EQ(Read(open, (2 << 20) - 2, 100), std::string(2, '\0'));
  EXPECT_EQ(Read(open, 2 << 20, 100), "");
  EXPECT_EQ(kernel_.Seek(open, 0, SEEK_DATA).As<fuse_lseek_out>().offset, 65536U);
  EXPECT_EQ(kernel_.Seek(open, 65536, SEEK_HOLE).As<fuse_lseek_out>().offset, 65536U + 4096);
  EXPECT_EQ(kernel_.Seek(open, 70000, SEEK_DATA).error, ENXIO);
  EXPECT_EQ(kernel_.Seek(open, 2 << 20, SEEK_HOLE).error, ENXIO);
  EXPECT_EQ(kernel_.Seek(open, 0, SEEK_CUR).error, EINVAL);
  EXPECT_EQ(kernel_.Open(file, O_WRONLY).error, EACCES);
  kernel_.Close(open);
}

TEST_F(ViewsTest, AMomentThatIsForgottenIsStale) {
  Write(std::string(1 << 20, 'a'));
  const uint64_t moment = At("1");
  const uint64_t file = kernel_.Find(moment, "disk");
  const OpenFile open = kernel_.OpenOf(moment, "disk", O_RDONLY);
  Write(std::string(1 << 20, 'b'));
  EXPECT_EQ(Read(open, 0, 1), "a");
  Write(std::string(1 << 20, 'c'));
  EXPECT_EQ(kernel_.Read(open, 0, 1).error, ESTALE);
  EXPECT_EQ(kernel_.Seek(open, 0, SEEK_DATA).error, ESTALE);
  EXPECT_EQ(kernel_.Seek(open, 0, SEEK_HOLE).error, ESTALE);
  EXPECT_EQ(kernel_.GetAttr(file).error, ESTALE);
  EXPECT_EQ(kernel_.Lookup(moment, "disk").error, ENOENT);
  EXPECT_EQ(kernel_.Lookup(kernel_.Find(device_, "at"), "1").error, ENOENT);
  kernel_.Close(open);
}

// The kernel tells of a close when the program that closed has gone on.
TEST_F(ViewsTest, ARemovalWaitsForASnapshotThatIsBeingClosed) {
  const uint64_t snapshots = kernel_.Find(device_, "snapshots");
  ASSERT_EQ(kernel_.MakeDirectory(snapshots, "clean").error, 0);
  const uint64_t snapshot = kernel_.Find(snapshots, "clean");
  OpenFile open = kernel_.OpenOf(snapshot, "disk", O_RDONLY);
  EXPECT_EQ(kernel_.RemoveDirectory(snapshots, "clean").error, EBUSY);
  auto removal = std::async(std::launch::async,
                            [&] { return kernel_.RemoveDirectory(snapshots, "clean").error; });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  kernel_.Close(open);
  EXPECT_EQ(removal.get(), 0);
}

TEST_F(ViewsTest, RollbackTakesANameOrANumber) {
  Write("one");
  Write("two");
  EXPECT_EQ(kernel_.ReadFile(device_, "rollback"), "");
  EXPECT_EQ(kernel_.WriteFile(device_, "rollback", "1\n"), 0);
  const OpenFile disk = kernel_.OpenOf(device_, "disk", O_RDONLY);
  EXPECT_EQ(Read(disk, 0, 3), "one");
  EXPECT_EQ(kernel_.WriteFile(device_, "rollback", "2\n"), EBUSY);
  kernel_.Close(disk);
  EXPECT_EQ(kernel_.WriteFile(device_, "rollback", "none\n"), ENOENT);
  EXPECT_EQ(kernel_.ReadFile(device_, "last_error"),
            "rollback: there is no snapshot or mark none\n");
}

}  // namespace
}  // namespace rnullfs
