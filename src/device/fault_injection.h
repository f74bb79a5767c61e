// Does this request fail on purpose?  The kernel's should_fail() (lib/fault-inject.c), for one
// fault_attr, as null_blk calls it: each request has size 1.
//
// The kernel counts down in the attr itself.  Here the attr stays as it was written, and what has
// happened since is counted in memory that outlives the process, where zeros mean "as written".
// Counters only grow until the attr is written anew, and a failure is counted before it happens: a
// process that is killed between the two has one request fail less, never one more.
//
// A quirk of the kernel's that is kept: `space` lets pass while it is more than the size, so that
// N lets N - 1 requests pass, and 1 is what is left of it.
//
// Thread safety: all calls from any thread; of `times` requests to fail exactly so many do.  The
// counters are for one FaultInjection at a time.
#ifndef RNULLFS_DEVICE_FAULT_INJECTION_H_
#define RNULLFS_DEVICE_FAULT_INJECTION_H_

#include <atomic>

#include "absl/base/thread_annotations.h"
#include "device/random.h"
#include "rnullfs/device_config.h"
#include "rnullfs/device_counters.h"
#include "rnullfs/mutex.h"

namespace rnullfs {

// `times` less what has failed, `space` less what it has let pass.
FaultLeft LeftOf(const FaultAttr& written, const FaultCounters& counters);

// The attr has been written and counts from now on.  Where a FaultInjection uses the counters, its
// own Restart() is the one to call.
void Restart(FaultCounters& counters);

class FaultInjection {
 public:
  // Goes on with an attr that was written earlier: the counters say what has happened since.  They
  // and `random` must outlive this.
  FaultInjection(const FaultAttr& written, FaultCounters& counters, Random& random)
      : counters_(counters),
        random_(random),
        armed_(Armed(written, LeftOf(written, counters))),
        written_(written) {}
  FaultInjection(const FaultInjection&) = delete;
  FaultInjection& operator=(const FaultInjection&) = delete;

  // Begins with an attr that is written now.  No request comes between the old attr and the new
  // counters.
  void Restart(const FaultAttr& written) ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether a request can fail yet.
  bool armed() const { return armed_.load(std::memory_order_relaxed); }

  // Decides for one request.
  bool ShouldFail() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  FaultCounters& counters_;
  Random& random_;
  std::atomic<bool> armed_;  // written under the mutex
  Mutex mutex_;
  FaultAttr written_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_FAULT_INJECTION_H_
