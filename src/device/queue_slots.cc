#include "device/queue_slots.h"

#include <algorithm>

namespace rnullfs {

int64_t QueueSlots::Take(int64_t ready_nsec, int64_t duration_nsec) {
  const LockGuard<Mutex> lock(mutex_);
  int64_t begin_nsec = ready_nsec;
  // Once all slots have been taken, this takes the one that is free first.  After a Resize() to
  // fewer it gives up those that are too many, too.
  while (free_nsec_.size() >= count_) {
    begin_nsec = std::max(begin_nsec, free_nsec_.top());
    free_nsec_.pop();
  }
  int64_t end_nsec = 0;
  if (__builtin_add_overflow(begin_nsec, duration_nsec, &end_nsec)) end_nsec = INT64_MAX;
  free_nsec_.push(end_nsec);
  return begin_nsec;
}

void QueueSlots::Resize(uint32_t count) {
  const LockGuard<Mutex> lock(mutex_);
  count_ = std::max(count, uint32_t{1});
}

void QueueSlots::Vacate() {
  const LockGuard<Mutex> lock(mutex_);
  free_nsec_ = {};
}

}  // namespace rnullfs
