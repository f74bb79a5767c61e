// Reader-writer locks over the pages of a disk, fewer than there are pages.
//
// A stripe is 32 neighbouring pages (128 KiB), and stripes 4 MiB apart share a lock.  So a usual
// request takes one lock, or two, requests in different places rarely meet, and a request of any
// length takes at most 32: ThreadSanitizer follows no more than 64 that a thread holds.
//
// Every range takes its locks in ascending order, wherever it begins: no two can wait for each
// other.
//
// Thread safety: that is its purpose.  To clang's analysis all stripes are one lock: it checks that
// a range is held, not which one, for no annotation can name a lock by a number from run time.
#ifndef RNULLFS_STORE_STRIPE_LOCKS_H_
#define RNULLFS_STORE_STRIPE_LOCKS_H_

#include <array>
#include <bit>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "rnullfs/mutex.h"

namespace rnullfs {

class ABSL_LOCKABLE StripeLocks {
 public:
  static constexpr int kStripes = 32;  // as many as a uint32_t has bits
  static constexpr uint64_t kPagesPerStripe = 32;
  class Exclusive;
  class Shared;

  // Waits until everybody has let go who has a lock now, one lock after the other; or says whether
  // that is so already.  The caller has none of them.
  void Drain() ABSL_LOCKS_EXCLUDED(this);
  bool TryDrain();

  // One bit for each lock that covers a page of [first, last].
  static constexpr uint32_t StripesOf(uint64_t first, uint64_t last) {
    const uint64_t first_stripe = first / kPagesPerStripe;
    const uint64_t stripes = last / kPagesPerStripe - first_stripe + 1;
    if (stripes >= kStripes) return ~uint32_t{0};
    return std::rotl((uint32_t{1} << stripes) - 1, static_cast<int>(first_stripe % kStripes));
  }

 private:
  struct alignas(64) Stripe {  // a cache line each, lest neighbours slow each other down
    SharedMutex mutex;
  };

  // Locks or unlocks the stripes from the lowest on, the order that keeps ranges from deadlock.  In
  // those four that call it, and nowhere else, the analysis is off: it can't see which locks a loop
  // takes.
  void ForEach(uint32_t stripes, void (SharedMutex::*change)()) {
    for (; stripes != 0; stripes &= stripes - 1) {
      (stripes_[std::countr_zero(stripes)].mutex.*change)();
    }
  }

  std::array<Stripe, kStripes> stripes_;
};

// Holds the pages [first, last] against everyone for a scope.
class ABSL_SCOPED_LOCKABLE StripeLocks::Exclusive {
 public:
  Exclusive(StripeLocks& locks, uint64_t first, uint64_t last)
      ABSL_EXCLUSIVE_LOCK_FUNCTION(locks) ABSL_NO_THREAD_SAFETY_ANALYSIS
      : locks_(locks),
        stripes_(StripesOf(first, last)) {
    locks_.ForEach(stripes_, &SharedMutex::lock);
  }
  ~Exclusive() ABSL_UNLOCK_FUNCTION() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    locks_.ForEach(stripes_, &SharedMutex::unlock);
  }
  Exclusive(const Exclusive&) = delete;
  Exclusive& operator=(const Exclusive&) = delete;

 private:
  StripeLocks& locks_;
  const uint32_t stripes_;
};

// Holds the pages [first, last] against writers for a scope.
class ABSL_SCOPED_LOCKABLE StripeLocks::Shared {
 public:
  Shared(StripeLocks& locks, uint64_t first, uint64_t last)
      ABSL_SHARED_LOCK_FUNCTION(locks) ABSL_NO_THREAD_SAFETY_ANALYSIS
      : locks_(locks),
        stripes_(StripesOf(first, last)) {
    locks_.ForEach(stripes_, &SharedMutex::lock_shared);
  }
  ~Shared() ABSL_UNLOCK_FUNCTION() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    locks_.ForEach(stripes_, &SharedMutex::unlock_shared);
  }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

 private:
  StripeLocks& locks_;
  const uint32_t stripes_;
};

}  // namespace rnullfs

#endif  // RNULLFS_STORE_STRIPE_LOCKS_H_
