// Which process holds a mount, by the kernel's word: where status.json cannot be read, because
// every request is refused.
//
// Thread safety: any thread.
#ifndef RNULLFS_GUARD_FIND_GUARD_H_
#define RNULLFS_GUARD_FIND_GUARD_H_

#include <sys/types.h>

#include <string>

namespace rnullfs {

// The process that has the /dev/fuse of the mount on `path`, which is absolute; 0 when there is
// none that the caller may look at, or the kernel does not say (fdinfo has it since Linux 6.17).
pid_t HolderOfMount(const std::string& path);

}  // namespace rnullfs

#endif  // RNULLFS_GUARD_FIND_GUARD_H_
