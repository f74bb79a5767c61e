#include "device/faults.h"

namespace rnullfs {

Faults::Faults(const DeviceConfig& config, DeviceCounters& counters)
    : random_(counters.random),
      timeout_(config.timeout_inject, counters.timeout, random_),
      requeue_(config.requeue_inject, counters.requeue, random_),
      init_hctx_(config.init_hctx_fault_inject, counters.init_hctx, random_) {}

Faults::Fate Faults::Decide(int64_t patience_nsec) {
  Fate fate;
  for (;;) {
    fate.lost = timeout_.ShouldFail();
    if (!requeue_.ShouldFail()) return fate;
    if (requeues_.fetch_add(1, std::memory_order_relaxed) % 2 == 0) {
      fate.delay_nsec += kRequeueNsec;
      if (fate.delay_nsec < patience_nsec) continue;
      return {.lost = true, .delay_nsec = 0};
    }
  }
}

void Faults::Restart(const FaultPoint& point, const FaultAttr& written) {
  if (point.attr == kTimeout.attr) timeout_.Restart(written);
  if (point.attr == kRequeue.attr) requeue_.Restart(written);
  if (point.attr == kInitHctx.attr) init_hctx_.Restart(written);
}

}  // namespace rnullfs
