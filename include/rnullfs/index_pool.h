// The numbers of the devices that are on (null_blk's `index`): the least that is free.
//
// Thread safety: all calls from any thread.
#ifndef RNULLFS_INDEX_POOL_H_
#define RNULLFS_INDEX_POOL_H_

#include <cstdint>
#include <set>

#include "absl/base/thread_annotations.h"
#include "rnullfs/mutex.h"

namespace rnullfs {

class IndexPool {
 public:
  uint32_t Take() {
    const LockGuard lock(mutex_);
    uint32_t least = 0;
    for (auto it = taken_.begin(); it != taken_.end() && *it == least; ++it) ++least;
    taken_.insert(least);
    return least;
  }
  // One that a device has already.
  void Keep(uint32_t index) {
    const LockGuard lock(mutex_);
    taken_.insert(index);
  }
  void GiveBack(uint32_t index) {
    const LockGuard lock(mutex_);
    taken_.erase(index);
  }

 private:
  Mutex mutex_;
  std::set<uint32_t> taken_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rnullfs

#endif  // RNULLFS_INDEX_POOL_H_
