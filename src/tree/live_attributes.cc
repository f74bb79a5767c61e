// Attributes that requests change, or that may be written while requests come: where their values
// are, and how a change reaches the powered device.

#include "device/bad_block_table.h"
#include "device/faults.h"
#include "tree/device_node.h"
#include "tree/inode.h"

namespace rnullfs {

// The configuration as it is at this moment, as files and config.json show it.
DeviceConfig DeviceNode::Current() const {
  DeviceConfig current = config_;
  if (medium_ != nullptr) current.badblocks = medium_->bad_blocks().Get();
  for (const FaultPoint& point : kFaultPoints) {
    current.*point.attr = Remaining(config_.*point.attr, counters_.*point.counters);
  }
  return current;
}

// False when the bad blocks are no longer those of `now`.
bool DeviceNode::TakeBadBlocks(const DeviceConfig& now, const DeviceConfig& next) {
  if (next.badblocks == now.badblocks) return true;
  return medium_->bad_blocks().Replace(now.badblocks, next.badblocks);
}

// `next` as it was written: what requests have counted down since then is in the counters.
DeviceConfig DeviceNode::Written(const DeviceConfig& now, const DeviceConfig& next) const {
  DeviceConfig written = next;
  for (const FaultPoint& point : kFaultPoints) {
    if (next.*point.attr == now.*point.attr) written.*point.attr = config_.*point.attr;
  }
  return written;
}

// The fault attributes that `next` changes count from what is shown now: nothing else is different.
void DeviceNode::CountAnew(const DeviceConfig& now, const DeviceConfig& next) {
  for (const FaultPoint& point : kFaultPoints) {
    if (next.*point.attr == now.*point.attr) continue;
    config_.*point.attr = now.*point.attr;
    Restart(counters_.*point.counters);
  }
}

// The device goes on as `next` says; `now` is what Current() was before.
void DeviceNode::Take(const DeviceConfig& now, const DeviceConfig& next) {
  if (!(now == next)) {
    Own(kDirectorySlot, created_.mode).modified = services_.device.clock.WallTime();
  }
  const bool goes_on = config_.power && next.power;
  if (!next.power) CountAnew(now, next);  // power-on has done it
  const DeviceConfig written = Written(now, next);
  for (const FaultPoint& point : kFaultPoints) {
    const bool changed = !(next.*point.attr == now.*point.attr);
    if (goes_on && changed) device_->RestartFaults(point, written.*point.attr);
  }
  const uint32_t index = config_.index;  // power-on gives it
  config_ = written;
  config_.index = index;
  config_.badblocks = {};  // the medium has them
  if (device_ != nullptr) device_->SetLive(config_);
}

}  // namespace rnullfs
