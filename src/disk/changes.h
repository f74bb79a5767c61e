// What a change of a disk's settings means: what may change while it is on; and of faults, of which
// both configuration and state are written, which of the two.
//
// Thread safety: one call at a time (the disk's owner's lock).
#ifndef RNULLFS_DISK_CHANGES_H_
#define RNULLFS_DISK_CHANGES_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "device/faults.h"
#include "rnullfs/device.h"
#include "rnullfs/settings.h"

namespace rnullfs {

// EBUSY: those attributes cannot change while the disk is on.
absl::Status BusyWhileOn(std::string_view attributes);
// The same for what does change, but for a size that becomes larger.
absl::Status CheckLive(const Settings& seen, const Settings& next);

// EINVAL where a fault rule that is on cannot do what it says.
absl::Status CheckRules(const Settings& next);

// Makes `next` what is wanted, but for what nobody can want.  Of a disk with an origin, what is as
// by default stays as it is: as its origin needs it.
void Want(const Settings& wanted, Settings& next);

// Of faults that `next` does not write what was written stays, as counting goes on from there.
bool Written(const FaultPoint& point, const Settings& seen, const Settings& next);
// What is told to be left is from then on what has been written.
FaultAttr AsWritten(const FaultPoint& point, const Settings& settings);

// What `next` is to be written as, where `now` was.
DeviceConfig ConfigOf(const Settings& seen, const Settings& next, const DeviceConfig& now);
// Counts anew what `next` writes; of a disk that is off, `device` is null.
void CountAnew(const Settings& seen, const Settings& next, DeviceCounters& counters,
               Device* device);
// The change was not made: its counters begin anew, of what there was to count.
void CountAsBefore(const Settings& seen, const Settings& next, DeviceCounters& counters,
                   DeviceConfig& config);
// What is left of all.
void CountFaults(const DeviceConfig& config, const DeviceCounters& counters, DeviceState& state);

}  // namespace rnullfs

#endif  // RNULLFS_DISK_CHANGES_H_
