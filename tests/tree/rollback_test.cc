// `rollback`: a disk is what it was, once, whoever dies meanwhile.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "past/past.h"
#include "tree/refused.h"
#include "tree/restore_test.h"
#include "tree/rollback_file.h"

namespace rnullfs {
namespace {

class RollbackTest : public RestoreTest {
 protected:
  static void Take(DeviceNode& node, std::string_view name) {
    node.With([&](Disk& disk, const Doors&) { EXPECT_THAT(disk.past().Take(name, 0), IsOk()); });
  }
  static PastFigures Figures(DeviceNode& node) {
    return node.With([](Disk& disk, const Doors&) { return disk.past().figures(); });
  }
  static VersionFile::Header& HeaderOf(DeviceNode& node) {
    return *node.With(
        [](Disk& disk, const Doors&) { return &disk.medium()->past()->file().header(); });
  }
  static absl::Status StoreText(DeviceNode& node, std::string_view attribute,
                                std::string_view text) {
    return node.StoreText(*FindAttribute(attribute), text);
  }
  void Write(DeviceNode& node, std::string_view data, uint64_t offset = 0) const {
    EXPECT_EQ(old_->Write(node, offset, data), 0);
  }
  std::string Read(DeviceNode& node, uint64_t length, uint64_t offset = 0) const {
    return old_->Read(node, offset, length);
  }
  static void Discard(DeviceNode& node, uint64_t length) {
    node.device()->Submit(
        {.op = Op::kDiscard, .length = length},
        {.complete = [](void*, const Answer& answer) { EXPECT_EQ(answer.error, 0); }});
  }

  static constexpr std::string_view kOn = R"({"size": 1, "memory_backed": true, "power": true})";
};

TEST_F(RollbackTest, GoesBackToASnapshot) {
  const auto node = Make("d", kOn);
  Write(*node, "then");
  Take(*node, "clean");
  Write(*node, "now!");
  Write(*node, "more", 8192);  // where there was a hole
  const timespec modified = node->OwnershipOf(kDiskSlot, kDiskMode).modified;
  ASSERT_THAT(RollBack(*node, "clean\n"), IsOk());
  EXPECT_EQ(Read(*node, 4), "then");
  EXPECT_EQ(node->facts().stored_bytes, 4096U);
  EXPECT_NE(node->OwnershipOf(kDiskSlot, kDiskMode).modified.tv_nsec, modified.tv_nsec);
  Write(*node, "now!");
  ASSERT_THAT(StoreText(*node, "power", "0"), IsOk());
  ASSERT_THAT(RollBack(*node, std::string_view("clean\0\0", 7)), IsOk());  // also while it is off
  ASSERT_THAT(StoreText(*node, "power", "1"), IsOk());
  EXPECT_EQ(Read(*node, 4), "then");
}

TEST_F(RollbackTest, GoesBackToAMomentAndForthAgain) {
  const auto node = Make("d", kOn);
  ASSERT_THAT(StoreText(*node, "history", "8"), IsOk());
  Write(*node, "one");
  Write(*node, "two");
  const uint64_t before = Figures(*node).sequence;
  ASSERT_THAT(RollBack(*node, absl::StrCat(before - 1)), IsOk());
  EXPECT_EQ(Read(*node, 3), "one");
  EXPECT_EQ(Figures(*node).sequence, before + 1);
  ASSERT_THAT(RollBack(*node, absl::StrCat(before)), IsOk());
  EXPECT_EQ(Read(*node, 3), "two");
  Take(*node, "0");  // a name comes first
  ASSERT_THAT(RollBack(*node, "0"), IsOk());
  EXPECT_EQ(Read(*node, 3), "two");
}

TEST_F(RollbackTest, RefusesWhatCannotBe) {
  const auto node = Make("d", kOn);
  EXPECT_THAT(RollBack(*node, "clean"), RefusedWith(ENOENT, "no snapshot or mark clean"));
  EXPECT_THAT(RollBack(*node, "0"), RefusedWith(ESTALE, "no history"));
  Take(*node, "clean");
  EXPECT_THAT(RollBack(*node, ""), Refused(ENOENT));
  EXPECT_THAT(RollBack(*node, "clean "), Refused(ENOENT));
  EXPECT_THAT(RollBack(*node, "0"), RefusedWith(ESTALE, "no history"));
  Write(*node, "x");
  ASSERT_THAT(StoreText(*node, "history", "8"), IsOk());
  EXPECT_THAT(RollBack(*node, "0"), RefusedWith(ESTALE, "the moments 1 to 1, and not 0"));
  EXPECT_THAT(RollBack(*node, "2"), RefusedWith(EINVAL, "the moments 1 to 1, and not 2"));
  EXPECT_EQ(node->last_error(), "rollback: the history has the moments 1 to 1, and not 2\n");
  ASSERT_THAT(StoreText(*node, "power", "0"), IsOk());
  ASSERT_THAT(StoreText(*node, "size", "2"), IsOk());
  ASSERT_THAT(StoreText(*node, "power", "1"), IsOk());
  EXPECT_THAT(RollBack(*node, "clean"), RefusedWith(EINVAL, "the disk had 1 MiB then"));
}

TEST_F(RollbackTest, NotWhileTheDiskIsOpen) {
  const auto node = Make("d", kOn);
  Take(*node, "clean");
  Write(*node, "now!");
  const DiskHandle handle = Open(*node, 0).value();
  EXPECT_THAT(RollBack(*node, "clean", {.if_open = IfOpen::kAgain}), Refused(EAGAIN));
  EXPECT_THAT(RollBack(*node, "clean"), RefusedWith(EBUSY, "opened by a test;"));
  EXPECT_EQ(Read(*node, 4), "now!");
  node->CloseDisk(handle.number);
  EXPECT_THAT(RollBack(*node, "clean"), IsOk());
}

// What is put back is on the disk, and what had been cached then is, too.
TEST_F(RollbackTest, APowerOffLosesNothingOfIt) {
  const auto node = Make(
      "d", R"({"size": 1, "memory_backed": true, "cache_size": 1, "history": 8, "power": true})");
  Write(*node, "then");
  Write(*node, "there", 4096);
  Take(*node, "clean");
  Write(*node, "now!");
  Write(*node, "later", 8192);
  ASSERT_THAT(RollBack(*node, "clean"), IsOk());
  EXPECT_THAT(node->StatsText(), testing::HasSubstr("\"pages\": 0,"));
  ASSERT_THAT(StoreText(*node, "power", "0"), IsOk());
  ASSERT_THAT(StoreText(*node, "power", "1"), IsOk());
  EXPECT_EQ(Read(*node, 4), "then");
  EXPECT_EQ(Read(*node, 5, 4096), "there");
  EXPECT_EQ(Read(*node, 5, 8192), std::string(5, '\0'));
}

// --- Memory --------------------------------------------------------------------------------------

constexpr size_t kMuch = size_t{24} << 20;  // of 64 MiB
constexpr std::string_view kLarge =
    R"({"size": 24, "memory_backed": true, "discard": true, "power": true})";

TEST_F(RollbackTest, NothingChangesWithoutMemoryToKeepWhatIs) {
  const auto node = Make("d", kLarge);
  Write(*node, std::string(kMuch, 'a'));
  Take(*node, "clean");
  Write(*node, std::string(kMuch, 'b'));
  Take(*node, "later");
  EXPECT_THAT(RollBack(*node, "clean"), RefusedWith(ENOSPC, "no memory"));
  EXPECT_TRUE(Read(*node, kMuch) == std::string(kMuch, 'b'));
  node->With([](Disk& disk, const Doors&) {
    EXPECT_THAT(disk.past().Remove(disk.past().Find("later")->number), IsOk());
  });
  EXPECT_THAT(RollBack(*node, "clean"), IsOk());
  EXPECT_TRUE(Read(*node, kMuch) == std::string(kMuch, 'a'));
}

TEST_F(RollbackTest, NothingChangesWithoutMemoryForWhatWasDiscarded) {
  const auto node = Make("d", kLarge);
  Write(*node, std::string(kMuch, 'a'));
  Take(*node, "clean");
  Discard(*node, kMuch);
  const auto other = Make("e", kLarge);
  Write(*other, std::string(kMuch, 'x'));
  EXPECT_THAT(RollBack(*node, "clean"), RefusedWith(ENOSPC, "no memory"));
  EXPECT_TRUE(Read(*node, kMuch) == std::string(kMuch, '\0'));
  Discard(*other, kMuch);
  EXPECT_THAT(RollBack(*node, "clean"), IsOk());
  EXPECT_TRUE(Read(*node, kMuch) == std::string(kMuch, 'a'));
  Write(*other, std::string(kMuch / 2, 'x'));  // nothing is set aside any more
}

// --- Death ---------------------------------------------------------------------------------------

TEST_F(RollbackTest, ARequestThatIsHeardAgainIsDoneOnce) {
  const auto node = Make("d", kOn);
  Write(*node, "then");
  Take(*node, "clean");
  ASSERT_THAT(RollBack(*node, "clean", {.request = 77}), IsOk());
  Write(*node, "now!");
  ASSERT_THAT(RollBack(*node, "clean", {.request = 77}), IsOk());
  EXPECT_THAT(RollBack(*node, "none", {.request = 78}), Refused(ENOENT));
  TakeOver();
  const auto found = Found("d");
  ASSERT_THAT(RollBack(*found, "clean", {.request = 77}), IsOk());
  EXPECT_EQ(new_->Read(*found, 0, 4), "now!");
  EXPECT_THAT(RollBack(*found, "none", {.request = 78}),
              RefusedWith(ENOENT, "as it was refused before"));
  ASSERT_THAT(RollBack(*found, "clean", {.request = 79}), IsOk());
  EXPECT_EQ(new_->Read(*found, 0, 4), "then");
}

// It has been done, and nobody has noted that.
TEST_F(RollbackTest, ItIsDoneOnceThoughItWasNotSaved) {
  const auto node = Make("d", kOn);
  Write(*node, "then");
  Take(*node, "clean");
  Write(*node, "now!");
  node->With(
      [](Disk& disk, const Doors&) { EXPECT_THAT(disk.past().RollBack("clean", 77), IsOk()); });
  TakeOver();
  const auto found = Found("d");
  const DiskHandle handle = Open(*found, 0).value();
  EXPECT_EQ(new_->Write(*found, 0, "next"), 0);
  ASSERT_THAT(RollBack(*found, "clean", {.request = 77}), IsOk());
  EXPECT_EQ(new_->Read(*found, 0, 4), "next");
  found->CloseDisk(handle.number);
}

// Before anybody can have the disk.
TEST_F(RollbackTest, WhoTakesOverCompletesIt) {
  const auto node = Make("d", R"({"size": 1, "memory_backed": true, "history": 8, "power": true})");
  for (uint64_t page = 0; page < 4; ++page) Write(*node, "then", page * 4096);
  const uint64_t moment = Figures(*node).sequence;
  for (uint64_t page = 0; page < 4; ++page) Write(*node, "now!", page * 4096);
  Write(*node, "then");  // this one it has come to put back
  const uint64_t sequence = Figures(*node).sequence;
  HeaderOf(*node).rollback_request = 77;
  HeaderOf(*node).rollback_to = moment + 1;
  TakeOver();
  const auto found = Found("d");
  for (uint64_t page = 0; page < 4; ++page) EXPECT_EQ(new_->Read(*found, page * 4096, 4), "then");
  EXPECT_EQ(Figures(*found).sequence, sequence + 1);
  EXPECT_EQ(new_->Write(*found, 0, "next"), 0);
  ASSERT_THAT(RollBack(*found, absl::StrCat(moment), {.request = 77}), IsOk());
  EXPECT_EQ(new_->Read(*found, 0, 4), "next");
  TakeOver();  // that is over
  EXPECT_EQ(new_->Read(*Found("d"), 0, 4), "next");
}

TEST_F(RollbackTest, OneThatFailsIsOver) {
  const auto node = Make("d", kLarge);
  Write(*node, std::string(kMuch, 'a'));
  Take(*node, "clean");
  Write(*node, std::string(kMuch, 'b'));
  Take(*node, "later");
  EXPECT_THAT(RollBack(*node, "clean", {.request = 77}), Refused(ENOSPC));
  EXPECT_EQ(HeaderOf(*node).rollback_to, 0U);
  EXPECT_EQ(HeaderOf(*node).rollback_request, 0U);
  TakeOver();
  EXPECT_EQ(new_->Read(*Found("d"), 0, 1), "b");
}

}  // namespace
}  // namespace rnullfs
