// The data path: what reads, writes and their like of `disk` answer.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/falloc.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
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

// Opened or not, by number or by name: what lies behind the new length is zero, the length stays.
TEST_F(DiskTest, TruncatingEmptiesWhatLiesBehind) {
  for (const bool open : {true, false}) {
    WriteDisk(0, std::string(16384, 'x'));
    fuse_setattr_in cut = {};
    cut.valid = FATTR_SIZE | (open ? FATTR_FH : 0);
    cut.fh = disk_.handle;
    cut.size = 5000;
    EXPECT_EQ(kernel_.SetAttr(disk_.node, cut).error, 0);
    EXPECT_EQ(ReadDisk(0, 16384), std::string(5000, 'x') + Zeros(11384));
    EXPECT_EQ(StoredBlocks(), 16U);
    EXPECT_EQ(kernel_.GetAttr(disk_.node).As<fuse_attr_out>().attr.size, 2 * kMiB);
  }
}

// The kernel drops its page cache when it is told of a length that it did not know.
TEST_F(DiskTest, TruncatingSaysAnotherLengthEachTime) {
  fuse_setattr_in cut = {};
  cut.valid = FATTR_SIZE;
  uint64_t known = 2 * kMiB;
  for (int i = 0; i < 3; ++i) {
    const auto reply = kernel_.SetAttr(disk_.node, cut).As<fuse_attr_out>();
    EXPECT_GE(reply.attr.size, 2 * kMiB);
    EXPECT_EQ(reply.attr.size >> 9, 2 * kMiB >> 9) << "what a loop device makes of it";
    EXPECT_NE(reply.attr.size, known);
    EXPECT_EQ(reply.attr_valid, 0U);
    EXPECT_EQ(reply.attr_valid_nsec, 0U);
    known = reply.attr.size;
  }
}

TEST_F(DiskTest, ATruncationHoldsTheDiskUntilItIsAnswered) {
  const uint64_t slow = kernel_.MakeDevice(
      "slow", R"({"size": 2, "irqmode": 2, "completion_nsec": 300000000, "power": true})");
  fuse_setattr_in cut = {};
  cut.valid = FATTR_SIZE | FATTR_MODE;
  cut.mode = S_IFREG | 0640;
  const uint64_t disk = kernel_.Find(slow, "disk");
  auto answer = std::async(std::launch::async, [&] { return kernel_.SetAttr(disk, cut); });
  while (kernel_.ReadFile(slow, "stats.json").find("\"disk_opens\": 1") == std::string::npos &&
         answer.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) {
  }
  const int off = kernel_.WriteFile(slow, "power", "0");
  const FuseReply reply = answer.get();
  EXPECT_TRUE(off == EBUSY || off == 0) << off;  // 0: it waited for the answer
  EXPECT_EQ(reply.error, 0);
  EXPECT_EQ(reply.As<fuse_attr_out>().attr.mode, S_IFREG | 0640U);
  EXPECT_EQ(kernel_.WriteFile(slow, "power", "0"), 0);
  EXPECT_EQ(kernel_.SetAttr(disk, cut).error, ENOENT);
}

TEST_F(DiskTest, WhoPunchesADiskThatTakesNoDiscards) {
  const uint64_t plain =
      kernel_.MakeDevice("plain", R"({"size": 2, "memory_backed": true, "power": true})");
  const OpenFile disk = kernel_.OpenOf(plain, "disk", O_RDWR);
  EXPECT_EQ(kernel_.Write(disk, 0, "data").error, 0);
  EXPECT_EQ(kernel_.Allocate(disk, 3, 0, 4096).error, EOPNOTSUPP);
  EXPECT_EQ(kernel_.Read(disk, 0, 4).data, "data");
  kernel_.CallAs(0);  // the loop driver, seen from another PID namespace
  EXPECT_EQ(kernel_.Allocate(disk, 3, 0, 4096).error, 0);
  kernel_.CallAs(getpid());
  EXPECT_EQ(kernel_.Read(disk, 0, 4).data, Zeros(4));
  EXPECT_THAT(kernel_.ReadFile(plain, "stats.json"),
              HasSubstr("\"write_zeroes\": {\n    \"requests\": 1,"));
  kernel_.Close(disk);
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
