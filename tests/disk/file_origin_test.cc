// Disks that begin as a raw image of the machine: who holds it, and what becomes of one that
// changes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "disk_util.h"
#include "rnullfs/disk_host.h"
#include "rnullfs/error.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {
namespace {

using testing::HasSubstr;

class FileOriginTest : public testing::Test {
 protected:
  void SetUp() override {
    file_ = UniqueFd(mkstemp(path_.data()));
    ASSERT_TRUE(file_.valid());
    ASSERT_EQ(pwrite(file_.get(), "image", 5, kMiB + 3), 5);  // two MiB, the last in part
  }
  void TearDown() override { unlink(path_.c_str()); }

  Disk::Services Services() {
    Disk::Services services = host_.services();
    return {.device = services.device,
            .memory = services.memory,
            .keeper = keeper_,
            .indexes = services.indexes};
  }

  std::string path_ = testing::TempDir() + "/origin_XXXXXX";
  UniqueFd file_;
  CountingKeeper keeper_;
  DiskHost host_;
  Disk e_{2, "e", Services()};
};

TEST_F(FileOriginTest, ADiskBeginsAsAnImage) {
  ASSERT_TRUE(e_.Write("origin", path_).ok()) << e_.last_error();
  EXPECT_EQ(e_.settings().config.size, 2U);
  EXPECT_EQ(keeper_.kept, 1);
  ASSERT_TRUE(e_.Write("power", "1").ok());
  std::string sector(512, 'x');
  EXPECT_EQ(e_.Do({.op = Op::kRead, .offset = kMiB, .length = 512}, sector.data()), 0);
  EXPECT_EQ(sector.substr(0, 9), std::string("\0\0\0image\0", 9));
  EXPECT_EQ(keeper_.kept, 3) << "with the store and the marks";
  ASSERT_TRUE(e_.Write("origin", "").ok());
  EXPECT_EQ(keeper_.kept, 1);
}

TEST_F(FileOriginTest, WhatIsRefusedIsNotKept) {
  EXPECT_EQ(ErrnoOf(e_.Write("origin", "/dev/null")), EINVAL);
  EXPECT_EQ(ErrnoOf(e_.Write("origin", "/nothing")), ENOENT);
  EXPECT_EQ(ErrnoOf(e_.Write("origin", "disk")), ENOENT);
  EXPECT_THAT(e_.last_error(), HasSubstr("no other disks here"));
  EXPECT_EQ(keeper_.kept, 0);
  keeper_.most = 0;
  EXPECT_EQ(ErrnoOf(e_.Write("origin", path_)), EMFILE);
  EXPECT_EQ(e_.settings().origin, "");
  keeper_.most = 1;  // nor are there any for what the disk needs
  EXPECT_EQ(ErrnoOf(e_.WriteJson(absl::StrCat(R"({"origin": ")", path_, R"(", "power": 1})"))),
            EMFILE);
  EXPECT_EQ(keeper_.kept, 0);
  keeper_.most = 2;
  EXPECT_EQ(ErrnoOf(e_.WriteJson(absl::StrCat(R"({"origin": ")", path_, R"(", "power": 1})"))),
            EMFILE);
  EXPECT_EQ(keeper_.kept, 0);
  EXPECT_EQ(e_.store(), nullptr);
}

// What a cache had is lost, and so its pages are shared again; a snapshot has them still, and to go
// back to it takes memory for each.
TEST_F(FileOriginTest, ToGoBackFromWhatIsSharedTakesMemory) {
  constexpr uint64_t kPages = 8;
  const std::string image(kPages * kPage, 'i');
  ASSERT_EQ(pwrite(file_.get(), image.data(), image.size(), 0), static_cast<ssize_t>(image.size()));
  ASSERT_TRUE(
      e_.WriteJson(absl::StrCat(R"({"origin": ")", path_, R"(", "cache_size": 1, "power": 1})"))
          .ok())
      << e_.last_error();
  const std::string bytes(kPages * kPage, 'w');
  ASSERT_EQ(e_.Do({.op = Op::kWrite, .length = bytes.size(), .data = bytes.data()}), 0);
  ASSERT_TRUE(e_.past().Take("written", 0).ok());
  ASSERT_TRUE(e_.Write("power", "0").ok());
  ASSERT_TRUE(e_.Write("power", "1").ok());
  const auto now = [&] {
    std::string there(kPages * kPage, '\0');
    EXPECT_EQ(e_.Do({.op = Op::kRead, .length = there.size()}, there.data()), 0);
    return there;
  };
  EXPECT_EQ(now(), image);
  for (uint64_t more = 0; more < 2 * kPages; ++more) {
    SCOPED_TRACE(more);
    host_.memory().SetLimit(host_.memory().used_bytes() + more * kPage);
    const absl::Status back = e_.past().RollBack("written", 0);
    EXPECT_EQ(now(), back.ok() ? bytes : image);
    if (back.ok()) return;
    EXPECT_EQ(ErrnoOf(back), ENOSPC) << back.message();
  }
  FAIL() << "there is memory enough";
}

TEST_F(FileOriginTest, AnImageThatShrinksIsMissed) {
  ASSERT_TRUE(e_.WriteJson(absl::StrCat(R"({"origin": ")", path_, R"(", "power": 1})")).ok());
  Write(e_, 0, 'x');
  ASSERT_EQ(ftruncate(file_.get(), 5000), 0);
  char sector[512];
  EXPECT_EQ(e_.Do({.op = Op::kRead, .offset = kMiB, .length = 512}, sector), EIO);
  EXPECT_THAT(e_.last_error(), HasSubstr("is not what it was"));
  EXPECT_EQ(Read(e_, 0), 'x');
  EXPECT_EQ(ErrnoOf(e_.Write("origin", "")), EIO);
  EXPECT_EQ(e_.settings().origin, path_);
  ASSERT_TRUE(e_.Write("power", "0").ok());
  e_.Remove();
  EXPECT_EQ(keeper_.kept, 0);
}

}  // namespace
}  // namespace rnullfs
