// `rnullfs --upgrade MOUNTPOINT`: has the guard of a mount replace the worker, and itself, by the
// program that is on disk now, while I/O runs.
//
// Errors: a Status whose sentence is for stderr.
#ifndef RNULLFS_GUARD_UPGRADE_H_
#define RNULLFS_GUARD_UPGRADE_H_

#include <string>

#include "absl/status/status.h"

namespace rnullfs {

// Returns when the new worker serves, having said so on stdout.  EINVAL when the mountpoint is not
// a mount of rnullfs with a guard; EPERM when the guard is somebody else's; ETIMEDOUT when it has
// not been replaced after ten seconds (its log says why).
absl::Status UpgradeMount(const std::string& mountpoint);

}  // namespace rnullfs

#endif  // RNULLFS_GUARD_UPGRADE_H_
