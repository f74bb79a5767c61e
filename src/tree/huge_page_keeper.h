// Puts the disks that the kernel serves into huge pages, in the background.
//
// A page that the kernel's write stores is a small one unless shmem_enabled is "always", which
// would waste memory on sparse disks.  So a thread of ours looks now and then for runs of 2 MiB
// that are stored and has the kernel collapse them (MADV_COLLAPSE, madvise(2); it works with any
// shmem_enabled but "deny").  It looks again while a disk changes, ever more seldom while none
// does, and not at all while none is open.
//
// Thread safety: all calls from any thread.
#ifndef RNULLFS_TREE_HUGE_PAGE_KEEPER_H_
#define RNULLFS_TREE_HUGE_PAGE_KEEPER_H_

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "command_line/mount_options.h"
#include "rnullfs/mutex.h"

namespace rnullfs {

class DeviceNode;

class HugePageKeeper {
 public:
  explicit HugePageKeeper(HugePages policy) : policy_(policy) {}
  ~HugePageKeeper() { Stop(); }
  HugePageKeeper(const HugePageKeeper&) = delete;
  HugePageKeeper& operator=(const HugePageKeeper&) = delete;

  // Looks after the node's disk from now on, until its last passthrough open is closed; or does
  // not, where there is no thread or no memory for it.  Once, however often it is called.  Never
  // throws.
  void Watch(std::weak_ptr<DeviceNode> node) ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends the thread; nothing is watched any more.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  // How many disks are waiting to be looked after.
  size_t waiting() const ABSL_LOCKS_EXCLUDED(mutex_);

  // What status.json says: "advise", or "never" and why.
  std::string Describe() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Nodes = std::set<std::weak_ptr<DeviceNode>, std::owner_less<>>;

  bool StartLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  bool LookAfter(DeviceNode& node, bool* changed) ABSL_LOCKS_EXCLUDED(mutex_);
  bool stopping() const ABSL_LOCKS_EXCLUDED(mutex_);

  const HugePages policy_;
  mutable Mutex mutex_;
  std::condition_variable_any watched_more_;
  Nodes watched_ ABSL_GUARDED_BY(mutex_);
  bool watched_again_ ABSL_GUARDED_BY(mutex_) = false;  // since the last look
  std::string refused_ ABSL_GUARDED_BY(mutex_);         // why the kernel has none
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool said_ ABSL_GUARDED_BY(mutex_) = false;  // that there is no thread
  std::thread thread_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rnullfs

#endif  // RNULLFS_TREE_HUGE_PAGE_KEEPER_H_
