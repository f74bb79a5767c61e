// `rnullfs -o remount,... MOUNTPOINT`, as mount(8) calls its helper: changes how a mount is
// mounted.
//
// Errors: a Status whose sentence is for stderr.
#ifndef RNULLFS_GUARD_REMOUNT_H_
#define RNULLFS_GUARD_REMOUNT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace rnullfs {

// Sets the flags ("ro", "noexec", ...) that are given and leaves the others as they are. `settings`
// are the options that cannot change: EINVAL for one that the mount was not made with.  EINVAL,
// too, when there is no mount of rnullfs.
absl::Status Remount(const std::string& mountpoint, const std::vector<std::string>& options,
                     const std::vector<std::string>& settings);

}  // namespace rnullfs

#endif  // RNULLFS_GUARD_REMOUNT_H_
