// What is left of a disk's faults, in counters that outlive the process.
//
// Zeros in a page of counters say nothing of `times`, so that the page also says whether it knows;
// else the disk's record does.  A version before 0.2 counted how much of what its record has was
// used; where such counts are found, they are the newer ones.
//
// Thread safety: while nobody else uses the counters.
#ifndef RNULLFS_DISK_FAULT_COUNTERS_H_
#define RNULLFS_DISK_FAULT_COUNTERS_H_

#include "rnullfs/device_counters.h"
#include "rnullfs/settings.h"

namespace rnullfs {

// A disk begins with, or goes on from, what its record has; unless the counters know better.
void RestoreFaults(const DeviceState& saved, DeviceCounters& counters);

}  // namespace rnullfs

#endif  // RNULLFS_DISK_FAULT_COUNTERS_H_
