// Opens a file for somebody else, with no more rights than he has.
//
// Thread safety: any thread.  Takes a thread for a moment, whose credentials alone change.
// Errors: those of open(2), as his own open would give; EPERM for who cannot be seen from here;
// ETIMEDOUT for a path that takes seconds; EBUSY where open(2) says EAGAIN (leases).
#ifndef RNULLFS_BASE_OPEN_AS_H_
#define RNULLFS_BASE_OPEN_AS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "rnullfs/requester.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {

// For reading; no symbolic link as its last part, and no capabilities.
absl::StatusOr<UniqueFd> OpenAs(const Requester& who, const std::string& path);

// The process's supplementary groups; none when it is gone.
std::vector<gid_t> GroupsOf(pid_t pid);

}  // namespace rnullfs

#endif  // RNULLFS_BASE_OPEN_AS_H_
