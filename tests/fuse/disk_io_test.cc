// The data path: what reads, writes and their like of `disk` answer.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/falloc.h>
#include <unistd.h>

#include <cerrno>
#include <future>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fuse/fuse_test.h"

namespace rnullfs {
namespace {

using testing::HasSubstr;

constexpr uint64_t kMiB = 1 << 20;

std::string Zeros(size_t bytes) { return std::string(bytes, '\0'); }

// A disk of 2 MiB that keeps what is written, open.
class DiskTest : public FuseTest {
 protected:
  void SetUp() override {
    device_ = kernel_.MakeDevice(
        "d", R"({"size": 2, "memory_backed": true, "discard": true, "power": true})");
    disk_ = kernel_.OpenOf(device_, "disk", O_RDWR);
  }
  void TearDown() override {
    kernel_.Close(disk_);
    FuseTest::TearDown();
  }

  std::string ReadDisk(uint64_t offset, uint32_t size) {
    const FuseReply reply = kernel_.Read(disk_, offset, size);
    EXPECT_EQ(reply.error, 0);
    return reply.data;
  }
  void WriteDisk(uint64_t offset, std::string_view data) {
    const FuseReply reply = kernel_.Write(disk_, offset, data);
    EXPECT_EQ(reply.error, 0);
    EXPECT_EQ(reply.As<fuse_write_out>().size, data.size());
  }
  uint64_t StoredBlocks() { return kernel_.GetAttr(disk_.node).As<fuse_attr_out>().attr.blocks; }
  uint64_t Seek(uint64_t offset, uint32_t whence) {
    const FuseReply reply = kernel_.Seek(disk_, offset, whence);
    EXPECT_EQ(reply.error, 0);
    return reply.As<fuse_lseek_out>().offset;
  }

  uint64_t device_ = 0;
  OpenFile disk_;
};

TEST_F(DiskTest, OpensForParallelDirectIo) {
  const auto open = kernel_.Open(disk_.node, O_RDWR).As<fuse_open_out>();
  EXPECT_NE(open.open_flags & FOPEN_DIRECT_IO, 0U);
#if RNULLFS_LIBFUSE_MINOR >= 15
  EXPECT_NE(open.open_flags & FOPEN_PARALLEL_DIRECT_WRITES, 0U);
#endif
  EXPECT_NE(open.fh, disk_.handle);
  kernel_.Close({disk_.node, open.fh});
}

TEST_F(DiskTest, KeepsWhatIsWritten) {
  EXPECT_EQ(ReadDisk(0, 8192), Zeros(8192));
  WriteDisk(4094, "across pages");
  EXPECT_EQ(ReadDisk(4092, 16), Zeros(2) + "across pages" + Zeros(2));
  EXPECT_EQ(StoredBlocks(), 16U);
}

TEST_F(DiskTest, ReadsStopAtTheEnd) {
  WriteDisk(2 * kMiB - 3, "end");
  EXPECT_EQ(ReadDisk(2 * kMiB - 4, 4096), Zeros(1) + "end");
  EXPECT_EQ(ReadDisk(2 * kMiB, 4096), "");
  EXPECT_EQ(ReadDisk(uint64_t{INT64_MAX}, 4096), "");
}

TEST_F(DiskTest, WritesPastTheEndFailAndAreNeverShort) {
  const std::string block(4096, 'x');
  for (const uint64_t offset : {2 * kMiB - 1, 2 * kMiB - 4095, 2 * kMiB, uint64_t{INT64_MAX}}) {
    EXPECT_EQ(kernel_.Write(disk_, offset, block).error, ENOSPC) << offset;
  }
  EXPECT_EQ(StoredBlocks(), 0U);
  WriteDisk(2 * kMiB - 4096, block);
}

TEST_F(DiskTest, TakesTheLargestRequests) {
  std::string data(kernel_.data_bytes_max(), '\0');
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i * 2654435761 >> 16);
  WriteDisk(512, data);
  EXPECT_EQ(ReadDisk(512, data.size()), data);
}

// A reply made of pieces: holes and pages in turn.
TEST_F(DiskTest, ReadsHolesAndDataAtOnce) {
  std::string expected;
  for (uint64_t page = 0; page < 64; ++page) {
    const std::string data = page % 2 == 0 ? Zeros(4096) : std::string(4096, 'd');
    if (page % 2 != 0) WriteDisk(page * 4096, data);
    expected += data;
  }
  EXPECT_EQ(ReadDisk(100, 64 * 4096 - 100), expected.substr(100));
  EXPECT_EQ(StoredBlocks(), 32U * 8);
}

TEST_F(DiskTest, PunchingHolesFreesPages) {
  WriteDisk(0, std::string(16384, 'x'));
  // What loop sends for a discard.
  const uint32_t mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  EXPECT_EQ(kernel_.Allocate(disk_, mode, 2048, 8192).error, 0);
  EXPECT_EQ(StoredBlocks(), 24U);
  EXPECT_EQ(ReadDisk(0, 16384), std::string(2048, 'x') + Zeros(8192) + std::string(6144, 'x'));
}

TEST_F(DiskTest, ZeroingLeavesZeros) {
  for (const uint32_t mode : {FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE}) {
    WriteDisk(0, std::string(8192, 'x'));
    EXPECT_EQ(kernel_.Allocate(disk_, mode, 512, 4096).error, 0);
    EXPECT_EQ(ReadDisk(0, 8192), std::string(512, 'x') + Zeros(4096) + std::string(3584, 'x'));
  }
}

TEST_F(DiskTest, AllocatingStoresPages) {
  WriteDisk(0, "kept");
  EXPECT_EQ(kernel_.Allocate(disk_, 0, 0, 8192).error, 0);
  EXPECT_EQ(StoredBlocks(), 16U);
  EXPECT_EQ(kernel_.Allocate(disk_, FALLOC_FL_KEEP_SIZE, 8192, 4096).error, 0);
  EXPECT_EQ(StoredBlocks(), 24U);
  EXPECT_EQ(ReadDisk(0, 4), "kept");
}

TEST_F(DiskTest, OtherAllocationsAreNotSupported) {
  for (const uint32_t mode :
       {FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE, FALLOC_FL_UNSHARE_RANGE, 0x1000}) {
    EXPECT_EQ(kernel_.Allocate(disk_, mode, 0, 4096).error, EOPNOTSUPP) << mode;
  }
  const OpenFile size = kernel_.OpenOf(device_, "config.json", O_RDWR);
  EXPECT_EQ(kernel_.Allocate(size, 0, 0, 4096).error, EOPNOTSUPP);
  kernel_.Close(size);
}

TEST_F(DiskTest, AllocationsThatKeepTheSizeAreCutAtTheEnd) {
  WriteDisk(2 * kMiB - 4096, std::string(4096, 'x'));
  for (const uint32_t mode : {1U, 0x11U, 3U}) {
    EXPECT_EQ(kernel_.Allocate(disk_, mode, 2 * kMiB - 2048, 4096).error, 0) << mode;
    EXPECT_EQ(kernel_.Allocate(disk_, mode, 2 * kMiB, 4096).error, 0) << mode;
    EXPECT_EQ(kernel_.Allocate(disk_, mode, kMiB, INT64_MAX).error, 0) << mode;
    EXPECT_EQ(kernel_.Allocate(disk_, mode, INT64_MAX, INT64_MAX).error, 0) << mode;
  }
  EXPECT_EQ(StoredBlocks(), 0U);
}

TEST_F(DiskTest, AllocationsThatWouldGrowTheDiskFail) {
  for (const uint32_t mode : {0U, 0x10U}) {
    EXPECT_EQ(kernel_.Allocate(disk_, mode, kMiB, kMiB + 1).error, ENOSPC) << mode;
    EXPECT_EQ(kernel_.Allocate(disk_, mode, kMiB, INT64_MAX).error, ENOSPC) << mode;
    EXPECT_EQ(kernel_.Allocate(disk_, mode, INT64_MAX, INT64_MAX).error, ENOSPC) << mode;
  }
}

TEST_F(DiskTest, SeeksDataAndHoles) {
  EXPECT_EQ(kernel_.Seek(disk_, 0, SEEK_DATA).error, ENXIO);
  EXPECT_EQ(Seek(5, SEEK_HOLE), 5U);
  WriteDisk(8192, "x");
  EXPECT_EQ(Seek(0, SEEK_DATA), 8192U);
  EXPECT_EQ(Seek(8200, SEEK_DATA), 8200U);
  EXPECT_EQ(Seek(8192, SEEK_HOLE), 12288U);
  EXPECT_EQ(kernel_.Seek(disk_, 12288, SEEK_DATA).error, ENXIO);
  WriteDisk(2 * kMiB - 1, "x");
  EXPECT_EQ(Seek(2 * kMiB - 1, SEEK_HOLE), 2 * kMiB);
  EXPECT_EQ(kernel_.Seek(disk_, 2 * kMiB, SEEK_HOLE).error, ENXIO);
  EXPECT_EQ(kernel_.Seek(disk_, 0, SEEK_END).error, EINVAL);
}

TEST_F(DiskTest, SwitchesOffOnlyAfterTheRelease) {
  WriteDisk(0, "kept");
  EXPECT_EQ(kernel_.WriteFile(device_, "power", "0"), EBUSY);
  // The test is the one who opened it.
  EXPECT_THAT(kernel_.ReadFile(device_, "last_error"),
              HasSubstr("(pid " + std::to_string(getpid()) + ")"));
  EXPECT_EQ(ReadDisk(0, 4), "kept");

  kernel_.Close(disk_);
  EXPECT_EQ(kernel_.WriteFile(device_, "power", "0"), 0);
  EXPECT_EQ(kernel_.WriteFile(device_, "power", "1"), 0);
  disk_ = kernel_.OpenOf(device_, "disk", O_RDWR);
  EXPECT_EQ(ReadDisk(0, 4), "kept");
}

// `losetup -d; echo 0 > power`: the kernel sends the release when it likes.  On a busy machine it
// may come too late, but hardly every time.
TEST_F(DiskTest, SwitchingOffWaitsForAReleaseThatIsOnItsWay) {
  const OpenFile power = kernel_.OpenOf(device_, "power", O_WRONLY);
  int error = EBUSY;
  for (int attempt = 0; attempt < 10 && error == EBUSY; ++attempt) {
    std::future<FuseReply> off = kernel_.SendWrite(power, 0, "0");
    kernel_.Close(disk_);
    error = FakeKernel::Await(std::move(off)).error;
    EXPECT_EQ(kernel_.Write(power, 0, "1").error, 0);
    disk_ = kernel_.OpenOf(device_, "disk", O_RDWR);
  }
  EXPECT_EQ(error, 0);
  kernel_.Close(power);
}

// More at once than there are threads, by each of the ways: the closes are heard all the same, and
// so is everybody else.
TEST_F(DiskTest, SwitchingOffManyKeepsNobodyWaiting) {
  constexpr int kDisks = 24;
  struct Disk {
    std::string name;
    OpenFile disk;
    OpenFile text;
    std::future<FuseReply> off;
  };
  std::vector<Disk> disks;
  for (int i = 0; i < kDisks; ++i) {
    Disk each;
    each.name = "many" + std::to_string(i);
    const uint64_t directory = kernel_.MakeDevice(each.name, R"({"size": 1, "power": true})");
    each.disk = kernel_.OpenOf(directory, "disk", O_RDWR);
    each.text = kernel_.OpenOf(directory, i % 3 == 0 ? "power" : "config.json", O_WRONLY);
    disks.push_back(std::move(each));
  }
  for (int i = 0; i < kDisks; ++i) {
    Disk& each = disks[i];
    if (i % 3 == 0) each.off = kernel_.SendWrite(each.text, 0, "0");
    if (i % 3 == 1) each.off = kernel_.SendWrite(each.text, 0, R"({"size": 2, "power": false})");
    if (i % 3 == 2) {
      each.off = kernel_.Send(FUSE_RMDIR, kRoot,
                              std::string_view(each.name.c_str(), each.name.size() + 1));
    }
  }
  EXPECT_EQ(kernel_.Read(disk_, 0, 4096).error, 0);
  for (Disk& each : disks) kernel_.Close(each.disk);
  for (Disk& each : disks) {
    const FuseReply reply = FakeKernel::Await(std::move(each.off));
    EXPECT_EQ(reply.error, 0) << each.name;
    kernel_.Close(each.text);
  }
}

TEST_F(DiskTest, CountsWhatItDoes) {
  WriteDisk(0, std::string(8192, 'x'));
  ReadDisk(0, 4096);
  EXPECT_EQ(kernel_.Sync(disk_).error, 0);
  const std::string stats = kernel_.ReadFile(device_, "stats.json");
  EXPECT_THAT(stats, HasSubstr("\"reads\": {\n    \"requests\": 1,\n    \"bytes\": 4096,"));
  EXPECT_THAT(stats, HasSubstr("\"writes\": {\n    \"requests\": 1,\n    \"bytes\": 8192,"));
  EXPECT_THAT(stats, HasSubstr("\"flushes\": {\n    \"requests\": 1,"));
  EXPECT_THAT(stats, HasSubstr("\"disk_opens\": 1"));
}

}  // namespace
}  // namespace rnullfs
