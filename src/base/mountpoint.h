// Where a mount is or is to be: what is there, and taking it away.
//
// Thread safety: pure functions of the system's state.
#ifndef RNULLFS_BASE_MOUNTPOINT_H_
#define RNULLFS_BASE_MOUNTPOINT_H_

#include <sys/types.h>

#include <optional>
#include <string>

#include "absl/status/status.h"

namespace rnullfs {

// The kernel's own words about a mount; who serves it cannot change them.
struct MountEntry {
  std::string type;           // "fuse.rnullfs"; empty when nothing is mounted
  std::optional<uid_t> user;  // who has mounted it
};

// What is mounted last on `path`, which is absolute.
MountEntry MountedOn(const std::string& path);
bool IsOurMount(const MountEntry& mounted);

// Detaches the mount of rnullfs on `path`, through fusermount3 for who is not root.  False when
// none is there any more, or it may not be done.
bool UnmountOurs(const std::string& path);

// Checks the mountpoint, and makes it absolute.  A mount of ours whose processes are gone is taken
// away first, with a line in the log; one of another file system is not touched.
// ENOENT or ENOTDIR for what is no directory; EBUSY for a dead mount that is not ours.
absl::Status FindMountpoint(std::string& path);

}  // namespace rnullfs

#endif  // RNULLFS_BASE_MOUNTPOINT_H_
