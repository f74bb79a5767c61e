// Snapshots and history of a disk: what they want of it, and what becomes of them when it is
// switched off, grown, and removed.

#include "rnullfs/disk_past.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>

#include "disk_util.h"
#include "past/past.h"
#include "rnullfs/disk_host.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

using testing::HasSubstr;

class DiskPastTest : public testing::Test {
 protected:
  void On(const std::string& more = "") {
    const absl::Status status = disk_.WriteJson(
        R"({"memory_backed": true, "discard": true, "size": 4, "power": true)" + more + "}");
    ASSERT_TRUE(status.ok()) << status;
  }
  void Off() { ASSERT_TRUE(disk_.Write("power", "0").ok()); }
  void SetSize(int mib) {
    Off();
    ASSERT_TRUE(disk_.Write("size", std::to_string(mib)).ok());
    const absl::Status on = disk_.Write("power", "1");
    ASSERT_TRUE(on.ok()) << on;
  }
  void Write(uint64_t page, char letter, bool fua = false) {
    const std::string data(kPage, letter);
    ASSERT_EQ(disk_.Do({.op = Op::kWrite,
                        .offset = page * kPage,
                        .length = kPage,
                        .data = data.data(),
                        .fua = fua}),
              0);
  }
  char Read(uint64_t page) {
    char data[kPage];
    EXPECT_EQ(disk_.Do({.op = Op::kRead, .offset = page * kPage, .length = kPage}, data), 0);
    return data[kPage - 1];
  }
  static char Read(View& view, uint64_t page) {
    char data[kPage];
    EXPECT_EQ(view.CopyOut(page * kPage, kPage, data), 0);
    return data[kPage - 1];
  }
  Snapshot Take(const std::string& name) {
    absl::StatusOr<Snapshot> taken = past().Take(name, 0);
    EXPECT_TRUE(taken.ok()) << taken.status();
    return *taken;
  }
  std::shared_ptr<View> Open(const Snapshot& snapshot) {
    return *past().Open(snapshot.number, "test (pid 1)");
  }
  DiskPast& past() { return disk_.past(); }

  DiskHost host_;
  Disk disk_{1, "disk", host_.services()};
};

TEST_F(DiskPastTest, ADiskThatStoresNothingHasNoSnapshots) {
  const absl::Status refused = past().Take("a", 0).status();
  EXPECT_EQ(ErrnoOf(refused), EINVAL);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("set memory_backed to 1"));
  EXPECT_FALSE(past().remembers());
  EXPECT_FALSE(past().Find("a"));
  EXPECT_EQ(ErrnoOf(past().Open(0, "x").status()), ENOENT);
  EXPECT_EQ(ErrnoOf(past().Remove(0)), ENOENT);
  EXPECT_EQ(ErrnoOf(past().RollBack("a")), ENOENT);
}

TEST_F(DiskPastTest, ThereIsAPastWhileThereIsSomethingToRemember) {
  On();
  EXPECT_FALSE(past().remembers());
  const Snapshot a = Take("a");
  EXPECT_TRUE(past().remembers());
  ASSERT_TRUE(disk_.Write("history", "1").ok());
  ASSERT_TRUE(past().Remove(a.number).ok());
  EXPECT_TRUE(past().remembers());
  ASSERT_TRUE(disk_.Write("history", "0").ok());
  EXPECT_FALSE(past().remembers());
  EXPECT_EQ(host_.memory().used_bytes(), 0);
  ASSERT_TRUE(disk_.Write("history", "18446744073709551615").ok()) << "without end";
  EXPECT_TRUE(past().remembers());
  Write(0, 'x');
  Write(0, 'y');
  EXPECT_EQ(past().figures().history_bytes, kPage + 64) << "a hole takes less";
}

TEST_F(DiskPastTest, ASnapshotThatFailsLeavesNoPast) {
  On();
  Write(0, 'a');
  MemoryLimit& memory = host_.memory();
  const uint64_t used = memory.used_bytes();
  EXPECT_EQ(ErrnoOf(past().Open(3, "x").status()), ENOENT);
  const Snapshot a = Take("a");
  EXPECT_EQ(ErrnoOf(past().Take("a", 0).status()), EEXIST);
  ASSERT_TRUE(past().Remove(a.number).ok());
  EXPECT_EQ(memory.used_bytes(), used);
  EXPECT_FALSE(past().remembers());
}

TEST_F(DiskPastTest, IsThereWhileTheDiskIsOff) {
  On();
  Write(0, 'a');
  const Snapshot a = Take("a");
  Write(0, 'b');
  Off();
  EXPECT_EQ(Read(*Open(a), 0), 'a');
  Take("off");
  On();
  EXPECT_EQ(Read(0), 'b');
  EXPECT_EQ(Read(*Open(*past().Find("off")), 0), 'b');
}

TEST_F(DiskPastTest, AViewThatIsOpenKeepsItsSnapshot) {
  On();
  Write(0, 'a');
  const Snapshot a = Take("a");
  std::shared_ptr<View> view = Open(a);
  EXPECT_EQ(past().Users(), "test (pid 1)");
  const absl::Status busy = past().Remove(a.number);
  EXPECT_EQ(ErrnoOf(busy), EBUSY);
  EXPECT_THAT(std::string(busy.message()), HasSubstr("test (pid 1)"));
  view.reset();
  EXPECT_EQ(past().Users(), "");
  EXPECT_TRUE(past().Remove(a.number).ok());
}

// Of history there may be no more when it is closed.
TEST_F(DiskPastTest, AMomentThatIsOpenKeepsThePast) {
  On(R"(, "history": 1)");
  Write(0, 'a');
  const uint64_t moment = past().figures().sequence;
  Write(0, 'b');
  EXPECT_EQ(ErrnoOf(past().OpenAt(moment + 2).status()), ESTALE);
  std::shared_ptr<View> view = *past().OpenAt(moment, "bisect (pid 2)");
  EXPECT_EQ(past().Users(), "bisect (pid 2)");
  EXPECT_EQ(Read(*view, 0), 'a');
  ASSERT_TRUE(disk_.Write("history", "0").ok());
  char byte = 0;
  EXPECT_EQ(view->CopyOut(0, 1, &byte), ESTALE);
  EXPECT_TRUE(past().remembers());
  view.reset();
  EXPECT_FALSE(past().remembers());
}

TEST_F(DiskPastTest, ADiskMayBeCutAndGrowUnderItsSnapshots) {
  On();
  Write(0, 'a');
  Write(1000, 'z');
  const Snapshot large = Take("large");
  const std::shared_ptr<View> view = Open(large);
  SetSize(2);
  EXPECT_EQ(view->size_bytes(), 4 * kMiB);
  EXPECT_EQ(Read(*view, 1000), 'z');
  EXPECT_EQ(Read(*view, 999), '\0');
  EXPECT_EQ(view->NextData(kPage), 1000 * kPage);
  EXPECT_EQ(view->NextHole(kPage), kPage);
  EXPECT_EQ(view->NextHole(1000 * kPage), 1001 * kPage);
  const Snapshot small = Take("small");
  EXPECT_EQ(small.size_bytes, 2 * kMiB);
  const absl::Status refused = past().RollBack("large");
  EXPECT_EQ(ErrnoOf(refused), EINVAL);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("4 MiB"));
  SetSize(8);
  Write(1000, 'y');
  Write(2000, 'w');
  EXPECT_EQ(Read(*view, 1000), 'z');
  EXPECT_EQ(Open(small)->size_bytes(), 2 * kMiB);
  EXPECT_EQ(view->NextData(1001 * kPage), 4 * kMiB);
  SetSize(4);
  EXPECT_TRUE(past().RollBack("large").ok());
  EXPECT_EQ(Read(1000), 'z');
  EXPECT_EQ(Read(0), 'a');
}

TEST_F(DiskPastTest, APowerCutIsAChange) {
  On(R"(, "cache_size": 1)");
  Write(0, 'a', /*fua=*/true);
  Write(0, 'b');
  const Snapshot before = Take("before");
  const std::shared_ptr<View> view = Open(before);
  EXPECT_EQ(Read(*view, 0), 'b');
  Off();
  EXPECT_EQ(Read(*view, 0), 'b') << "what the host saw";
  const Snapshot after = Take("after");
  EXPECT_EQ(Read(*Open(after), 0), 'a') << "what was left";
  EXPECT_GT(after.moment, before.moment);
  On();
  EXPECT_EQ(Read(0), 'a');
  EXPECT_TRUE(past().RollBack("before").ok());
  EXPECT_EQ(Read(0), 'b');
}

TEST_F(DiskPastTest, RemovalTakesAll) {
  On(R"(, "cache_size": 1, "history": 1)");
  Write(0, 'a');
  Take("a");
  Write(0, 'b');
  disk_.SwitchOff();
  disk_.Remove();
  EXPECT_EQ(host_.memory().used_bytes(), 0);
  EXPECT_FALSE(past().remembers());
  EXPECT_FALSE(past().Find("a"));
  EXPECT_EQ(ErrnoOf(past().Take("b", 0).status()), ENOENT);
}

// What a power cut loses lies in memory that it gives back.
TEST(DiskPastFull, APowerCutWithoutMemoryKeepsSnapshotsRight) {
  DiskHost host(10 * kPage);
  Disk disk(1, "disk", host.services());
  ASSERT_TRUE(disk.WriteJson(R"({"memory_backed": true, "discard": true, "size": 1,
                                 "cache_size": 1, "power": true})")
                  .ok());
  const std::string b(kPage, 'b');
  const std::string f(4 * kPage, 'f');
  ASSERT_EQ(disk.Do({.op = Op::kWrite, .length = kPage, .data = b.data()}), 0);
  const Snapshot taken = *disk.past().Take("a", 0);
  uint64_t at = kPage;  // until all memory is taken, on the disk itself
  while (
      disk.Do({.op = Op::kWrite, .offset = at, .length = kPage, .data = f.data(), .fua = true}) ==
      0) {
    at += kPage;
  }
  disk.SwitchOff();
  char byte = 0;
  EXPECT_EQ((*disk.past().Open(taken.number, "x"))->CopyOut(0, 1, &byte), 0);
  EXPECT_EQ(byte, 'b');
  EXPECT_EQ(disk.store()->CopyOut(0, 1, &byte), 0);
  EXPECT_EQ(byte, '\0') << "the cache is lost all the same";
  EXPECT_LE(host.memory().used_bytes(), (10 + 2) * kPage) << "but for a page of records, and links";
}

}  // namespace
}  // namespace rnullfs
