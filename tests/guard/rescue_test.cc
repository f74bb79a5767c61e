#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "base/memfd_name.h"
#include "guard/commands.h"
#include "rnullfs/error.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {
namespace {

namespace fs = std::filesystem;

class RescueTest : public testing::Test {
 protected:
  RescueTest() {
    std::string name = (fs::temp_directory_path() / "rescue.XXXXXX").string();
    directory_ = mkdtemp(name.data());
  }
  ~RescueTest() override { fs::remove_all(directory_); }

  static UniqueFd Disk(uint64_t id, const std::string& name, off_t at, const std::string& data) {
    UniqueFd disk(memfd_create(DiskMemfdName(id, name).c_str(), MFD_CLOEXEC));
    EXPECT_EQ(ftruncate(disk.get(), 64 << 20), 0);
    EXPECT_EQ(pwrite(disk.get(), data.data(), data.size(), at), static_cast<ssize_t>(data.size()));
    return disk;
  }

  std::string ImageAt(const std::string& name, off_t at, size_t length) const {
    std::ifstream file(directory_ / name, std::ios::binary);
    std::string data(length, '?');
    file.seekg(at).read(data.data(), static_cast<std::streamsize>(length));
    return data;
  }

  fs::path directory_;
};

TEST_F(RescueTest, CopiesEveryDiskSparsely) {
  const UniqueFd one = Disk(1, "one", 5 << 20, "data");
  const UniqueFd two = Disk(2, "two", 0, std::string(3 << 20, 'x'));
  ASSERT_TRUE(Rescue(getpid(), directory_).ok());
  EXPECT_EQ(ImageAt("one.img", (5 << 20) - 1, 6), std::string("\0data\0", 6));
  EXPECT_EQ(ImageAt("two.img", (3 << 20) - 1, 2), std::string("x\0", 2));
  struct stat status = {};
  ASSERT_EQ(stat((directory_ / "one.img").c_str(), &status), 0);
  EXPECT_EQ(status.st_size, 64 << 20);
  EXPECT_LT(status.st_blocks * 512, 1 << 20);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(RescueTest, OverwritesNothing) {
  const UniqueFd one = Disk(1, "one", 0, "data");
  std::ofstream(directory_ / "one.img") << "mine";
  EXPECT_EQ(ErrnoOf(Rescue(getpid(), directory_)), EEXIST);
  EXPECT_EQ(ImageAt("one.img", 0, 4), "mine");
}

// A second try, after a full file system, say.
TEST_F(RescueTest, TriesEveryDisk) {
  const UniqueFd one = Disk(1, "one", 0, "first");
  const UniqueFd two = Disk(2, "two", 0, "second");
  const UniqueFd three = Disk(3, "three", 0, "third");
  std::ofstream(directory_ / "one.img") << "mine";
  fs::create_directory(directory_ / "two.img.partial");  // cannot be made
  const absl::Status rescued = Rescue(getpid(), directory_);
  EXPECT_FALSE(rescued.ok());
  EXPECT_THAT(std::string(rescued.message()), testing::HasSubstr("2 of 3 disks are not rescued"));
  EXPECT_THAT(std::string(rescued.message()), testing::HasSubstr("one"));
  EXPECT_THAT(std::string(rescued.message()), testing::HasSubstr("two"));
  EXPECT_EQ(ImageAt("one.img", 0, 4), "mine");
  EXPECT_EQ(ImageAt("three.img", 0, 5), "third");
}

TEST_F(RescueTest, MakesTheDirectory) {
  const UniqueFd one = Disk(1, "one", 0, "data");
  ASSERT_TRUE(Rescue(getpid(), directory_ / "new").ok());
  EXPECT_EQ(ImageAt("new/one.img", 0, 4), "data");
  struct stat status = {};
  ASSERT_EQ(stat((directory_ / "new").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700U);
}

// A limit on the size of files stands for a file system that is full.
TEST_F(RescueTest, LeavesNoImageThatIsNotWhole) {
  const UniqueFd large = Disk(1, "large", 2 << 20, "data");
  UniqueFd small(memfd_create(DiskMemfdName(2, "small").c_str(), MFD_CLOEXEC));
  ASSERT_EQ(pwrite(small.get(), "data", 4, 0), 4);
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before = {};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit limit = {.rlim_cur = 1 << 20, .rlim_max = before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &limit);
  const absl::Status rescued = Rescue(getpid(), directory_);
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(ErrnoOf(rescued), EFBIG);
  EXPECT_EQ(ImageAt("small.img", 0, 4), "data");
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), {}), 1);
}

TEST_F(RescueTest, TakesBothPartsOfADiskThatWasBeingMoved) {
  const UniqueFd one = Disk(1, "one", 0, "first");
  const UniqueFd also_one = Disk(1, "one", 0, "second");
  ASSERT_TRUE(Rescue(getpid(), directory_).ok());
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), {}), 2);
}

// A past that says "clean" and "damaged", and of what a disk was one letter.
absl::StatusOr<std::vector<LeftReader::Snapshot>> FindToySnapshots(int past) {
  char letter = 0;
  if (pread(past, &letter, 1, 0) != 1) return Error(EINVAL, "no past");
  const auto put_back = [letter](int image) {
    return pwrite(image, &letter, 1, 0) == 1 ? absl::OkStatus() : SystemError(errno, "pwrite");
  };
  const auto fail = [](int /*image*/) { return Error(EIO, "damaged"); };
  return std::vector<LeftReader::Snapshot>{
      {.name = "clean", .serial = 1, .size_bytes = 8 << 20, .put_back = put_back},
      {.name = "damaged", .serial = 2, .size_bytes = 8 << 20, .put_back = fail}};
}

TEST_F(RescueTest, CopiesSnapshotsWhenAsked) {
  const UniqueFd one = Disk(1, "one", 0, "data");
  const UniqueFd large = Disk(1, "one", 32 << 20, "behind the snapshot's end");
  const UniqueFd two = Disk(2, "two", 0, "other");
  UniqueFd past(memfd_create(PastMemfdName(1, "one").c_str(), MFD_CLOEXEC));
  ASSERT_EQ(pwrite(past.get(), "D", 1, 0), 1);
  const LeftReader reader = {.snapshots = FindToySnapshots};
  const absl::Status rescued = Rescue(getpid(), directory_, reader, /*snapshots=*/true);
  EXPECT_EQ(ErrnoOf(rescued), EIO);
  EXPECT_THAT(std::string(rescued.message()),
              testing::HasSubstr("1 of 5 disks are not rescued: one@damaged"));
  EXPECT_EQ(ImageAt("one@clean.img", 0, 5), std::string("Data\0", 5));
  EXPECT_EQ(fs::file_size(directory_ / "one@clean.img"), 8U << 20);
  EXPECT_FALSE(fs::exists(directory_ / "one@damaged.img"));
  EXPECT_FALSE(fs::exists(directory_ / "one@damaged.img.partial"));
  EXPECT_EQ(ImageAt("two.img", 0, 5), "other");
  EXPECT_FALSE(fs::exists(directory_ / "two@clean.img"));
  fs::remove_all(directory_);
  ASSERT_TRUE(Rescue(getpid(), directory_).ok());
  EXPECT_FALSE(fs::exists(directory_ / "one@clean.img"));
}

// Disk 2 began as snapshot 1 of disk 1, which began as nothing; its first page is its own.
absl::StatusOr<std::map<uint64_t, OriginKey>> FindToyOrigins(int state) {
  char letter = 0;
  if (pread(state, &letter, 1, 0) != 1) return Error(EINVAL, "no state");
  return std::map<uint64_t, OriginKey>{{2, {.disk = 1, .snapshot = 1}}};
}

absl::StatusOr<std::vector<LeftReader::Run>> FindToyRuns(int /*marks*/, uint64_t /*shared_bytes*/) {
  return std::vector<LeftReader::Run>{{.begin = 0, .end = 4096}};
}

class RescueCloneTest : public RescueTest {
 protected:
  RescueCloneTest() {
    EXPECT_EQ(pwrite(past_.get(), "D", 1, 0), 1);
    EXPECT_EQ(pwrite(marks_.get(), "1", 1, 0), 1);
    EXPECT_EQ(pwrite(state_.get(), "S", 1, 0), 1);
    EXPECT_EQ(pwrite(clone_.get(), "of nobody yet", 13, 8192), 13);
  }

  static UniqueFd Memfd(const std::string& name) {
    return UniqueFd(memfd_create(name.c_str(), MFD_CLOEXEC));
  }

  const LeftReader reader_ = {
      .snapshots = FindToySnapshots, .origins = FindToyOrigins, .own = FindToyRuns};
  UniqueFd base_ = Disk(1, "base", 4096, "the origin's");
  UniqueFd past_ = Memfd(PastMemfdName(1, "base"));
  UniqueFd clone_ = Disk(2, "clone", 10, "the clone's");
  UniqueFd marks_ = Memfd(MarksMemfdName(2, "clone"));
  UniqueFd state_ = Memfd(std::string(kStateMemfdName));
};

TEST_F(RescueCloneTest, IsComposed) {
  ASSERT_TRUE(Rescue(getpid(), directory_, reader_).ok());
  EXPECT_EQ(ImageAt("clone.img", 10, 12), std::string("the clone's\0", 12));
  EXPECT_EQ(ImageAt("clone.img", 0, 1), std::string(1, '\0'));  // not the snapshot's
  EXPECT_EQ(ImageAt("clone.img", 4096, 12), "the origin's");
  EXPECT_EQ(ImageAt("clone.img", 8192, 1), std::string(1, '\0'));  // has no mark
  EXPECT_EQ(fs::file_size(directory_ / "clone.img"), 64U << 20);
}

void ExpectOnlyItsOwn(const absl::Status& rescued, const fs::path& directory) {
  EXPECT_FALSE(rescued.ok());
  EXPECT_THAT(std::string(rescued.message()),
              testing::HasSubstr("1 of 2 disks are not rescued: clone"));
  EXPECT_FALSE(fs::exists(directory / "clone.img"));
  EXPECT_TRUE(fs::exists(directory / "clone.own.img"));
  EXPECT_TRUE(fs::exists(directory / "base.img"));
}

TEST_F(RescueCloneTest, IsNotWholeWithoutARecord) {
  state_.Reset();
  ExpectOnlyItsOwn(Rescue(getpid(), directory_, reader_), directory_);
  EXPECT_EQ(ImageAt("clone.own.img", 10, 11), "the clone's");
}

TEST_F(RescueCloneTest, IsNotWholeWithoutItsOrigin) {
  past_.Reset();
  ExpectOnlyItsOwn(Rescue(getpid(), directory_, reader_), directory_);
}

TEST_F(RescueCloneTest, IsNotWholeWithoutWhoKnowsHow) {
  ExpectOnlyItsOwn(Rescue(getpid(), directory_), directory_);
}

// As who dies within a first write leaves it, or lets go of what has come to stand alone.
TEST_F(RescueCloneTest, IsWholeWhereNothingHasAMark) {
  ASSERT_EQ(ftruncate(marks_.get(), 0), 0);
  ASSERT_TRUE(Rescue(getpid(), directory_, reader_).ok());
  EXPECT_EQ(ImageAt("clone.img", 4096, 12), "the origin's");
}

TEST_F(RescueTest, SaysWhenThereIsNothing) {
  const absl::Status none = Rescue(getpid(), directory_);
  EXPECT_EQ(ErrnoOf(none), ENOENT);
  EXPECT_THAT(std::string(none.message()), testing::HasSubstr("holds no disks"));
  EXPECT_EQ(ErrnoOf(Rescue(999'999'999, directory_)), ENOENT);
}

}  // namespace
}  // namespace rnullfs
