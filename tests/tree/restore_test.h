// What the tests of a take-over share: a process's part of a mount, and the one that its successor
// makes of what a guard holds.
#ifndef RNULLFS_TESTS_TREE_RESTORE_TEST_H_
#define RNULLFS_TESTS_TREE_RESTORE_TEST_H_

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "device/completion_queue.h"
#include "rnullfs/clock.h"
#include "rnullfs/mutex.h"
#include "tree/refused.h"
#include "tree/survival.h"
#include "tree/tree.h"

namespace rnullfs {

inline UniqueFd Duplicate(int fd) { return UniqueFd(fcntl(fd, F_DUPFD_CLOEXEC, 3)); }

inline uint64_t InodeOf(int fd) {
  struct stat status = {};
  fstat(fd, &status);
  return status.st_ino;
}

// What the guard does: holds what it is given.
class FakeGuard : public MemfdKeeper {
 public:
  int Keep(int memfd) override {
    const LockGuard lock(mutex_);
    kept_.push_back(Duplicate(memfd));
    return 0;
  }
  void Drop(int memfd) override {
    const LockGuard lock(mutex_);
    const uint64_t inode = InodeOf(memfd);
    std::erase_if(kept_, [inode](const UniqueFd& each) { return InodeOf(each.get()) == inode; });
  }
  // Everything but the state, which is always first.
  std::vector<UniqueFd> Disks() const {
    const LockGuard lock(mutex_);
    std::vector<UniqueFd> disks;
    for (size_t i = 1; i < kept_.size(); ++i) disks.push_back(Duplicate(kept_[i].get()));
    return disks;
  }
  UniqueFd State() const {
    const LockGuard lock(mutex_);
    return Duplicate(kept_.at(0).get());
  }

 private:
  mutable Mutex mutex_;
  std::vector<UniqueFd> kept_ ABSL_GUARDED_BY(mutex_);
};

// A process's part of the mount.
struct Process {
  explicit Process(std::unique_ptr<Survival> survived) : survival(std::move(survived)) {}

  std::unique_ptr<Survival> survival;
  CompletionQueue completions{Clock::Real()};
  MemoryLimit memory{uint64_t{64} << 20};
  Tree tree{1,
            2,
            [] { return std::string(); },
            {.device = {.clock = Clock::Real(), .completions = completions},
             .memory = memory,
             .passthrough_obstacle = [] { return std::string(); },
             .survival = survival.get()}};

  int Write(DeviceNode& node, uint64_t offset, std::string_view data) const {
    int error = -1;
    node.device()->Submit(
        {.op = Op::kWrite, .offset = offset, .length = data.size(), .data = data.data()},
        {.complete = [](void* tag,
                        const Answer& answer) { *static_cast<int*>(tag) = answer.error; },
         .tag = &error});
    return error;
  }
  std::string Read(DeviceNode& node, uint64_t offset, uint64_t length) const {
    std::string data;
    node.device()->Submit({.op = Op::kRead, .offset = offset, .length = length},
                          {.complete =
                               [](void* tag, const Answer& answer) {
                                 for (const iovec& part : answer.data) {
                                   static_cast<std::string*>(tag)->append(
                                       static_cast<const char*>(part.iov_base), part.iov_len);
                                 }
                               },
                           .tag = &data});
    return data;
  }
};

class RestoreTest : public testing::Test {
 protected:
  std::shared_ptr<DeviceNode> Make(std::string_view name, std::string_view json,
                                   uint64_t request = 0) {
    const auto node =
        old_->tree.MakeDevice(name, {.uid = 10, .gid = 20, .request = request}).value();
    EXPECT_THAT(node->WriteJson({.data = json}), IsOk());
    return node;
  }

  // The old process is as good as gone: nothing of it is used any more.
  void TakeOver() {
    absl::StatusOr<std::unique_ptr<Survival>> survival = Survival::Open(guard_.State(), guard_);
    ASSERT_THAT(survival.status(), IsOk());
    // Who is killed tidies nothing up.
    if (new_ != nullptr) killed_.push_back(std::move(new_));
    new_ = std::make_unique<Process>(*std::move(survival));
    ASSERT_THAT(new_->tree.Restore(guard_.Disks()), IsOk());
  }
  std::shared_ptr<DeviceNode> Found(std::string_view name) const {
    const auto st = new_->tree.Lookup(kRootInode, name);
    const auto devices = new_->tree.Devices();
    const auto it = std::find_if(devices.begin(), devices.end(), [&](const auto& device) {
      return st.ok() && device->id() == DeviceIdOf((*st)->inode());
    });
    return it == devices.end() ? nullptr : *it;
  }

  static absl::StatusOr<DiskHandle> Open(DeviceNode& node, int backing_id, uint64_t request = 0) {
    return node.OpenDisk(
        "a test", O_RDWR, [backing_id](int) { return backing_id; }, request);
  }

  FakeGuard guard_;
  std::unique_ptr<Process> old_ = std::make_unique<Process>(Survival::Create(guard_).value());
  std::vector<std::unique_ptr<Process>> killed_;
  std::unique_ptr<Process> new_;
};

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_TREE_RESTORE_TEST_H_
