// Power, what it takes with it, and what stays: the life of a controller and of its medium.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <thread>

#include "tree/node_test.h"
#include "tree/refused.h"

namespace rnullfs {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

class PowerTest : public NodeTest {
 protected:
  void PowerOnWithMemory() {
    ASSERT_THAT(node_->WriteJson({.data = R"({"size": 2, "memory_backed": true, "power": true})"}),
                IsOk());
  }
  uint64_t OpenDisk(std::string opener = "losetup (pid 7)") {
    return NodeTest::OpenDisk(std::move(opener)).value().number;
  }
};

TEST_F(PowerTest, GoesOnAndOff) {
  ASSERT_THAT(Set("size", "2"), IsOk());
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(Set("power", "1"), IsOk());
    EXPECT_NE(node_->device(), nullptr);
    EXPECT_EQ(node_->facts().size_bytes, uint64_t{2} << 20);
    EXPECT_EQ(Get("power"), "1\n");
    EXPECT_THAT(Set("power", "0"), IsOk());
    EXPECT_EQ(node_->device(), nullptr);
    EXPECT_EQ(node_->facts().size_bytes, 0U);
    EXPECT_EQ(Get("power"), "0\n");
  }
}

TEST_F(PowerTest, TheValueItHasChangesNothing) {
  EXPECT_THAT(Set("power", "0"), IsOk());
  ASSERT_THAT(Set("power", "1"), IsOk());
  const Device* device = node_->device();
  EXPECT_THAT(Set("power", "on"), IsOk());
  EXPECT_EQ(node_->device(), device);
}

TEST_F(PowerTest, ComesWithAConfigurationInOneObject) {
  EXPECT_THAT(node_->WriteJson({.data = R"({"power": true, "size": 3, "blocksize": 512})"}),
              IsOk());
  EXPECT_EQ(node_->settings(), (Settings{.config = {.power = true, .blocksize = 512, .size = 3}}));
  EXPECT_THAT(node_->WriteJson({.data = R"({"size": 5, "power": false})"}), IsOk());
  EXPECT_EQ(node_->device(), nullptr);
  EXPECT_EQ(node_->settings().config.size, 5U);
}

TEST_F(PowerTest, FailsAsAWholeWhenTheDiskCannotBeHad) {
  ASSERT_THAT(node_->WriteJson({.data = R"({"size": 3, "blocksize": 1024})"}), IsOk());
  const Settings before = node_->settings();
  EXPECT_THAT(node_->WriteJson({.data = R"({"size": 18446744073709551615, "blocksize": 512,
                                   "memory_backed": true, "power": true})"}),
              RefusedWith(EINVAL, "size"));
  EXPECT_EQ(node_->settings(), before);
  EXPECT_EQ(node_->device(), nullptr);
  EXPECT_THAT(node_->last_error(), HasSubstr("18446744073709551615"));

  EXPECT_THAT(Set("power", "1"), IsOk());
  EXPECT_THAT(node_->last_error(), IsEmpty());
}

TEST_F(PowerTest, KeepsWhatTheMediumStores) {
  PowerOnWithMemory();
  EXPECT_EQ(WriteDisk(4096, "remembered"), 0);
  EXPECT_EQ(node_->facts().stored_bytes, 4096U);
  ASSERT_THAT(Set("power", "0"), IsOk());
  EXPECT_EQ(node_->facts().stored_bytes, 4096U);
  ASSERT_THAT(Set("power", "1"), IsOk());
  EXPECT_EQ(ReadDisk(4096, 10), "remembered");
}

TEST_F(PowerTest, CutsAndGrowsTheMediumWithItsSize) {
  PowerOnWithMemory();
  EXPECT_EQ(WriteDisk(0, "first"), 0);
  EXPECT_EQ(WriteDisk(1 << 20, "second"), 0);
  ASSERT_THAT(node_->WriteJson({.data = R"({"size": 1, "power": false})"}), IsOk());
  EXPECT_EQ(node_->facts().stored_bytes, 8192U);  // cut by the power-on, not before
  ASSERT_THAT(Set("power", "1"), IsOk());
  EXPECT_EQ(node_->facts().stored_bytes, 4096U);
  EXPECT_EQ(WriteDisk(1 << 20, "beyond"), ENOSPC);

  ASSERT_THAT(node_->WriteJson({.data = R"({"power": false, "size": 2})"}), IsOk());
  ASSERT_THAT(Set("power", "1"), IsOk());
  EXPECT_EQ(ReadDisk(0, 5), "first");
  EXPECT_EQ(ReadDisk(1 << 20, 6), std::string(6, '\0'));
}

TEST_F(PowerTest, OffWithoutMemoryLeavesWhatWasStored) {
  PowerOnWithMemory();
  EXPECT_EQ(WriteDisk(0, "kept"), 0);
  ASSERT_THAT(node_->WriteJson({.data = R"({"power": false, "memory_backed": false})"}), IsOk());
  ASSERT_THAT(Set("power", "1"), IsOk());
  EXPECT_EQ(WriteDisk(0, "lost"), 0);
  EXPECT_EQ(ReadDisk(0, 4), std::string(4, '\0'));
  ASSERT_THAT(node_->WriteJson({.data = R"({"power": false, "memory_backed": true})"}), IsOk());
  ASSERT_THAT(Set("power", "1"), IsOk());
  EXPECT_EQ(ReadDisk(0, 4), "kept");
}

TEST_F(PowerTest, TheDiskOpensOnlyWhileOn) {
  EXPECT_THAT(NodeTest::OpenDisk("cat (pid 1)"), RefusedWith(ENOENT, "write 1 to power"));
  ASSERT_THAT(Set("power", "1"), IsOk());
  EXPECT_FALSE(node_->disk_open());
  const uint64_t first = OpenDisk();
  const uint64_t second = OpenDisk();
  EXPECT_NE(first, second);
  node_->CloseDisk(first);
  EXPECT_TRUE(node_->disk_open());
  node_->CloseDisk(second);
  EXPECT_FALSE(node_->disk_open());
}

TEST_F(PowerTest, StaysOnWhileTheDiskIsOpen) {
  PowerOnWithMemory();
  EXPECT_EQ(WriteDisk(0, "kept"), 0);
  const uint64_t handle = OpenDisk();
  const Settings before = node_->settings();
  EXPECT_THAT(Set("power", "0"), RefusedWith(EBUSY, "losetup (pid 7)"));
  EXPECT_THAT(node_->last_error(), AllOf(HasSubstr("disk is open"), HasSubstr("losetup -d")));
  EXPECT_THAT(node_->WriteJson({.data = R"({"power": false, "size": 1})"}), Refused(EBUSY));
  EXPECT_EQ(node_->settings(), before);
  EXPECT_EQ(ReadDisk(0, 4), "kept");

  EXPECT_THAT(Set("power", "1"), IsOk());  // it has that value
  node_->CloseDisk(handle);
  EXPECT_THAT(Set("power", "0"), IsOk());
}

TEST_F(PowerTest, NamesAFewOfManyOpeners) {
  ASSERT_THAT(Set("power", "1"), IsOk());
  for (const char* opener : {"dd", "fio", "cat"}) OpenDisk(opener);
  EXPECT_THAT(Set("power", "0"), RefusedWith(EBUSY, "opened by dd, fio, cat;"));
  OpenDisk("losetup");
  EXPECT_THAT(Set("power", "0"), RefusedWith(EBUSY, "opened by dd, fio, cat, others;"));
}

TEST_F(PowerTest, WhoAsksAgainIsNotMadeToWait) {
  ASSERT_THAT(Set("power", "1"), IsOk());
  const uint64_t handle = OpenDisk();
  const Attribute& power = *FindAttribute("power");
  EXPECT_THAT(node_->StoreText(power, "0", {.if_open = IfOpen::kAgain}), Refused(EAGAIN));
  EXPECT_THAT(
      node_->WriteJson({.data = R"({"power": false, "size": 7})"}, {.if_open = IfOpen::kAgain}),
      Refused(EAGAIN));
  EXPECT_THAT(node_->Retire(IfOpen::kAgain), Refused(EAGAIN));
  EXPECT_THAT(node_->last_error(), IsEmpty()) << "nothing has been refused yet";
  EXPECT_THAT(node_->StoreText(power, "0", {.if_open = IfOpen::kRefuse}),
              RefusedWith(EBUSY, "losetup (pid 7)"));
  EXPECT_THAT(node_->Retire(IfOpen::kRefuse), RefusedWith(EBUSY, "losetup (pid 7)"));
  node_->CloseDisk(handle);
  EXPECT_THAT(
      node_->WriteJson({.data = R"({"power": false, "size": 7})"}, {.if_open = IfOpen::kAgain}),
      IsOk());
  EXPECT_EQ(node_->settings().config.size, 7U);
  EXPECT_THAT(node_->Retire(IfOpen::kAgain), IsOk());
}

TEST_F(PowerTest, RetiringTakesEverythingAway) {
  PowerOnWithMemory();
  EXPECT_EQ(WriteDisk(0, "gone"), 0);
  EXPECT_THAT(node_->Retire(), IsOk());
  EXPECT_EQ(node_->device(), nullptr);
  EXPECT_EQ(node_->facts().stored_bytes, 0U);
  EXPECT_FALSE(node_->settings().config.power);
  EXPECT_THAT(Set("power", "1"), Refused(ENOENT));
  EXPECT_THAT(node_->WriteJson({.data = "{}"}), Refused(ENOENT));
  EXPECT_THAT(NodeTest::OpenDisk("cat"), Refused(ENOENT));
  EXPECT_THAT(node_->Retire(), Refused(ENOENT));
}

TEST_F(PowerTest, DoesNotRetireWhileASnapshotIsOpen) {
  ASSERT_THAT(node_->WriteJson({.data = R"({"memory_backed": true, "size": 1, "power": true})"}),
              IsOk());
  std::shared_ptr<View> view =
      node_->With([](Disk& disk, const Doors& /*doors*/) -> std::shared_ptr<View> {
        return *disk.past().Open(disk.past().Take("clean", 0)->number, "fsck (pid 7)");
      });
  EXPECT_THAT(node_->Retire(IfOpen::kAgain), Refused(EAGAIN));
  EXPECT_THAT(node_->Retire(), RefusedWith(EBUSY, "fsck (pid 7)"));
  ASSERT_THAT(Set("power", "0"), IsOk());
  char byte = 1;
  EXPECT_EQ(view->CopyOut(0, 1, &byte), 0);
  EXPECT_EQ(byte, 0);
  view.reset();
  EXPECT_THAT(node_->Retire(), IsOk());
}

TEST_F(PowerTest, DoesNotRetireWhileTheDiskIsOpen) {
  PowerOnWithMemory();
  EXPECT_EQ(WriteDisk(0, "kept"), 0);
  const uint64_t handle = OpenDisk();
  EXPECT_THAT(node_->Retire(), RefusedWith(EBUSY, "losetup (pid 7)"));
  EXPECT_THAT(node_->last_error(), HasSubstr("rmdir"));
  EXPECT_EQ(ReadDisk(0, 4), "kept");
  node_->CloseDisk(handle);
  EXPECT_THAT(node_->Retire(), IsOk());
}

TEST_F(PowerTest, StatisticsTellWhatHappened) {
  EXPECT_THAT(node_->StatsText(), HasSubstr("\"powered\": false"));
  PowerOnWithMemory();
  EXPECT_EQ(WriteDisk(0, std::string(4096, 'x')), 0);
  EXPECT_EQ(WriteDisk(2 << 20, "beyond"), ENOSPC);
  OpenDisk();
  EXPECT_THAT(node_->StatsText(),
              AllOf(HasSubstr("\"powered\": true"), HasSubstr("\"stored_pages\": 1,"),
                    HasSubstr("\"disk_opens\": 1"),
                    HasSubstr("\"writes\": {\n    \"requests\": 2,\n    \"bytes\": 4096,\n"
                              "    \"errors\": 1\n  }")));
}

}  // namespace
}  // namespace rnullfs
