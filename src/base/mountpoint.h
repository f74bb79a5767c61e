// Where a mount is or is to be: what is there, and taking it away.
//
// Thread safety: pure functions of the system's state.
#ifndef RNULLFS_BASE_MOUNTPOINT_H_
#define RNULLFS_BASE_MOUNTPOINT_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "absl/status/status.h"

namespace rnullfs {

// The kernel's own words about a mount; who serves it cannot change them.
struct MountEntry {
  std::string type;           // "fuse.rnullfs"; empty when nothing is mounted
  std::optional<uid_t> user;  // who has mounted it
  std::string device;         // "0:42", in every mount namespace
};

// What is mounted last on `path`, which is absolute.
MountEntry MountedOn(const std::string& path);
bool IsOurMount(const MountEntry& mounted);

// The device of the mount that a process's descriptor of /dev/fuse serves; empty where the kernel
// does not tell (before Linux 6.16, or without /proc).
std::string FuseDeviceOf(int fuse_fd, const std::string& process = "self");

// Whether what is mounted last is another mount than the one that `fuse_fd` serves.
bool LiesOver(const MountEntry& mounted, int fuse_fd);

// Detaches the mount of rnullfs on `path` that `fuse_fd` serves (-1: whichever), through
// fusermount3 for who is not root.  False when it is not what is mounted last there, or it may not
// be done.
bool UnmountOurs(const std::string& path, int fuse_fd = -1);

// The text of status.json in a mount: the word of whoever serves it.
std::string StatusTextOf(const std::string& mountpoint);
// "guard_pid" or "worker_pid" in it; 0 when it is not there.
pid_t PidOf(std::string_view status, std::string_view key);

// Absolute; the last component is not looked at, as a mount that is dead or refuses cannot be.
std::string AbsoluteMountpoint(const std::string& path, std::error_code& error);

// Checks the mountpoint, and makes it absolute.  A mount of ours whose processes are gone is taken
// away first, with a line in the log; one of another file system is not touched.
// ENOENT or ENOTDIR for what is no directory; EBUSY for a dead mount that is not ours, and for one
// of ours that lives.
absl::Status FindMountpoint(std::string& path);

}  // namespace rnullfs

#endif  // RNULLFS_BASE_MOUNTPOINT_H_
