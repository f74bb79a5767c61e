#include "tree/huge_page_keeper.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/threads.h"
#include "tree/device_node.h"

namespace rnullfs {
namespace {

constexpr std::chrono::milliseconds kLookAgain(500);
constexpr std::chrono::milliseconds kLookSeldom(64'000);

// Between two batches, each of which has the node's lock: whoever waits for it (an open, a look at
// stats.json) would else wait for the whole disk, as a lock is no queue.
constexpr std::chrono::microseconds kGiveWay(500);

}  // namespace

void HugePageKeeper::Watch(std::weak_ptr<DeviceNode> node) {
  if (policy_ == HugePages::kNever) return;
  try {
    const LockGuard lock(mutex_);
    if (stopping_ || !refused_.empty()) return;
    watched_.insert(std::move(node));
    watched_again_ = true;
    if (!StartLocked()) return;
  } catch (const std::bad_alloc&) {
    return;
  }
  watched_more_.notify_one();
}

// Without a thread small pages do as well; whoever opens a disk next tries again.
bool HugePageKeeper::StartLocked() {
  if (thread_.joinable()) return true;
  absl::StatusOr<std::thread> thread = StartThread(
      [this] {
        try {
          Run();
        } catch (const std::bad_alloc&) {
          const LockGuard lock(mutex_);
          refused_ = "no memory";  // short enough to need none
        }
      },
      "rnullfs-huge");
  if (thread.ok()) {
    thread_ = *std::move(thread);
  } else if (!std::exchange(said_, true)) {
    Log(absl::StrCat("disks are not put into huge pages: ", thread.status().message()));
  }
  return thread_.joinable();
}

void HugePageKeeper::Stop() {
  std::thread thread;
  {
    const LockGuard lock(mutex_);
    stopping_ = true;
    thread.swap(thread_);
  }
  watched_more_.notify_one();
  if (thread.joinable()) thread.join();
}

size_t HugePageKeeper::waiting() const {
  const LockGuard lock(mutex_);
  return watched_.size();
}

std::string HugePageKeeper::Describe() const {
  const LockGuard lock(mutex_);
  if (!refused_.empty()) return absl::StrCat("never: ", refused_);
  constexpr const char* kNames[] = {"never", "advise", "always"};
  return kNames[static_cast<int>(policy_)];
}

bool HugePageKeeper::stopping() const {
  const LockGuard lock(mutex_);
  return stopping_ || !refused_.empty();
}

void HugePageKeeper::Run() {
  std::chrono::milliseconds pause = kLookAgain;
  while (true) {
    Nodes nodes;
    {
      const LockGuard lock(mutex_);
      const auto wanted = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
        return stopping_ || watched_again_;
      };
      if (watched_.empty()) {
        watched_more_.wait(mutex_, wanted);
      } else if (watched_more_.wait_for(mutex_, pause, wanted)) {
        pause = kLookAgain;
      }
      if (stopping_ || !refused_.empty()) return;
      nodes.swap(watched_);
      watched_again_ = false;
    }
    bool changed = false;
    std::erase_if(nodes, [&](const std::weak_ptr<DeviceNode>& each) {
      const std::shared_ptr<DeviceNode> node = each.lock();
      return node == nullptr || !LookAfter(*node, &changed);
    });
    pause = changed ? kLookAgain : std::min(2 * pause, kLookSeldom);
    const LockGuard lock(mutex_);
    watched_.merge(nodes);
  }
}

// False when the disk needs no looking after any more.
bool HugePageKeeper::LookAfter(DeviceNode& node, bool* changed) {
  uint64_t offset = 0;
  while (!stopping()) {
    const absl::StatusOr<bool> more =
        node.CollapseSome(policy_ == HugePages::kAlways, &offset, changed);
    if (!more.ok()) {
      const LockGuard lock(mutex_);
      refused_ = std::string(more.status().message());
      return false;
    }
    if (!*more) return offset > 0;
    std::this_thread::sleep_for(kGiveWay);
  }
  return false;
}

}  // namespace rnullfs
