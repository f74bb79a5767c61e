// What a disk's files show and take: its configuration, which is as it was written, and its state,
// which is what requests have made of it.
//
// Thread safety: plain values.
#ifndef RNULLFS_SETTINGS_H_
#define RNULLFS_SETTINGS_H_

#include <string>

#include "rnullfs/bad_blocks.h"
#include "rnullfs/device_config.h"
#include "rnullfs/fault_rule.h"

namespace rnullfs {

// As of a disk that has done nothing yet.
struct DeviceState {
  BadBlocks badblocks = {};  // those that have healed (badblocks_once) are not in it
  FaultLeft timeout_inject = {};
  FaultLeft requeue_inject = {};
  FaultLeft init_hctx_fault_inject = {};

  bool operator==(const DeviceState&) const = default;
};

struct Settings {
  DeviceConfig config = {};
  DeviceState state = {};
  std::string origin = {};   // what the disk begins as (origin.h); empty: as zeros
  FaultRules faults = {};    // by name
  std::string unknown = {};  // a later version's attributes, as JSON: kept for it

  bool operator==(const Settings&) const = default;
};

}  // namespace rnullfs

#endif  // RNULLFS_SETTINGS_H_
