#include "store/stripe_locks.h"

namespace rnullfs {

// The analysis is off in these four bodies and nowhere else: it can't see which locks a loop takes.
// Each goes through the set bits from the lowest on, the order that keeps ranges from deadlock.

void StripeLocks::Lock(uint32_t stripes) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  for (; stripes != 0; stripes &= stripes - 1) stripes_[std::countr_zero(stripes)].mutex.lock();
}

void StripeLocks::Unlock(uint32_t stripes) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  for (; stripes != 0; stripes &= stripes - 1) stripes_[std::countr_zero(stripes)].mutex.unlock();
}

void StripeLocks::Drain() {
  for (Stripe& stripe : stripes_) const LockGuard lock(stripe.mutex);
}

bool StripeLocks::TryDrain() {
  for (Stripe& stripe : stripes_) {
    if (!stripe.mutex.try_lock()) return false;
    stripe.mutex.unlock();
  }
  return true;
}

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
