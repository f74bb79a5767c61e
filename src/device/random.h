// Chance that can be had again: a disk that was told its seed is as unlucky each time.
//
// The n-th number since power-on is a function of the seed and n alone (SplitMix64), so that there
// is no state to lock but a counter.  Seed and counter lie in memory that outlives the process: the
// next one goes on where this one was.
//
// Thread safety: Below() from any thread; no number is drawn twice.  Start() as well, but what is
// drawn meanwhile may be of the old series or the new one.
#ifndef RNULLFS_DEVICE_RANDOM_H_
#define RNULLFS_DEVICE_RANDOM_H_

#include <cstdint>

#include "rnullfs/clock.h"
#include "rnullfs/device_counters.h"

namespace rnullfs {

class Random {
 public:
  // Goes on with the series that `state` is in, which must outlive this.
  explicit Random(RandomState& state) : state_(state) {}

  // Power-on: begins the series of `seed`, or of one that the clock gives where that is 0.  The one
  // in use is in the state, and never 0.
  void Start(uint64_t seed, const Clock& clock);

  // The next number of the series, in [0, bound).  Its bias is below bound / 2^64.
  uint64_t Below(uint64_t bound);

 private:
  RandomState& state_;
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_RANDOM_H_
