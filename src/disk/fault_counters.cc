#include "disk/fault_counters.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <utility>

#include "device/faults.h"

namespace rnullfs {
namespace {

constexpr std::pair<const FaultPoint&, EarlierFaultCounters DeviceCounters::*> kEarlier[] = {
    {kTimeout, &DeviceCounters::earlier_timeout},
    {kRequeue, &DeviceCounters::earlier_requeue},
    {kInitHctx, &DeviceCounters::earlier_init_hctx},
};

bool Used(const EarlierFaultCounters& earlier) {
  return earlier.passed.load() != 0 || earlier.asked.load() != 0 || earlier.failed.load() != 0;
}

// Never below 0; what is below 0 from the start, kUnlimited, stays.
int64_t Left(int64_t written, uint64_t used) {
  if (std::cmp_less(used, written)) return written - static_cast<int64_t>(used);
  return std::min(written, int64_t{0});
}

}  // namespace

void RestoreFaults(const DeviceState& saved, DeviceCounters& counters) {
  bool newer = counters.faults_known.load() == 0;
  for (const auto& [point, earlier] : kEarlier) newer = newer || Used(counters.*earlier);
  if (!newer) return;
  for (const auto& [point, member] : kEarlier) {
    const EarlierFaultCounters& earlier = counters.*member;
    const FaultLeft& written = saved.*point.left;
    FaultCounters& now = counters.*point.counters;
    Restart(now, {.times = Left(written.times, earlier.failed.load()),
                  .space = Left(written.space, earlier.passed.load())});
    now.asked = earlier.asked.load();
    now.failed = earlier.failed.load();
  }
  // In this order: who is killed in between does the same again.
  counters.faults_known = 1;
  for (const auto& [point, member] : kEarlier) {
    EarlierFaultCounters& earlier = counters.*member;
    earlier.passed = earlier.asked = earlier.failed = 0;
  }
}

}  // namespace rnullfs
