// The power of all disks of a mount goes at one moment: whoever has seen a request fail for it can
// write to no disk any more, so that all of them keep what they had been told before.
//
// Thread safety: all calls from any thread.
#ifndef RNULLFS_TREE_BLACKOUT_H_
#define RNULLFS_TREE_BLACKOUT_H_

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "rnullfs/mutex.h"
#include "tree/device_node.h"

namespace rnullfs {

class Blackout {
 public:
  // Where devices look (DeviceServices).
  const std::atomic<bool>* flag() const { return &now_; }

  // Cuts the power of all `devices` that are on.  As DeviceNode::Cut(); where one refuses, with its
  // name, none is cut.  A `request` that is heard again has been done; 0: none.  `survival` may be
  // null.
  using Devices = std::function<std::vector<std::shared_ptr<DeviceNode>>()>;
  absl::Status Cut(const Devices& devices, Survival* survival, uint64_t request)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // What a process began that has died within it, for who takes over, before the first request.
  void Finish(const Devices& devices, Survival& survival) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Status CutEach(const Devices& devices, Survival* survival)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Mutex mutex_;
  std::atomic<bool> now_{false};
};

}  // namespace rnullfs

#endif  // RNULLFS_TREE_BLACKOUT_H_
