// When does a request's turn come?  A queue works on hw_queue_depth requests at once, as the
// hardware queues of blk-mq have so many tags; the next one begins when one of them is done.
//
// This only computes.  Nobody waits here: the completion queue does, for the end of the request.
//
// Thread safety: all calls from any thread; requests get slots in the order of the calls.
// Units: nanoseconds, of any clock.
#ifndef RNULLFS_DEVICE_QUEUE_SLOTS_H_
#define RNULLFS_DEVICE_QUEUE_SLOTS_H_

#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "rnullfs/mutex.h"

namespace rnullfs {

class QueueSlots {
 public:
  // At least 1; 0 counts as 1.
  explicit QueueSlots(uint32_t count) { Resize(count); }

  // When a request begins that could do so at `ready_nsec` and takes `duration_nsec`: then if a
  // slot is free, else as soon as one is.  The slot is taken until begin + duration, or for ever
  // where that is past the end of time.
  int64_t Take(int64_t ready_nsec, int64_t duration_nsec) ABSL_LOCKS_EXCLUDED(mutex_);

  // For the requests to come.  Those that have begun go on; where they are as many as the new count
  // or more, the next one begins when there are fewer.
  void Resize(uint32_t count) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same where what requests take has changed: none of the slots is taken.  Those that have
  // begun, or were to begin, go on beside what comes.
  void Vacate() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Mutex mutex_;
  uint32_t count_ ABSL_GUARDED_BY(mutex_) = 1;
  // When each slot becomes free, the earliest at the top.  A slot that was never taken has no
  // entry.
  std::priority_queue<int64_t, std::vector<int64_t>, std::greater<>> free_nsec_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_QUEUE_SLOTS_H_
