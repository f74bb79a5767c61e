// Copies the disks of a mount out of the process that holds them, whatever state the mount is in:
// `rnullfs --rescue PID DIRECTORY`.
//
// It needs nothing but the process's descriptors (/proc/PID/fd): who may look at them is the
// kernel's decision (ptrace(2), "Ptrace access mode checking"). Errors: a Status whose sentence is
// for stderr.
#ifndef RNULLFS_GUARD_RESCUE_H_
#define RNULLFS_GUARD_RESCUE_H_

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"

namespace rnullfs {

// Writes each disk of the process to DIRECTORY/NAME.img, sparse, and says so on stdout.  The
// directory is made if it is missing.  A file that is there is not overwritten (EEXIST), and what
// cannot be copied whole leaves none; the log says why, and the other disks are copied all the
// same: the error names those that are not, and has the first one's errno.  ENOENT when the process
// holds no disks.
absl::Status Rescue(pid_t pid, const std::string& directory);

}  // namespace rnullfs

#endif  // RNULLFS_GUARD_RESCUE_H_
