// The stages of a device, which its requests go through.
#ifndef RNULLFS_DEVICE_STAGES_H_
#define RNULLFS_DEVICE_STAGES_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <utility>

#include "device/backing.h"
#include "device/faults.h"
#include "device/live_config.h"
#include "device/power_supply.h"
#include "device/queue_slots.h"
#include "device/refusals.h"
#include "device/throttle.h"
#include "device/waiting.h"
#include "rnullfs/device.h"

namespace rnullfs {

// How many requests a disk works on at once.
inline uint32_t SlotsOf(const DeviceConfig& config) {
  constexpr uint32_t kDepthMax = 10240;  // BLK_MQ_MAX_DEPTH
  const uint64_t slots =
      uint64_t{std::min(config.hw_queue_depth, kDepthMax)} * config.submit_queues;
  return static_cast<uint32_t>(std::min<uint64_t>(slots, UINT32_MAX));
}

// In the order of the questions.
struct Device::Stages {
  Stages(const DeviceConfig& config, const Medium& medium, DeviceCounters& counters,
         Complain complain, const std::atomic<bool>* blackout)
      : supply(blackout),
        live(config),
        refusals(config, live, std::move(complain)),
        faults(config, counters),
        throttle(config.mbps, config.iops),
        backing(config, medium, supply),
        slots(SlotsOf(config)) {}

  // What may change; one call at a time.
  void Set(const DeviceConfig& config, int64_t now_nsec) {
    const int64_t completion_nsec = live.completion_nsec();
    const int64_t io_timeout_nsec = live.io_timeout_nsec();
    live.Set(config);
    throttle.Set(config.mbps, config.iops, now_nsec);
    slots.Resize(SlotsOf(config));
    const bool same =
        live.completion_nsec() == completion_nsec && live.io_timeout_nsec() == io_timeout_nsec;
    if (!same) slots.Vacate();
  }

  PowerSupply supply;
  LiveConfig live;
  Refusals refusals;
  Faults faults;
  Throttle throttle;
  Backing backing;
  QueueSlots slots;
  Waiting waiting;  // for their answers
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_STAGES_H_
