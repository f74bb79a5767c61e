#include "store/stripe_locks.h"

namespace rnullfs {

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

}  // namespace rnullfs
