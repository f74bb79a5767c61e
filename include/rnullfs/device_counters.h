// What is counted of a device, requests and what its stages did: the part of its state that changes
// with every request.  It lies in a page that outlives the process (src/tree/survival.h), where
// zeros are a device that has done nothing yet.
//
// Thread safety: all calls from any thread.
#ifndef RNULLFS_DEVICE_COUNTERS_H_
#define RNULLFS_DEVICE_COUNTERS_H_

#include <atomic>
#include <cstdint>

#include "rnullfs/statistics.h"

namespace rnullfs {

// Of one FaultAttr: what is left (FaultLeft), and what has been since it was last written.
struct FaultCounters {
  std::atomic<int64_t> times{1};
  std::atomic<int64_t> space{0};
  std::atomic<uint64_t> asked{0};   // requests that `interval` has counted
  std::atomic<uint64_t> failed{0};  // requests that have failed
};

// The same as a version before 0.2 counted it: what was used of what had been written.
struct EarlierFaultCounters {
  std::atomic<uint64_t> passed{0};
  std::atomic<uint64_t> asked{0};
  std::atomic<uint64_t> failed{0};
};

// Of the write cache, since the device was made.
struct CacheCounters {
  std::atomic<uint64_t> written_back{0};  // pages
  std::atomic<uint64_t> dropped{0};       // pages that a power-off has lost
};

// Chance that can be had again: the n-th draw is a function of the seed and n.
struct RandomState {
  std::atomic<uint64_t> seed{0};   // in use since the last power-on
  std::atomic<uint64_t> drawn{0};  // numbers since then
};

struct DeviceCounters {
  Statistics statistics;
  EarlierFaultCounters earlier_timeout;
  EarlierFaultCounters earlier_requeue;
  EarlierFaultCounters earlier_init_hctx;
  CacheCounters cache;
  RandomState random;
  FaultCounters timeout;
  FaultCounters requeue;
  FaultCounters init_hctx;
  std::atomic<uint64_t> faults_known{0};  // whether the three say anything
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_COUNTERS_H_
