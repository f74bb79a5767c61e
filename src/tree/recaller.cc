#include "tree/recaller.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <new>
#include <utility>

#include "absl/status/statusor.h"
#include "base/threads.h"
#include "tree/device_node.h"

namespace rnullfs {
namespace {

constexpr int kLowestPriority = 19;

// As the keeper of huge pages does, between two batches.
constexpr std::chrono::microseconds kGiveWay(50);

}  // namespace

void Recaller::Start(std::vector<std::weak_ptr<DeviceNode>> nodes) {
  try {
    absl::StatusOr<std::thread> thread =
        StartThread([this, nodes = std::move(nodes)] { Run(nodes); });
    if (thread.ok()) thread_ = *std::move(thread);
  } catch (const std::bad_alloc&) {
    return;
  }
}

void Recaller::Stop() {
  stopping_.store(true);
  if (thread_.joinable()) thread_.join();
}

void Recaller::Run(const std::vector<std::weak_ptr<DeviceNode>>& nodes) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals are for the threads that serve
  pthread_setname_np(pthread_self(), "rnullfs-recall");
  setpriority(PRIO_PROCESS, gettid(), kLowestPriority);
  for (const std::weak_ptr<DeviceNode>& each : nodes) {
    while (!stopping_.load()) {
      // Held for one batch: rmdir frees the disk's memory with the last who holds it.
      const std::shared_ptr<DeviceNode> node = each.lock();
      if (node == nullptr || !node->RecallSome()) break;
      std::this_thread::sleep_for(kGiveWay);
    }
  }
}

}  // namespace rnullfs
