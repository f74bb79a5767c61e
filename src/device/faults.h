// How much of it works?  Faults on purpose, at the three places where null_blk injects them: a
// request that gets lost (should_timeout_request()), one that the disk cannot take at once
// (should_requeue_request()), a queue that cannot be set up (should_init_hctx_fail()).
//
// Both kinds of request faults are asked for each try of a request, first the timeout, as
// null_queue_rq() does it; a requeue decides.  A requeued request is tried again within Decide():
// every other one at once, the rest after what the block layer waits when a disk lacks resources.
//
// Thread safety: all calls from any thread.
// Units: nanoseconds.
#ifndef RNULLFS_DEVICE_FAULTS_H_
#define RNULLFS_DEVICE_FAULTS_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "device/fault_injection.h"
#include "device/random.h"
#include "rnullfs/clock.h"
#include "rnullfs/device_counters.h"
#include "rnullfs/settings.h"

namespace rnullfs {

// A place where faults are injected: the attributes as written, what is left of them, and what has
// been counted since.
struct FaultPoint {
  FaultAttr DeviceConfig::*attr;
  FaultLeft DeviceState::*left;
  FaultCounters DeviceCounters::*counters;
};

inline constexpr FaultPoint kTimeout = {&DeviceConfig::timeout_inject, &DeviceState::timeout_inject,
                                        &DeviceCounters::timeout};
inline constexpr FaultPoint kRequeue = {&DeviceConfig::requeue_inject, &DeviceState::requeue_inject,
                                        &DeviceCounters::requeue};
inline constexpr FaultPoint kInitHctx = {&DeviceConfig::init_hctx_fault_inject,
                                         &DeviceState::init_hctx_fault_inject,
                                         &DeviceCounters::init_hctx};
inline constexpr std::array<FaultPoint, 3> kFaultPoints = {kTimeout, kRequeue, kInitHctx};

class Faults {
 public:
  static constexpr int64_t kRequeueNsec = 3'000'000;  // BLK_MQ_RESOURCE_DELAY in block/blk-mq.c

  // Goes on with what `counters`, which outlives it, say.
  Faults(const DeviceConfig& config, DeviceCounters& counters);

  // Power-on: chance begins anew.
  void Start(uint64_t seed, const Clock& clock) { random_.Start(seed, clock); }

  // Whether one of the queues cannot be set up.
  bool QueueFails() { return init_hctx_.ShouldFail(); }

  // What becomes of a request: it is lost or not, after having been sent back for some time.  One
  // that is sent back for `patience_nsec` counts as lost.
  struct Fate {
    bool lost = false;
    int64_t delay_nsec = 0;
  };
  Fate Decide(int64_t patience_nsec);

  // Whether anything can happen to requests.
  bool armed() const { return timeout_.armed() || requeue_.armed(); }

  // Attributes that have been written: those whose point it is begin anew.
  void Restart(const FaultPoint& point, const FaultAttr& written);

 private:
  Random random_;
  FaultInjection timeout_;
  FaultInjection requeue_;
  FaultInjection init_hctx_;
  std::atomic<uint32_t> requeues_{0};
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_FAULTS_H_
