// What is agreed with the kernel when a mount starts, and what may be asked of it.
//
// Thread safety: pure functions.
#ifndef RNULLFS_FUSE_NEGOTIATE_H_
#define RNULLFS_FUSE_NEGOTIATE_H_

#include <fuse_lowlevel.h>

#include <string>
#include <vector>

namespace rnullfs {

// How the list of capabilities names FUSE over io_uring.
inline constexpr char kRingCapability[] = "over_io_uring";

// Asks for what the disks need and declines what would harm them; returns the names of the
// capabilities in use.  `ring`: FUSE over io_uring is wanted.  `agreed`: with a kernel that has
// been asked before, all that may be in use; null when it has not.
std::vector<std::string> NegotiateCapabilities(fuse_conn_info& connection, bool ring,
                                               const std::vector<std::string>* agreed = nullptr);

// Why there can be no passthrough when these capabilities are in use, as a clause; empty when there
// can.
std::string PassthroughObstacle(const std::vector<std::string>& capabilities);

// Whether this user's mounts may be opened by others, root among them: root's may, others' when
// fuse.conf says user_allow_other.
bool MayAllowOther();

}  // namespace rnullfs

#endif  // RNULLFS_FUSE_NEGOTIATE_H_
