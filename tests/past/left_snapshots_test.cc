#include "past/left_snapshots.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "from_environment.h"
#include "past/past.h"
#include "past/snapshots.h"
#include "past_util.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

constexpr uint64_t kSize = 40 * kPage;

class LeftSnapshotsTest : public testing::Test {
 protected:
  static UniqueFd NewFile(uint64_t size_bytes) {
    UniqueFd file(memfd_create("image", MFD_CLOEXEC));
    EXPECT_EQ(ftruncate(file.get(), static_cast<off_t>(size_bytes)), 0);
    return file;
  }

  // As whoever rescues has it.
  UniqueFd ReadOnly() const {
    const std::string path = absl::StrCat("/proc/self/fd/", past_->file().fd());
    return UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  }

  std::vector<LeftSnapshot> Find() const {
    absl::StatusOr<std::vector<LeftSnapshot>> found = FindLeftSnapshots(ReadOnly().get());
    EXPECT_TRUE(found.ok());
    return found.ok() ? *std::move(found) : std::vector<LeftSnapshot>();
  }

  UniqueFd ImageOf(const LeftSnapshot& snapshot) const {
    UniqueFd image = NewFile(snapshot.size_bytes);
    for (uint64_t at = past_->NextData(0); at < kSize; at = past_->NextData(at + kPage)) {
      const std::string page = Read(*past_, at, kPage);
      EXPECT_EQ(pwrite(image.get(), page.data(), kPage, static_cast<off_t>(at)), kPage);
    }
    EXPECT_TRUE(PutBackVersions(ReadOnly().get(), snapshot, image.get()).ok());
    return image;
  }

  static std::string Contents(const UniqueFd& image, uint64_t size_bytes) {
    std::string bytes(size_bytes, '?');
    EXPECT_EQ(pread(image.get(), bytes.data(), size_bytes, 0), static_cast<ssize_t>(size_bytes));
    return bytes;
  }

  int Fill(uint64_t page, uint64_t pages, char with) {
    const std::string data(pages * kPage, with);
    return past_->Write(page * kPage, data.size(), data.data());
  }

  void ExpectAllRight() {
    const std::vector<LeftSnapshot> found = Find();
    EXPECT_EQ(found.size(), snapshots_->count());
    for (const LeftSnapshot& left : found) {
      const std::optional<Snapshot> snapshot = snapshots_->Find(left.name);
      ASSERT_TRUE(snapshot.has_value());
      ASSERT_EQ(left.moment, snapshot->moment);
      const std::unique_ptr<View> view = past_->ViewAt(snapshot->moment, kSize, /*held=*/true);
      ASSERT_EQ(Contents(ImageOf(left), kSize), Read(*view, 0, kSize)) << left.name;
    }
  }

  const std::unique_ptr<PageStore> store_ = NewStore(kSize);
  const std::unique_ptr<Past> past_ =
      *Past::Create("past", test_memory, MemfdKeeper::None(), *store_);
  const std::unique_ptr<Snapshots> snapshots_ = std::make_unique<Snapshots>(*past_);
};

TEST_F(LeftSnapshotsTest, AreAsTheViews) {
  const uint64_t seed = FromEnvironment("RNULLFS_TEST_SEED", std::random_device()());
  std::printf("RNULLFS_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  for (int step = 0; step < 400; ++step) {
    const uint64_t page = random() % 38;
    const uint64_t pages = 1 + random() % (40 - page);
    switch (random() % 8) {
      case 0:
        EXPECT_TRUE(snapshots_->Take(absl::StrCat("s", step), 0, 0).ok());
        break;
      case 1:
        if (const auto some = snapshots_->Next(random() % 8)) {
          EXPECT_TRUE(snapshots_->Remove(some->number).ok());
        }
        break;
      case 2:
        if (const auto some = snapshots_->Next(random() % 8)) {
          EXPECT_TRUE(snapshots_->Rename(some->number, absl::StrCat("r", step)).ok());
        }
        break;
      case 3:
        past_->SetHistory(random() % 2 * 8 * kPage);
        break;
      case 4:
        EXPECT_EQ(past_->Discard(page * kPage, pages * kPage), 0);
        break;
      default:
        EXPECT_EQ(Fill(page, pages, static_cast<char>(random() % 4)), 0);
    }
    if (step % 20 == 0) ExpectAllRight();
    if (HasFatalFailure()) return;
  }
}

TEST_F(LeftSnapshotsTest, AreSparse) {
  ASSERT_EQ(Fill(3, 1, 'x'), 0);
  ASSERT_TRUE(snapshots_->Take("little", 0, 0).ok());
  ASSERT_EQ(Fill(0, 40, 'y'), 0);
  const UniqueFd image = ImageOf(Find().at(0));
  struct stat status = {};
  ASSERT_EQ(fstat(image.get(), &status), 0);
  EXPECT_EQ(status.st_blocks * 512, static_cast<blkcnt_t>(kPage));
}

// As who dies before a version counts, or a snapshot, leaves them.
TEST_F(LeftSnapshotsTest, WhatDoesNotCountIsNotThere) {
  ASSERT_EQ(Fill(0, 1, 'a'), 0);
  ASSERT_TRUE(snapshots_->Take("whole", 0, 0).ok());
  ASSERT_EQ(Fill(0, 1, 'b'), 0);
  Version version = 0;
  const std::string other(kPage, 'c');
  ASSERT_EQ(past_->file().Keep(0, other.data(), 1, version), 0);
  past_->file().Free(version);
  VersionFile::SnapshotEntry* const entry = past_->file().MakeSnapshot(7);
  entry->SetName("begun");
  const std::vector<LeftSnapshot> found = Find();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(Contents(ImageOf(found[0]), kPage), std::string(kPage, 'a'));
}

// Whose process may be anybody's.
TEST_F(LeftSnapshotsTest, BelievesNoName) {
  for (const char* const name : {"../up", "a/b", "", "x"}) {
    VersionFile::SnapshotEntry* const entry = past_->file().MakeSnapshot(0);
    entry->SetName(name);
    entry->serial = 1;
    EXPECT_EQ(Find().at(0).name, name == std::string("x") ? "x" : "") << name;
  }
  past_->file().MakeSnapshot(0)->name = 7U << 16 | 3;
  EXPECT_EQ(Find().at(0).name, "");
  past_->file().MakeSnapshot(0)->name = 300;
  EXPECT_EQ(Find().at(0).name, "");
}

TEST_F(LeftSnapshotsTest, RefusesWhatIsNoPast) {
  for (const uint64_t size_bytes : {uint64_t{0}, uint64_t{1} << 20}) {
    EXPECT_EQ(ErrnoOf(FindLeftSnapshots(NewFile(size_bytes).get()).status()), EINVAL);
  }
}

}  // namespace
}  // namespace rnullfs
