// Says no before the kernel kills: whether the machine has memory for more pages.
//
// The kernel answers a lack of memory with its OOM killer, even when the page is asked for by a
// system call, so that a disk which is to fail with ENOSPC must ask first.  A budget asks the
// kernel what is available, and keeps a lease of it, so that a write seldom pays for the question.
//
// It's a forecast: other programs allocate at the same time.  It knows nothing of the limits of
// control groups.
//
// Thread safety: all calls from any thread.  Units: bytes.
#ifndef RNULLFS_STORE_MEMORY_BUDGET_H_
#define RNULLFS_STORE_MEMORY_BUDGET_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "rnullfs/mutex.h"

namespace rnullfs {

class MemoryBudget {
 public:
  static constexpr uint64_t kReserve = uint64_t{64} << 20;   // left to the other programs
  static constexpr uint64_t kLeaseMax = uint64_t{16} << 20;  // taken unasked, at most

  explicit MemoryBudget(uint64_t (*available)()) : available_(available) {}

  // Whether there is memory for `bytes` more, by the kernel's word of now.
  bool Has(uint64_t bytes) const;

  // The same, out of the lease while that lasts: for what is about to be allocated.
  bool Take(uint64_t bytes);

 private:
  uint64_t (*const available_)();
  Mutex mutex_;
  uint64_t lease_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace rnullfs

#endif  // RNULLFS_STORE_MEMORY_BUDGET_H_
