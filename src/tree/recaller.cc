#include "tree/recaller.h"

#include <chrono>
#include <new>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/threads.h"
#include "tree/device_node.h"

namespace rnullfs {
namespace {

// Between two batches, as the keeper of huge pages does; and so that there is time for others.  Not
// a low priority: who was put off with a lock in his hands would put the others off.
constexpr std::chrono::microseconds kGiveWay(50);

}  // namespace

void Recaller::Start(const std::vector<std::shared_ptr<DeviceNode>>& nodes) {
  try {
    const std::vector<std::weak_ptr<DeviceNode>> weak(nodes.begin(), nodes.end());
    absl::StatusOr<std::thread> thread = StartThread([this, weak] { Run(weak); }, "rnullfs-recall");
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
