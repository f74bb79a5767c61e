// Which way an open of `disk` goes, and what it keeps from changing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string>

#include "tree/huge_page_keeper.h"
#include "tree/node_test.h"
#include "tree/refused.h"

namespace rnullfs {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class DataPathTest : public NodeTest {
 protected:
  DataPathTest() { obstacle_.clear(); }

  void PowerOn(std::string_view json = "{}") {
    ASSERT_THAT(node_->WriteJson({.data = R"({"size": 32, "memory_backed": true})"}), IsOk());
    ASSERT_THAT(node_->WriteJson({.data = json}), IsOk());
    ASSERT_THAT(Set("power", "1"), IsOk());
  }
  int BackingOfNewOpen() {
    const DiskHandle handle = OpenDisk().value();
    node_->CloseDisk(handle.number);
    return handle.backing_id;
  }
  void ExpectDaemonBecause(const std::string& why) {
    EXPECT_EQ(BackingOfNewOpen(), 0);
    EXPECT_THAT(node_->StatsText(), AllOf(HasSubstr("\"datapath\": \"daemon\""),
                                          HasSubstr("\"datapath_why\": \"" + why)));
  }
};

TEST_F(DataPathTest, AutoTakesPassthrough) {
  PowerOn();
  EXPECT_THAT(node_->StatsText(), HasSubstr("\"datapath\": \"passthrough\""));
  const DiskHandle first = OpenDisk().value();
  EXPECT_EQ(first.backing_id, 1);
  next_backing_id_ = 2;
  const DiskHandle second = OpenDisk().value();
  EXPECT_EQ(second.backing_id, 1) << "the kernel wants all opens of a file to have one";
  EXPECT_THAT(node_->StatsText(), HasSubstr("\"passthrough_opens\": 2"));
  EXPECT_EQ(node_->CloseDisk(first.number), 0);
  EXPECT_EQ(node_->CloseDisk(second.number), 1) << "nobody needs it any more";
  EXPECT_EQ(BackingOfNewOpen(), 2);
}

TEST_F(DataPathTest, AutoServesWhoOnlyWritesByTheDaemon) {
  PowerOn();
  const DiskHandle dd = OpenDisk("dd", O_WRONLY | O_TRUNC).value();
  EXPECT_EQ(dd.backing_id, 0);
  node_->CloseDisk(dd.number);
  EXPECT_EQ(OpenDisk("fio").value().backing_id, 1);
  EXPECT_EQ(OpenDisk("dd", O_WRONLY).value().backing_id, 1) << "the kernel allows nothing else";
}

// What has come to the daemon may be mapped by now, or have a write under way.
TEST_F(DataPathTest, AllOpensGoTheWayOfTheFirst) {
  PowerOn();
  const DiskHandle dd = OpenDisk("dd (pid 5)", O_WRONLY).value();
  ExpectDaemonBecause(
      "disk is open through the daemon already, and all opens go one way: opened "
      "by dd (pid 5)");
  const DiskHandle fio = OpenDisk("fio").value();
  node_->CloseDisk(dd.number);
  EXPECT_EQ(BackingOfNewOpen(), 0) << "fio has come to the daemon, too";
  node_->CloseDisk(fio.number);
  EXPECT_EQ(BackingOfNewOpen(), 1);

  ASSERT_THAT(Set("badblocks", "+8-9"), IsOk());
  const DiskHandle mapped = OpenDisk().value();
  ASSERT_THAT(Set("badblocks", "-8-9"), IsOk());
  EXPECT_EQ(BackingOfNewOpen(), 0);
  node_->CloseDisk(mapped.number);
  EXPECT_EQ(BackingOfNewOpen(), 1);
}

TEST_F(DataPathTest, WaitsForAnOpenOfTheOtherKindThatIsBeingClosed) {
  PowerOn();
  const DiskHandle dd = OpenDisk("dd", O_WRONLY).value();
  const DiskHandle cat = OpenDisk("cat", O_RDONLY, IfOpen::kAgain).value();
  EXPECT_EQ(cat.backing_id, 0) << "nobody is about to close it";
  node_->NoteClosing(dd.number);
  EXPECT_EQ(OpenDisk("cat", O_RDONLY, IfOpen::kAgain).value().number, cat.number + 1)
      << "not everybody is about to close it";
  node_->CloseDisk(cat.number);
  node_->CloseDisk(cat.number + 1);
  EXPECT_THAT(OpenDisk("losetup", O_RDWR, IfOpen::kAgain), Refused(EAGAIN));
  EXPECT_EQ(OpenDisk("dd", O_WRONLY, IfOpen::kAgain).value().backing_id, 0) << "it is at home here";
  node_->CloseDisk(cat.number + 2);
  node_->CloseDisk(dd.number);
  const DiskHandle losetup = OpenDisk("losetup", O_RDWR, IfOpen::kAgain).value();
  EXPECT_EQ(losetup.backing_id, 1);
  EXPECT_THAT(node_->last_error(), testing::IsEmpty());

  node_->NoteClosing(losetup.number);
  EXPECT_THAT(OpenDisk("dd", O_WRONLY, IfOpen::kAgain), Refused(EAGAIN));
  EXPECT_EQ(OpenDisk("dd", O_WRONLY, IfOpen::kRefuse).value().backing_id, 1)
      << "it was a duplicate that was closed";
  EXPECT_EQ(OpenDisk("dd", O_WRONLY, IfOpen::kAgain).value().backing_id, 1)
      << "nobody waits for that twice";
}

TEST_F(DataPathTest, PassthroughIsNotPromisedBesideTheDaemon) {
  PowerOn();
  const DiskHandle dd = OpenDisk("dd (pid 5)", O_WRONLY).value();
  EXPECT_THAT(Set("datapath", "passthrough"),
              RefusedWith(EBUSY, "not while disk is open: opened by dd (pid 5)"));
  EXPECT_EQ(node_->settings().config.datapath, DataPath::kAuto);
  EXPECT_EQ(memory_.used_bytes(), 0);
  node_->CloseDisk(dd.number);
  EXPECT_THAT(Set("datapath", "passthrough"), IsOk());
  EXPECT_EQ(OpenDisk("dd", O_WRONLY).value().backing_id, 1);
}

TEST_F(DataPathTest, PassthroughServesWhoOnlyWritesToo) {
  PowerOn(R"({"datapath": "passthrough"})");
  EXPECT_EQ(OpenDisk("dd", O_WRONLY).value().backing_id, 1);
}

TEST_F(DataPathTest, AutoFallsBackAndSaysWhy) {
  obstacle_ = "CAP_SYS_ADMIN is missing";
  PowerOn();
  ExpectDaemonBecause("CAP_SYS_ADMIN is missing");
  obstacle_.clear();
  ASSERT_THAT(node_->WriteJson({.data = R"({"power": false, "memory_backed": false})"}), IsOk());
  ASSERT_THAT(Set("power", "1"), IsOk());
  ExpectDaemonBecause("memory_backed is 0");
  ASSERT_THAT(Set("power", "0"), IsOk());
  PowerOn(R"({"irqmode": 2, "completion_nsec": 5})");
  ExpectDaemonBecause("irqmode is 2");
  ASSERT_THAT(Set("power", "0"), IsOk());
  PowerOn(R"({"irqmode": 2, "completion_nsec": 0, "size": 65})");
  ExpectDaemonBecause("its 65 MiB do not fit into what memory_limit leaves");
  ASSERT_THAT(Set("power", "0"), IsOk());
  PowerOn();
  ASSERT_THAT(Set("datapath", "daemon"), IsOk());
  ExpectDaemonBecause("datapath is daemon");
  ASSERT_THAT(Set("datapath", "auto"), IsOk());
  next_backing_id_ = 0;
  EXPECT_EQ(BackingOfNewOpen(), 0);
  ExpectDaemonBecause("the kernel refused the memfd");
}

TEST_F(DataPathTest, PassthroughRefusesPowerOnWhereItIsImpossible) {
  const auto refuses = [this](std::string_view json, int error, const char* why) {
    EXPECT_THAT(node_->WriteJson({.data = json}), RefusedWith(error, why)) << json;
    EXPECT_EQ(node_->device(), nullptr);
    EXPECT_THAT(node_->last_error(), HasSubstr("auto"));
  };
  refuses(R"({"size": 8, "datapath": "passthrough", "power": true})", EINVAL, "memory_backed is 0");
  refuses(R"({"size": 8, "memory_backed": true, "irqmode": 2, "datapath": "passthrough",
              "power": true})",
          EINVAL, "irqmode is 2");
  refuses(R"({"size": 65, "memory_backed": true, "datapath": "passthrough", "power": true})",
          ENOSPC, "memory_limit");
  obstacle_ = "the kernel has no FUSE passthrough";
  refuses(R"({"size": 8, "memory_backed": true, "datapath": "passthrough", "power": true})",
          EOPNOTSUPP, "the kernel has no FUSE passthrough");
}

TEST_F(DataPathTest, ARefusedPowerOnCutsNothingOff) {
  PowerOn();
  ASSERT_EQ(WriteDisk(20 << 20, "kept"), 0);
  ASSERT_THAT(Set("power", "0"), IsOk());
  obstacle_ = "none today";
  EXPECT_THAT(
      node_->WriteJson({.data = R"({"size": 8, "datapath": "passthrough", "power": true})"}),
      Refused(EOPNOTSUPP));
  ASSERT_THAT(Set("power", "1"), IsOk());
  EXPECT_EQ(ReadDisk(20 << 20, 4), "kept");
}

TEST_F(DataPathTest, PassthroughHoldsItsMemoryWhilePowered) {
  PowerOn(R"({"datapath": "passthrough"})");
  EXPECT_EQ(memory_.used_bytes(), 32 << 20);
  EXPECT_EQ(BackingOfNewOpen(), 1);
  EXPECT_EQ(memory_.used_bytes(), 32 << 20);
  ASSERT_THAT(Set("datapath", "auto"), IsOk());
  EXPECT_EQ(memory_.used_bytes(), 0);
  ASSERT_THAT(Set("datapath", "passthrough"), IsOk());
  ASSERT_THAT(Set("power", "0"), IsOk());
  EXPECT_EQ(memory_.used_bytes(), 0);
}

TEST_F(DataPathTest, AutoHoldsItWhileOpen) {
  PowerOn();
  const DiskHandle handle = OpenDisk().value();
  EXPECT_EQ(memory_.used_bytes(), 32 << 20);
  ASSERT_EQ(pwrite(backing_fd_, "kernel", 6, 4096), 6);
  EXPECT_EQ(ReadDisk(4096, 6), "kernel");
  EXPECT_EQ(node_->facts().stored_bytes, 4096);
  node_->CloseDisk(handle.number);
  EXPECT_EQ(memory_.used_bytes(), 4096);
}

// A mapping outlives the open that it was made of, and FUSE does not tell.
TEST_F(DataPathTest, IsInUseWhileItIsMapped) {
  PowerOn();
  const DiskHandle handle = OpenDisk().value();
  // As the kernel maps it: by a file of its own.
  UniqueFd held(open(("/proc/self/fd/" + std::to_string(backing_fd_)).c_str(), O_RDONLY));
  ASSERT_TRUE(held.valid());
  node_->CloseDisk(handle.number);
  EXPECT_TRUE(node_->disk_open());
  EXPECT_THAT(Set("power", "0"), RefusedWith(EBUSY, "mapped (mmap) by a process"));
  EXPECT_THAT(node_->Retire(), RefusedWith(EBUSY, "memfd:rnullfs:7:fast"));
  EXPECT_EQ(memory_.used_bytes(), 32 << 20);
  held = UniqueFd();
  EXPECT_FALSE(node_->disk_open());
  EXPECT_EQ(memory_.used_bytes(), 0);
  EXPECT_THAT(Set("power", "0"), IsOk());
}

TEST_F(DataPathTest, NoStageIsArmedWhileTheKernelAnswers) {
  PowerOn();
  const DiskHandle handle = OpenDisk().value();
  EXPECT_THAT(Set("irqmode", "2"), RefusedWith(EBUSY, "set datapath to daemon, or detach"));
  EXPECT_THAT(node_->WriteJson({.data = R"({"irqmode": 2})"}), RefusedWith(EBUSY, "passthrough"));
  EXPECT_THAT(Set("iops", "100"), RefusedWith(EBUSY, "set datapath to daemon, or detach"));
  EXPECT_THAT(Set("irqmode", "1"), IsOk()) << "that is none of the kernel's";
  EXPECT_THAT(Set("size", "64"), RefusedWith(EBUSY, "passthrough"));
  ASSERT_THAT(Set("datapath", "daemon"), IsOk());
  EXPECT_EQ(OpenDisk().value().backing_id, 1) << "the kernel allows nothing else beside the first";
  EXPECT_THAT(node_->StatsText(), HasSubstr("\"datapath\": \"passthrough\""));
  node_->CloseDisk(handle.number);
  node_->CloseDisk(handle.number + 1);
  ExpectDaemonBecause("datapath is daemon");
}

TEST_F(DataPathTest, ADiskIsLookedAfterOnceHoweverOftenItIsOpened) {
  PowerOn();
  HugePageKeeper keeper(HugePages::kAdvise);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(OpenDisk().value().backing_id, 1);
    keeper.Watch(node_);
    ASSERT_LE(keeper.waiting(), 1);
  }
}

// The keeper has the disk's lock for a batch only.
TEST_F(DataPathTest, WhoLooksAtADiskNeedNotWaitForAllOfItToBeCollapsed) {
  constexpr uint64_t kBytes = uint64_t{48} << 20;
  PowerOn(R"({"size": 48})");
  ASSERT_EQ(OpenDisk().value().backing_id, 1);
  const std::string data(kBytes, 'd');
  ASSERT_EQ(pwrite(backing_fd_, data.data(), kBytes, 0), static_cast<ssize_t>(kBytes));
  HugePageKeeper keeper(HugePages::kAdvise);
  keeper.Watch(node_);
  int meanwhile = 0;
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (meanwhile < 3 && std::chrono::steady_clock::now() < give_up) {
    static_cast<void>(node_->StatsText());
    if (keeper.waiting() == 0) ++meanwhile;  // it is about its work
  }
  if (keeper.Describe() != "advise") GTEST_SKIP() << keeper.Describe();
  EXPECT_EQ(meanwhile, 3);
}

TEST_F(DataPathTest, PassthroughThatTheKernelRefusesAfterAllFailsTheOpen) {
  PowerOn(R"({"datapath": "passthrough"})");
  next_backing_id_ = 0;
  EXPECT_THAT(OpenDisk(), RefusedWith(EIO, "the kernel refused the memfd"));
  EXPECT_THAT(node_->last_error(), HasSubstr("Operation not permitted"));
  EXPECT_FALSE(node_->disk_open());
  EXPECT_THAT(Set("power", "0"), IsOk());
}

}  // namespace
}  // namespace rnullfs
