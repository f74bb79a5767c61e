// /dev/fuse as a guard uses it: somebody waits there for an answer whether there is a worker or
// not.
//
// Thread safety: none; the guard has one thread.  Allocates nothing.
#ifndef RNULLFS_GUARD_FUSE_DEVICE_H_
#define RNULLFS_GUARD_FUSE_DEVICE_H_

namespace rnullfs {

// Has the kernel send again what it sent to who died.
void ResendRequests(int fuse);

// Both are true while there is no mount (-1).  What had been handed out is among the requests once
// it is sent again.
bool HasRequests(int fuse);
bool IsUnmounted(int fuse);

// Whether RefuseRequest(), or a worker, is to read from it next.
void SetRefusing(int fuse, bool refusing);
// Answers one request with EIO, if there is one.  False when the mount is gone.
bool RefuseRequest(int fuse);

}  // namespace rnullfs

#endif  // RNULLFS_GUARD_FUSE_DEVICE_H_
