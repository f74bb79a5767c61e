// What the program does with a mount that is there, beside serving it; each has a file of its own.
//
// Errors: a Status whose sentence is for stderr.
#ifndef RNULLFS_GUARD_COMMANDS_H_
#define RNULLFS_GUARD_COMMANDS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "guard/left_reader.h"

namespace rnullfs {

// `rnullfs --upgrade MOUNTPOINT`: has the guard of a mount replace the worker, and itself, by the
// program that is on disk now, while I/O runs.  Returns when the new worker serves, having said so
// on stdout.  EINVAL when the mountpoint is not a mount of rnullfs with a guard; EPERM when the
// guard is somebody else's; ETIMEDOUT when it has not been replaced after ten seconds (its log says
// why).
absl::Status UpgradeMount(const std::string& mountpoint);

// `rnullfs -o remount,... MOUNTPOINT`, as mount(8) calls its helper: changes how a mount is
// mounted.  Sets the flags ("ro", "noexec", ...) that are given and leaves the others as they are.
// `settings` are the options that cannot change: EINVAL for one that the mount was not made with.
// EINVAL, too, when there is no mount of rnullfs.
absl::Status Remount(const std::string& mountpoint, const std::vector<std::string>& options,
                     const std::vector<std::string>& settings);

// `rnullfs --rescue PID DIRECTORY`: copies the disks of a mount out of the process that holds them,
// whatever state the mount is in.  It needs nothing but the process's descriptors (/proc/PID/fd):
// who may look at them is the kernel's decision (ptrace(2), "Ptrace access mode checking").
// Writes each disk to DIRECTORY/NAME.img, sparse, and says so on stdout.  The directory is made if
// it is missing.  A file that is there is not overwritten (EEXIST), and what cannot be copied whole
// leaves none; the log says why, and the other disks are copied all the same: the error names those
// that are not, and has the first one's errno.  ENOENT when the process holds no disks.
// A disk that began as another is written with what it shares with that, in the same way for rows
// of them: `reader` knows how.  Where what it shares is missing or not known, there is no NAME.img
// but NAME.own.img, with what it has of its own, and the error names the disk. With `snapshots`
// each one becomes DIRECTORY/NAME@SNAPSHOT.img.
absl::Status Rescue(pid_t pid, const std::string& directory, const LeftReader& reader = {},
                    bool snapshots = false);

}  // namespace rnullfs

#endif  // RNULLFS_GUARD_COMMANDS_H_
