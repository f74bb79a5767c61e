#include "store/stripe_locks.h"

namespace rnullfs {

// The analysis is off in these six bodies and nowhere else: it can't see which locks a loop takes.
// Each goes through the set bits from the lowest on, the order that keeps ranges from deadlock.

void StripeLocks::Lock(uint32_t stripes) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  for (; stripes != 0; stripes &= stripes - 1) stripes_[std::countr_zero(stripes)].mutex.lock();
}

void StripeLocks::Unlock(uint32_t stripes) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  for (; stripes != 0; stripes &= stripes - 1) stripes_[std::countr_zero(stripes)].mutex.unlock();
}

bool StripeLocks::TryLockAll() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  for (int i = 0; i < kStripes; ++i) {
    if (stripes_[i].mutex.try_lock()) continue;
    while (i > 0) stripes_[--i].mutex.unlock();
    return false;
  }
  return true;
}

void StripeLocks::UnlockAll() ABSL_NO_THREAD_SAFETY_ANALYSIS { Unlock(~uint32_t{0}); }

void StripeLocks::LockShared(uint32_t stripes) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  for (; stripes != 0; stripes &= stripes - 1) {
    stripes_[std::countr_zero(stripes)].mutex.lock_shared();
  }
}

void StripeLocks::UnlockShared(uint32_t stripes) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  for (; stripes != 0; stripes &= stripes - 1) {
    stripes_[std::countr_zero(stripes)].mutex.unlock_shared();
  }
}

}  // namespace rnullfs
