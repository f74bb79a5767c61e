// Disks that begin as a log of writes: what they are then, who holds what, and what is left where
// it fails.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "disk_util.h"
#include "past/written_log.h"
#include "records/state_records.h"
#include "rnullfs/disk_host.h"
#include "rnullfs/error.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class LogOriginTest : public testing::Test {
 protected:
  // Page 0 is a, then b; a flush between, and a mark behind.
  void SetUp() override {
    ASSERT_TRUE(
        source_.WriteJson(R"({"size": 3, "memory_backed": true, "history": 4, "power": true})")
            .ok());
    Write(source_, 0, 'a');
    ASSERT_EQ(source_.Do({.op = Op::kFlush}), 0);
    Write(source_, 0, 'b');
    Write(source_, 300, 'c');
    ASSERT_TRUE(source_.past().SetMark("end", 0).ok());
    const std::string log = LogOf(source_);
    file_ = UniqueFd(mkstemp(path_.data()));
    ASSERT_EQ(pwrite(file_.get(), log.data(), log.size(), 0), static_cast<ssize_t>(log.size()));
  }
  void TearDown() override { unlink(path_.c_str()); }

  Disk::Services Services() {
    Disk::Services services = host_.services();
    return {.device = services.device,
            .memory = services.memory,
            .keeper = keeper_,
            .indexes = services.indexes};
  }

  static std::string LogOf(Disk& disk) {
    const auto view = *disk.past().OpenLog(LogKind::kWrites, /*finds_fua=*/false, "d", "a test");
    std::string bytes(view->size_bytes(), '\0');
    EXPECT_EQ(view->CopyOut(0, bytes.size(), bytes.data()), 0);
    return bytes;
  }
  std::string Config(std::string_view more = "") const {
    return absl::StrCat(R"({"origin": ")", path_, R"(", )", std::string(more), R"("power": true})");
  }
  void ExpectGoneThrough(Disk& disk) {
    EXPECT_EQ(LogOf(disk), LogOf(source_));
    EXPECT_EQ(Read(disk, 0), 'b');
    EXPECT_EQ(Read(disk, 300), 'c');
    EXPECT_TRUE(disk.past().FindMark("end").has_value());
  }

  std::string path_ = testing::TempDir() + "/log_origin_XXXXXX";
  UniqueFd file_;
  CountingKeeper keeper_;
  DiskHost host_;
  Disk source_{1, "source", host_.services()};
  Disk e_{2, "e", Services()};
};

TEST_F(LogOriginTest, ADiskGoesThroughItWhenItIsSwitchedOnForTheFirstTime) {
  ASSERT_TRUE(e_.Write("origin", path_).ok()) << e_.last_error();
  EXPECT_EQ(e_.settings().config.size, 2U);
  EXPECT_EQ(e_.settings().config.blocksize, 512U);
  EXPECT_EQ(e_.settings().config.history, 1U);
  EXPECT_EQ(keeper_.kept, 2) << "nothing, and the log";
  ASSERT_TRUE(e_.Write("power", "1").ok()) << e_.last_error();
  ExpectGoneThrough(e_);
  EXPECT_EQ(keeper_.kept, 4) << "not the log, but the store, the marks and the past";
  EXPECT_EQ(e_.settings().origin, path_);
  Write(e_, 1, 'x');
  ASSERT_TRUE(e_.Write("power", "0").ok());
  ASSERT_TRUE(e_.Write("power", "1").ok());
  EXPECT_EQ(Read(e_, 1), 'x') << "and not again";
}

TEST_F(LogOriginTest, ItsMomentsAreThere) {
  ASSERT_TRUE(e_.WriteJson(Config()).ok()) << e_.last_error();
  const auto first = *e_.past().OpenAt(1);
  char letter = 0;
  EXPECT_EQ(first->CopyOut(0, 1, &letter), 0);
  EXPECT_EQ(letter, 'a');
  ASSERT_TRUE(e_.past().RollBack("1").ok());
  EXPECT_EQ(Read(e_, 0), 'a');
  EXPECT_EQ(Read(e_, 300), '\0');
}

TEST_F(LogOriginTest, NothingIsReadFromItAfterwards) {
  ASSERT_TRUE(e_.WriteJson(Config()).ok()) << e_.last_error();
  ASSERT_EQ(ftruncate(file_.get(), 0), 0);
  EXPECT_EQ(Read(e_, 7), '\0');
  EXPECT_EQ(e_.last_error(), "");
}

TEST_F(LogOriginTest, WhatIsSaidOfTheDiskCounts) {
  ASSERT_TRUE(e_.WriteJson(Config(R"("size": 5, "blocksize": 4096, "history": 9, )")).ok());
  EXPECT_EQ(e_.settings().config.size, 5U);
  EXPECT_EQ(e_.settings().config.blocksize, 4096U);
  EXPECT_EQ(e_.settings().config.history, 9U);
  ExpectGoneThrough(e_);
}

TEST_F(LogOriginTest, ItTakesHistory) {
  ASSERT_TRUE(e_.Write("origin", path_).ok());
  ASSERT_TRUE(e_.Write("history", "0").ok());
  EXPECT_EQ(ErrnoOf(e_.Write("power", "1")), EINVAL);
  EXPECT_THAT(e_.last_error(), HasSubstr("write how many MiB of it are to be kept to history"));
  EXPECT_EQ(e_.store(), nullptr);
  ASSERT_TRUE(e_.Write("history", "1").ok());
  ASSERT_TRUE(e_.Write("power", "1").ok());
  ExpectGoneThrough(e_);
}

TEST_F(LogOriginTest, ADiskThatIsTooSmallStaysOff) {
  EXPECT_EQ(ErrnoOf(e_.WriteJson(Config(R"("size": 1, )"))), EINVAL);
  EXPECT_THAT(e_.last_error(), HasSubstr("write more MiB to size"));
  EXPECT_EQ(e_.store(), nullptr);
  EXPECT_EQ(keeper_.kept, 0);
  EXPECT_EQ(e_.memory_used(), 0U);
  ASSERT_TRUE(e_.WriteJson(Config()).ok());
  ExpectGoneThrough(e_);
}

TEST_F(LogOriginTest, OneThatChangesBeforeIsNotGoneThrough) {
  ASSERT_TRUE(e_.Write("origin", path_).ok());
  ASSERT_EQ(pwrite(file_.get(), "changed", 7, 600), 7);
  EXPECT_EQ(ErrnoOf(e_.Write("power", "1")), EIO);
  EXPECT_THAT(e_.last_error(), HasSubstr("is not what it was when it was written to origin"));
  EXPECT_EQ(e_.store(), nullptr);
  EXPECT_EQ(e_.memory_used(), 0U);
}

TEST_F(LogOriginTest, TheHistoryOfOneIsNotThatOfTheNext) {
  ASSERT_TRUE(e_.Write("origin", path_).ok());
  ASSERT_EQ(e_.settings().config.history, 1U);
  const std::string image = path_ + ".image";
  const UniqueFd file(open(image.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(ftruncate(file.get(), kMiB), 0);
  EXPECT_TRUE(e_.Write("origin", image).ok());
  EXPECT_EQ(e_.settings().config.history, 0U);
  ASSERT_TRUE(e_.Write("history", "7").ok());
  EXPECT_TRUE(e_.Write("origin", path_).ok());
  EXPECT_EQ(e_.settings().config.history, 7U);
  unlink(image.c_str());
}

TEST_F(LogOriginTest, ItCanBeGivenUp) {
  ASSERT_TRUE(e_.Write("origin", path_).ok());
  ASSERT_TRUE(e_.Write("origin", "").ok());
  EXPECT_EQ(keeper_.kept, 0);
  ASSERT_TRUE(e_.Write("power", "1").ok());
  EXPECT_EQ(Read(e_, 0), '\0');
}

TEST_F(LogOriginTest, WhatCannotBeKeptIsNotTaken) {
  for (keeper_.most = 0; keeper_.most < 5; ++keeper_.most) {
    EXPECT_EQ(ErrnoOf(e_.WriteJson(Config())), EMFILE) << keeper_.most;
    EXPECT_EQ(keeper_.kept, 0) << keeper_.most;
    EXPECT_EQ(e_.memory_used(), 0U);
    EXPECT_EQ(e_.store(), nullptr);
  }
  ASSERT_TRUE(e_.WriteJson(Config()).ok()) << e_.last_error();
  ExpectGoneThrough(e_);
}

// Who takes over has to have it, until then.
TEST_F(LogOriginTest, IsSavedUntilItIsGoneThrough) {
  ASSERT_TRUE(e_.Write("origin", path_).ok());
  DeviceRecord record;
  e_.Save(record);
  EXPECT_TRUE(record.log.any());
  Disk next(2, "e", Services());
  EXPECT_EQ(ErrnoOf(next.Restore(record, {}, std::nullopt)), EINVAL);
  ASSERT_TRUE(e_.Write("power", "1").ok());
  DeviceRecord on;
  e_.Save(on);
  EXPECT_FALSE(on.log.any());
  EXPECT_TRUE(on.origin.any());
}

TEST_F(LogOriginTest, ItsDataHaveToFit) {
  ASSERT_TRUE(e_.Write("origin", path_).ok());
  host_.memory().SetLimit(host_.memory().used_bytes() + 3 * kPage);
  EXPECT_EQ(ErrnoOf(e_.Write("power", "1")), ENOSPC);
  EXPECT_THAT(e_.last_error(), Not(IsEmpty()));
  EXPECT_EQ(e_.store(), nullptr);
  EXPECT_EQ(e_.memory_used(), 0U);
  host_.memory().SetLimit(MemoryLimit::kNone);
  ASSERT_TRUE(e_.Write("power", "1").ok()) << e_.last_error();
  ExpectGoneThrough(e_);
}

}  // namespace
}  // namespace rnullfs
