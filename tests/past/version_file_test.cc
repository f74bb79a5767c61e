// The file of a past: numbers and their memory, and what another process finds.

#include "past/version_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "past_util.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

class VersionFileTest : public testing::Test {
 protected:
  Version Keep(uint64_t page, char letter, uint64_t until) {
    const std::string contents(kPage, letter);
    Version version = kNoVersion;
    EXPECT_EQ(file_->Keep(page, letter == '.' ? nullptr : contents.data(), until, version), 0);
    return version;
  }
  std::string Of(Version version) {
    return file_->IsHole(version) ? "." : std::string(file_->Contents(version), 1);
  }
  UniqueFd Memfd() { return UniqueFd(fcntl(file_->fd(), F_DUPFD_CLOEXEC, 3)); }
  void BeKilled() {
    UniqueFd memfd = Memfd();
    file_.reset();
    file_ = *VersionFile::Adopt(memory_, MemfdKeeper::None(), std::move(memfd));
  }

  MemoryLimit memory_;
  std::unique_ptr<VersionFile> file_ = *VersionFile::Create("past", memory_, MemfdKeeper::None());
};

TEST_F(VersionFileTest, HasWhatIsKept) {
  const Version data = Keep(7, 'x', 3);
  const Version hole = Keep(UINT64_MAX >> 13, '.', 4);
  for (int i = 0; i < 2; ++i, BeKilled()) {
    EXPECT_EQ(file_->PageOf(data), 7);
    EXPECT_EQ(file_->UntilOf(data), 3);
    EXPECT_EQ(Of(data), "x");
    EXPECT_EQ(file_->PageOf(hole), UINT64_MAX >> 13);
    EXPECT_TRUE(file_->IsHole(hole));
    std::set<Version> all;
    file_->ForEach([&](Version version) { all.insert(version); });
    EXPECT_EQ(all, (std::set<Version>{data, hole}));
    char part[3] = {};
    EXPECT_EQ(file_->CopyOut(data, kPage - 2, 2, part), 0);
    EXPECT_STREQ(part, "xx");
  }
}

TEST_F(VersionFileTest, UsesNumbersAgain) {
  for (int round = 0; round < 4; ++round) {
    std::set<Version> numbers;
    for (uint64_t i = 0; i < 3000; ++i) numbers.insert(Keep(i, i % 2 == 0 ? 'x' : '.', i + 1));
    EXPECT_EQ(numbers.size(), 3000);
    // Those that keep their memory are not for holes.
    EXPECT_LE(file_->header().records, 3000 + 1024 + 256);
    for (const Version version : numbers) file_->Free(version);
    if (round % 2 == 1) BeKilled();
  }
}

TEST_F(VersionFileTest, GivesMemoryBack) {
  const uint64_t before = memory_.used_bytes();
  std::set<Version> kept;
  for (uint64_t i = 0; i < 4096; ++i) kept.insert(Keep(i, 'x', 1));
  const uint64_t fixed = memory_.used_bytes() - before - 4096 * kPage;
  EXPECT_LE(fixed, 4096 * 32);
  for (const Version version : kept) file_->Free(version);
  EXPECT_EQ(memory_.used_bytes(), before + fixed + 1024 * kPage) << "a few keep theirs";
  EXPECT_TRUE(file_->GiveBackFree());
  EXPECT_EQ(memory_.used_bytes(), before + fixed);
  EXPECT_FALSE(file_->GiveBackFree());
  EXPECT_EQ(file_->AllocatedBytes(), memory_.used_bytes());
}

// As who dies before the record leaves it.
TEST_F(VersionFileTest, ContentsWithoutARecordAreFreed) {
  const Version version = Keep(0, 'x', 1);
  Keep(1, 'y', 1);
  const uint64_t used = memory_.used_bytes();
  file_->Free(version);
  EXPECT_EQ(memory_.used_bytes(), used);
  BeKilled();
  EXPECT_EQ(memory_.used_bytes(), used - kPage);
  file_->ForEach([&](Version left) { EXPECT_NE(left, version); });
}

TEST_F(VersionFileTest, AHoleTakesANumberWithMemoryWhereThereIsNoOther) {
  MemoryLimit memory(3 * kPage + 256 * kPage);
  const auto file = *VersionFile::Create("past", memory, MemfdKeeper::None());
  const std::string contents(kPage, 'x');
  Version version = kNoVersion;
  for (int i = 0; i < 256; ++i) ASSERT_EQ(file->Keep(i, contents.data(), 1, version), 0);
  EXPECT_EQ(file->Keep(256, contents.data(), 1, version), ENOSPC);
  EXPECT_EQ(file->Keep(256, nullptr, 1, version), ENOSPC) << "nor for its record";
  file->Free(0);
  EXPECT_EQ(file->Keep(256, nullptr, 1, version), 0);
  EXPECT_EQ(version, 0);
  EXPECT_TRUE(file->IsHole(0));
  EXPECT_EQ(memory.used_bytes(), 3 * kPage + 255 * kPage);
}

TEST_F(VersionFileTest, IsNothingElse) {
  for (uint64_t* const field : {&file_->header().magic, &file_->header().format}) {
    ++*field;
    EXPECT_EQ(ErrnoOf(VersionFile::Adopt(memory_, MemfdKeeper::None(), Memfd()).status()), EINVAL);
    --*field;
  }
  EXPECT_TRUE(VersionFile::Adopt(memory_, MemfdKeeper::None(), Memfd()).ok());
}

TEST_F(VersionFileTest, WithoutMemoryThereIsNone) {
  MemoryLimit none(0);
  EXPECT_EQ(ErrnoOf(VersionFile::Create("past", none, MemfdKeeper::None()).status()), ENOSPC);
  EXPECT_EQ(none.used_bytes(), 0);
}

}  // namespace
}  // namespace rnullfs
