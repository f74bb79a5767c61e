// Where a mount is to be: what is there already.
//
// Thread safety: pure functions of the system's state.
#ifndef RNULLFS_BASE_MOUNTPOINT_H_
#define RNULLFS_BASE_MOUNTPOINT_H_

#include <string>

#include "absl/status/status.h"

namespace rnullfs {

// Checks the mountpoint, and makes it absolute.  A mount of ours whose processes are gone is taken
// away first, with a line in the log; one of another file system is not touched.
// ENOENT or ENOTDIR for what is no directory; EBUSY for a dead mount that is not ours.
absl::Status FindMountpoint(std::string& path);

}  // namespace rnullfs

#endif  // RNULLFS_BASE_MOUNTPOINT_H_
