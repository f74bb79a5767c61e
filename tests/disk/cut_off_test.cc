// A size that is smaller: what it cuts off is kept for snapshots, or nothing has changed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "disk_util.h"
#include "rnullfs/disk_host.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

using testing::HasSubstr;

// A disk with an 'a' in each of 16 pages behind the first MiB, and a snapshot of them that has to
// keep what a smaller size cuts off.
class CutOffTest : public testing::Test {
 protected:
  static constexpr int kPages = 16;

  absl::Status Resize(const std::string& mib) {
    return disk_.WriteJson(R"({"size": )" + mib + R"(, "power": true})");
  }
  std::string Contents(View& view) {
    std::string bytes(kPages * kPage, '\0');
    EXPECT_EQ(view.CopyOut(kMiB, bytes.size(), bytes.data()), 0);
    return bytes;
  }
  // Behind what the disk has itself, and the past's header, snapshots, records and links.
  void Begin(uint64_t pages_left) {
    host_.memory().SetLimit(MemoryLimit::kNone);
    ASSERT_TRUE(
        disk_.WriteJson(R"({"memory_backed": true, "discard": true, "size": 2, "power": true})")
            .ok());
    const std::string bytes(kPages * kPage, 'a');
    ASSERT_EQ(
        disk_.Do({.op = Op::kWrite, .offset = kMiB, .length = bytes.size(), .data = bytes.data()}),
        0);
    snapshot_ = (*disk_.past().Take("whole", 0)).number;
    ASSERT_EQ(disk_.Do({.op = Op::kWrite, .length = kPage, .data = bytes.data()}), 0);
    host_.memory().SetLimit(host_.memory().used_bytes() + pages_left * kPage);
    ASSERT_TRUE(disk_.Write("power", "0").ok());
  }

  DiskHost host_;
  Disk disk_{1, "disk", host_.services()};
  uint32_t snapshot_ = 0;
};

TEST_F(CutOffTest, WithoutMemoryForAllOfItNothingIs) {
  Begin(/*pages_left=*/kPages - 1);
  const absl::Status refused = Resize("1");
  EXPECT_EQ(ErrnoOf(refused), ENOSPC);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("size"));
  ASSERT_TRUE(Resize("2").ok());
  EXPECT_EQ(Contents(*disk_.store()), std::string(kPages * kPage, 'a'));
  EXPECT_EQ(Contents(**disk_.past().Open(snapshot_, "x")), std::string(kPages * kPage, 'a'));
}

TEST_F(CutOffTest, IsKeptForTheSnapshot) {
  Begin(/*pages_left=*/kPages + 2);
  ASSERT_TRUE(Resize("1").ok());
  ASSERT_TRUE(disk_.Write("power", "0").ok());
  EXPECT_EQ(Contents(**disk_.past().Open(snapshot_, "x")), std::string(kPages * kPage, 'a'));
  ASSERT_TRUE(Resize("2").ok());
  EXPECT_EQ(Contents(*disk_.store()), std::string(kPages * kPage, '\0'));
}

TEST_F(CutOffTest, ThatNobodyKeepsNeedsNoMemory) {
  Begin(/*pages_left=*/0);
  ASSERT_TRUE(disk_.past().Remove(snapshot_).ok());
  ASSERT_TRUE(Resize("2").ok());
  ASSERT_TRUE(disk_.past().Take("later", 0).ok());
  host_.memory().SetLimit(MemoryLimit::kNone);
  ASSERT_EQ(disk_.Do({.op = Op::kDiscard, .offset = kMiB, .length = kPages * kPage}), 0);
  ASSERT_TRUE(disk_.past().Remove((*disk_.past().Take("now", 0)).number).ok());
  ASSERT_TRUE(disk_.Write("power", "0").ok());
  host_.memory().SetLimit(host_.memory().used_bytes());
  EXPECT_TRUE(Resize("1").ok()) << disk_.last_error();
}

TEST_F(CutOffTest, WithoutDescriptorsForAHistoryNothingIs) {
  Begin(/*pages_left=*/0);
  ASSERT_TRUE(disk_.past().Remove(snapshot_).ok());
  host_.memory().SetLimit(host_.memory().used_bytes());  // as EMFILE would have it
  EXPECT_EQ(ErrnoOf(disk_.WriteJson(R"({"size": 1, "history": 1, "power": true})")), ENOSPC);
  EXPECT_EQ(Contents(*disk_.store()), std::string(kPages * kPage, 'a'));
}

}  // namespace
}  // namespace rnullfs
