// Everything at once: what each call may answer while others run, and that nothing is lost.  It is
// a test for the thread sanitizer as much as for its assertions.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "device/completion_queue.h"
#include "rnullfs/clock.h"
#include "tree/refused.h"
#include "tree/tree.h"

namespace rnullfs {
namespace {

using testing::AnyOf;

constexpr int kRounds = 300;
constexpr const char* kNames[] = {"a", "b", "c"};

class TreeRaceTest : public testing::Test {
 protected:
  // Runs each of `jobs` over and over in a thread of its own.
  void RunAll(const std::vector<std::function<void(const std::string& name)>>& jobs) {
    std::vector<std::thread> threads;
    threads.reserve(jobs.size());
    for (const auto& job : jobs) {
      threads.emplace_back([&job] {
        for (int i = 0; i < kRounds; ++i) job(kNames[i % std::size(kNames)]);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  void Make(const std::string& name) {
    const auto made = tree_.MakeDevice(name, {});
    EXPECT_THAT(made, AnyOf(IsOk(), Refused(EEXIST)));
    if (made.ok()) ++made_;
  }
  void Remove(const std::string& name) {
    const absl::Status removed = tree_.Remove(kRootInode, name);
    EXPECT_THAT(removed, AnyOf(IsOk(), Refused(ENOENT), Refused(EBUSY)));
    if (removed.ok()) ++removed_;
  }
  void LookUp(const std::string& name) {
    const auto directory = tree_.Lookup(kRootInode, name);
    EXPECT_THAT(directory, AnyOf(IsOk(), Refused(ENOENT)));
    if (!directory.ok()) return;
    EXPECT_THAT(tree_.Lookup((*directory)->inode(), "disk"), AnyOf(IsOk(), Refused(ENOENT)));
    EXPECT_THAT(tree_.Find((*directory)->inode())->ChangeOwnership({.mode = 0700}),
                AnyOf(IsOk(), Refused(ENOENT)));
  }
  void List() {
    EXPECT_THAT(tree_.Find(kRootInode)->List(0, [](auto&&...) { return true; }), IsOk());
    EXPECT_LE(tree_.device_count(), std::size(kNames));
    tree_.DisksInUse();
  }
  // A text file stays usable whatever happens to its device.
  void WriteConfiguration(const std::string& name) {
    const auto directory = tree_.Lookup(kRootInode, name);
    if (!directory.ok()) return;
    const auto file = tree_.Lookup((*directory)->inode(), "config.json");
    if (!file.ok()) return;
    const auto open = tree_.Find((*file)->inode())->Open(O_RDWR);
    if (!open.ok()) return;
    EXPECT_THAT((*open)->Write(0, R"({"size": 1, "memory_backed": true, "power": true})"),
                AnyOf(IsOk(), Refused(ENOENT), Refused(EBUSY)));
    EXPECT_NE((*open)->Read(0, 65536).value(), "");
    EXPECT_THAT((*open)->Flush(), IsOk());
  }
  // Whoever has the disk open can use it until it is closed.
  void UseDisk(const std::string& name) {
    const auto directory = tree_.Lookup(kRootInode, name);
    if (!directory.ok()) return;
    const auto disk = tree_.Lookup((*directory)->inode(), "disk");
    if (!disk.ok()) return;
    const std::shared_ptr<DeviceNode> owner = tree_.DiskOwner((*disk)->inode());
    if (owner == nullptr) return;
    const absl::StatusOr<DiskHandle> handle =
        owner->OpenDisk("test", O_RDWR, [](int) { return 0; });
    if (!handle.ok()) return;
    Device* device = tree_.OpenDiskOwner((*disk)->inode())->device();
    int error = -1;
    device->Submit(
        {.op = Op::kWrite, .length = 4, .data = "data"},
        {.complete = [](void* tag,
                        const Answer& answer) { *static_cast<int*>(tag) = answer.error; },
         .tag = &error});
    EXPECT_EQ(error, 0);
    ++used_;
    owner->CloseDisk(handle->number);
  }
  void SwitchOff(const std::string& name) {
    const auto directory = tree_.Lookup(kRootInode, name);
    if (!directory.ok()) return;
    const auto power = tree_.Lookup((*directory)->inode(), "power");
    if (!power.ok()) return;
    const auto open = tree_.Find((*power)->inode())->Open(O_WRONLY);
    if (!open.ok()) return;
    EXPECT_THAT((*open)->Write(0, "0"), AnyOf(IsOk(), Refused(ENOENT), Refused(EBUSY)));
  }

  CompletionQueue completions_{Clock::Real()};
  MemoryLimit memory_;
  Tree tree_{0,
             0,
             [] { return ""; },
             {.device = {.clock = Clock::Real(), .completions = completions_},
              .memory = memory_,
              .passthrough_obstacle = [] { return "it is a test"; }}};
  std::atomic<uint64_t> made_{0};
  std::atomic<uint64_t> removed_{0};
  std::atomic<uint64_t> used_{0};
};

TEST_F(TreeRaceTest, DirectoriesComeAndGo) {
  const auto make = [this](const std::string& name) { Make(name); };
  const auto remove = [this](const std::string& name) { Remove(name); };
  RunAll({make, make, remove, remove, [this](const std::string& name) { LookUp(name); },
          [this](const std::string&) { List(); }});
  EXPECT_EQ(tree_.device_count(), made_ - removed_);
}

TEST_F(TreeRaceTest, DisksAreUsedWhilePowerAndDirectoriesChange) {
  for (const char* name : kNames) Make(name);
  const auto use = [this](const std::string& name) { UseDisk(name); };
  RunAll({use, use, [this](const std::string& name) { WriteConfiguration(name); },
          [this](const std::string& name) { SwitchOff(name); },
          [this](const std::string& name) {
            Remove(name);
            Make(name);
          }});
  for (const char* name : kNames) {
    Make(name);
    WriteConfiguration(name);
    UseDisk(name);
  }
  EXPECT_GE(used_, std::size(kNames));
  EXPECT_THAT(tree_.DisksInUse(), testing::IsEmpty());
  EXPECT_EQ(tree_.device_count(), made_ - removed_);
}

}  // namespace
}  // namespace rnullfs
