// A device's configuration: what each way of writing it takes, refuses and remembers.

#include "tree/device_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <thread>

#include "tree/inode.h"
#include "tree/node_test.h"
#include "tree/refused.h"

namespace rnullfs {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;

using DeviceNodeTest = NodeTest;

constexpr char kInvalidTexts[][2][20] = {
    {"power", "2"},   {"blocksize", "513"},       {"size", "-1"},       {"rotational", "maybe"},
    {"irqmode", "3"}, {"completion_nsec", "1.5"}, {"memory_backed", ""}};

TEST_F(DeviceNodeTest, BeginsOffWithTheDefaults) {
  EXPECT_EQ(node_->settings(), Settings());
  EXPECT_EQ(node_->device(), nullptr);
  EXPECT_EQ(node_->facts().size_bytes, 0U);
  EXPECT_EQ(node_->facts().stored_bytes, 0U);
  EXPECT_THAT(node_->last_error(), IsEmpty());
}

TEST_F(DeviceNodeTest, EveryAttributeIsWritableWhileOff) {
  for (const auto& [name, text] :
       std::initializer_list<std::pair<const char*, const char*>>{{"blocksize", "512"},
                                                                  {"size", "64"},
                                                                  {"rotational", "1"},
                                                                  {"irqmode", "2"},
                                                                  {"completion_nsec", "5"},
                                                                  {"memory_backed", "1"}}) {
    EXPECT_THAT(Set(name, text), IsOk()) << name;
    EXPECT_EQ(Get(name), std::string(text) + "\n");
  }
}

TEST_F(DeviceNodeTest, ARefusalChangesNothingAndIsRemembered) {
  for (const auto& [name, text] : kInvalidTexts) {
    const std::string before = Get(name);
    EXPECT_THAT(Set(name, text), RefusedWith(EINVAL, name));
    EXPECT_EQ(Get(name), before);
    EXPECT_THAT(node_->last_error(), AllOf(HasSubstr(name), EndsWith("\n")));
  }
  EXPECT_THAT(Set("size", "4096"), IsOk());
  EXPECT_THAT(node_->last_error(), IsEmpty());
}

TEST_F(DeviceNodeTest, WhilePoweredEveryAttributeIsBusyEvenForTheValueItHas) {
  ASSERT_THAT(Set("power", "1"), IsOk());
  for (const Attribute& attribute : Attributes()) {
    // The same set of bad blocks takes a command.
    const std::string same = attribute.name == "badblocks" ? "-1-1" : Get(attribute.name);
    if (attribute.read_only) {
      EXPECT_THAT(node_->StoreText(attribute, same), Refused(EACCES));
    } else if (attribute.live) {
      EXPECT_THAT(node_->StoreText(attribute, same), IsOk()) << attribute.name;
    } else {
      EXPECT_THAT(node_->StoreText(attribute, same),
                  RefusedWith(EBUSY, std::string(attribute.name)));
      EXPECT_THAT(node_->last_error(), HasSubstr("write 0 to power first"));
    }
  }
}

TEST_F(DeviceNodeTest, WhilePoweredWhatIsNotAcceptedIsInvalidBeforeItIsBusy) {
  ASSERT_THAT(Set("power", "1"), IsOk());
  for (const auto& [name, text] : kInvalidTexts) {
    EXPECT_THAT(Set(name, text), Refused(EINVAL)) << name;
  }
  EXPECT_THAT(node_->WriteJson({.data = R"({"size": "much"})"}), Refused(EINVAL));
  EXPECT_THAT(node_->WriteJson({.data = R"({"size": 64, "blocksize": 513})"}), Refused(EINVAL));
}

TEST_F(DeviceNodeTest, WhilePoweredJsonIsBusyOnlyForWhatItChanges) {
  ASSERT_THAT(node_->WriteJson({.data = R"({"size": 64, "power": true})"}), IsOk());
  EXPECT_THAT(node_->WriteJson({.data = R"({"size": 64})"}), IsOk());
  EXPECT_THAT(node_->WriteJson({.data = R"({"size": 64, "power": true, "rotational": false})"}),
              IsOk());
  EXPECT_THAT(node_->WriteJson({.data = R"({"size": 65, "blocksize": 512, "discard": true})"}),
              RefusedWith(EBUSY, "blocksize, discard:"));
  EXPECT_EQ(node_->settings().config.size, 64U);
  EXPECT_EQ(node_->settings().config.blocksize, 4096U);
}

TEST_F(DeviceNodeTest, JsonKeepsWhatItDoesNotName) {
  ASSERT_THAT(Set("size", "64"), IsOk());
  EXPECT_THAT(node_->WriteJson({.data = R"({"blocksize": 512})"}), IsOk());
  EXPECT_EQ(node_->settings(), (Settings{.config = {.blocksize = 512, .size = 64}}));
}

TEST_F(DeviceNodeTest, StoreMakesAllOfAConfiguration) {
  const Settings wanted = {.config = {.power = true, .blocksize = 1024, .size = 8}};
  EXPECT_THAT(node_->Store(wanted), IsOk());
  EXPECT_EQ(node_->settings(), wanted);
  EXPECT_EQ(node_->facts().size_bytes, uint64_t{8} << 20);
}

TEST_F(DeviceNodeTest, RemembersRefusalsMadeElsewhere) {
  EXPECT_THAT(node_->Refuse(Error(EFBIG, "too much of it")), Refused(EFBIG));
  EXPECT_EQ(node_->last_error(), "too much of it\n");
}

// The same request heard twice: nobody knows whether the first was answered.
TEST_F(DeviceNodeTest, ARequestHeardAgainIsAnsweredAsBefore) {
  const Attribute& badblocks = *FindAttribute("badblocks");
  EXPECT_THAT(node_->StoreText(badblocks, "+0-7", {.request = 10}), IsOk());
  EXPECT_THAT(node_->StoreText(badblocks, "-0-3", {.request = 12}), IsOk());
  EXPECT_THAT(node_->StoreText(badblocks, "+0-7", {.request = 10}), IsOk());
  EXPECT_EQ(Get("badblocks"), "4 4\n");
  EXPECT_THAT(node_->StoreText(badblocks, "7-0", {.request = 14}), Refused(EINVAL));
  EXPECT_THAT(Set("size", "5"), IsOk());
  EXPECT_THAT(node_->StoreText(badblocks, "7-0", {.request = 14}), Refused(EINVAL));
  EXPECT_THAT(node_->last_error(), IsEmpty()) << "its reason is not the newest any more";
}

TEST_F(DeviceNodeTest, APieceHeardAgainIsTakenOnce) {
  const ConfigEdit::Piece first = {.handle = 2, .data = R"({"size": )", .append = true};
  const ConfigEdit::Piece last = {.handle = 2, .data = "7}", .append = true};
  for (int i = 0; i < 2; ++i) EXPECT_THAT(node_->WriteJson(first, {.request = 20}), IsOk());
  for (int i = 0; i < 2; ++i) EXPECT_THAT(node_->WriteJson(last, {.request = 22}), IsOk());
  EXPECT_EQ(node_->settings().config.size, 7U);
  const ConfigEdit::Piece bad = {.handle = 4, .data = R"({"size": -1})"};
  for (int i = 0; i < 2; ++i) EXPECT_THAT(node_->WriteJson(bad, {.request = 24}), Refused(EINVAL));
}

TEST_F(DeviceNodeTest, TextEndsAtItsNul) {
  using namespace std::string_view_literals;
  EXPECT_THAT(Set("memory_backed", "1\0"sv), IsOk());
  EXPECT_THAT(Set("blocksize", "512\0"sv), IsOk());
  EXPECT_THAT(Set("badblocks", "+8-15\0"sv), IsOk());
  EXPECT_EQ(Get("badblocks"), "8 8\n");
  EXPECT_THAT(Set("size", "\0"sv), Refused(EINVAL));
}

TEST_F(DeviceNodeTest, TheNewestRefusalIsTheOneThatIsShown) {
  ASSERT_THAT(
      node_->WriteJson({.data = R"({"memory_backed": 1, "size": 128, "blocksize": 512, "power": 1,
                                   "badblocks": ["0-7"]})"}),
      IsOk());
  EXPECT_EQ(WriteDisk(0, std::string(512, 'x')), EIO);
  EXPECT_THAT(node_->last_error(), HasSubstr("have a bad sector"));
  EXPECT_THAT(Set("size", "5"), Refused(EBUSY));
  EXPECT_THAT(node_->last_error(), HasSubstr("write 0 to power first"));
  EXPECT_EQ(WriteDisk(0, std::string(512, 'x')), EIO);
  EXPECT_THAT(node_->last_error(), HasSubstr("have a bad sector"));
  // The limit is 64 MiB.
  int error = 0;
  for (uint64_t at = 1; at <= 65 && error == 0; ++at) {
    error = WriteDisk(at << 20, std::string(uint64_t{1} << 20, 'x'));
  }
  EXPECT_EQ(error, ENOSPC);
  EXPECT_THAT(node_->last_error(), HasSubstr("memory_limit"));
  EXPECT_EQ(WriteDisk(uint64_t{128} << 20, "x"), ENOSPC);
  EXPECT_THAT(node_->last_error(), HasSubstr("do not lie within"));
}

TEST_F(DeviceNodeTest, StatsWarnOfWhatHasNoEffect) {
  EXPECT_THAT(node_->StatsText(), HasSubstr("\"power is 0"));
  EXPECT_THAT(Set("completion_nsec", "5us"), IsOk());
  EXPECT_THAT(node_->StatsText(), HasSubstr("completion_nsec has no effect: irqmode is not 2"));
}

TEST_F(DeviceNodeTest, TerminalsAreSafeFromOpeners) {
  ASSERT_THAT(Set("power", "1"), IsOk());
  ASSERT_THAT(OpenDisk("x\x1b[2J\xff (pid 7)").status(), IsOk());
  EXPECT_THAT(Set("power", "0"), Refused(EBUSY));
  EXPECT_THAT(node_->last_error(), HasSubstr("opened by x\\x1b[2J\\xff (pid 7)"));
}

TEST_F(DeviceNodeTest, TheDirectoryHasTheModeItWasMadeWith) {
  EXPECT_EQ(node_->OwnershipOf(kDirectorySlot, 0755).mode, 0750U);
  const Ownership disk = node_->OwnershipOf(kDiskSlot, 0600);
  EXPECT_EQ(disk.mode, 0600U);
  EXPECT_EQ(disk.uid, 10U);
  EXPECT_EQ(disk.gid, 20U);
  ASSERT_THAT(Set("size", "5"), IsOk());
  EXPECT_EQ(node_->OwnershipOf(kDirectorySlot, 0755).mode, 0750U);
}

TEST_F(DeviceNodeTest, OwnershipIsEachFilesOwn) {
  node_->ChangeOwnership(kDiskSlot, 0600, {.mode = 0640, .uid = 1});
  const Ownership disk = node_->OwnershipOf(kDiskSlot, 0600);
  EXPECT_EQ(disk.mode, 0640U);
  EXPECT_EQ(disk.uid, 1U);
  EXPECT_EQ(disk.gid, 20U);
  EXPECT_GT(disk.changed.tv_sec, 0);
  const Ownership other = node_->OwnershipOf(kDiskSlot + 1, 0644);
  EXPECT_EQ(other.mode, 0644U);
  EXPECT_EQ(other.uid, 10U);
}

TEST_F(DeviceNodeTest, AWrittenDiskIsModified) {
  ASSERT_THAT(node_->WriteJson({.data = R"({"size": 1, "memory_backed": true, "power": true})"}),
              IsOk());
  EXPECT_EQ(node_->OwnershipOf(kDiskSlot, 0600).modified.tv_sec, 0);
  EXPECT_EQ(ReadDisk(0, 512), std::string(512, '\0'));
  EXPECT_EQ(node_->OwnershipOf(kDiskSlot, 0600).modified.tv_sec, 0);
  EXPECT_EQ(WriteDisk(0, "x"), 0);
  EXPECT_GT(node_->OwnershipOf(kDiskSlot, 0600).modified.tv_sec, 0);
}

// By the daemon, which counts writes, and by the kernel, whose writes show in the file's time.
TEST_F(DeviceNodeTest, ATimeThatWasSetStaysUntilTheNextWrite) {
  obstacle_.clear();
  ASSERT_THAT(node_->WriteJson({.data = R"({"size": 1, "memory_backed": true, "power": true})"}),
              IsOk());
  const auto modified = [this] { return node_->OwnershipOf(kDiskSlot, 0600).modified.tv_sec; };
  const auto touch = [this](time_t second) {
    node_->ChangeOwnership(kDiskSlot, 0600, {.modified = timespec{.tv_sec = second, .tv_nsec = 0}});
  };
  EXPECT_EQ(WriteDisk(0, "daemon"), 0);
  touch(1000);
  EXPECT_EQ(modified(), 1000);
  const uint64_t handle = OpenDisk().value().number;
  EXPECT_EQ(modified(), 1000) << "to open it is no write";
  const time_t future = 4'000'000'000;
  for (const time_t second : {time_t{2000}, future}) {
    ASSERT_EQ(pwrite(backing_fd_, "kernel", 6, second % 4096), 6);
    touch(second);
    EXPECT_EQ(modified(), second);
    EXPECT_EQ(modified(), second);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the clock of files is coarse
    ASSERT_EQ(pwrite(backing_fd_, "kernel", 6, second % 4096), 6);
    EXPECT_GT(modified(), 3000);
    EXPECT_LT(modified(), future);
  }
  touch(3000);
  node_->CloseDisk(handle);
  EXPECT_EQ(modified(), 3000);
  ASSERT_THAT(Set("power", "0"), IsOk());
  ASSERT_THAT(Set("power", "1"), IsOk());
  EXPECT_EQ(modified(), 3000) << "nor is to switch it on";
  EXPECT_EQ(WriteDisk(0, "daemon"), 0);
  EXPECT_GT(modified(), 3000);
}

TEST_F(DeviceNodeTest, ARequestHoldsTheDiskAsAnOpenDoes) {
  EXPECT_THAT(node_->HoldDisk("truncate (pid 1)"), Refused(ENOENT));
  ASSERT_THAT(Set("power", "1"), IsOk());
  const uint64_t hold = node_->HoldDisk("truncate (pid 1)").value();
  EXPECT_THAT(Set("power", "0"), Refused(EBUSY));
  EXPECT_NE(node_->last_error().find("truncate (pid 1)"), std::string::npos);
  EXPECT_EQ(node_->CloseDisk(hold), 0);
  EXPECT_THAT(Set("power", "0"), IsOk());
}

}  // namespace
}  // namespace rnullfs
