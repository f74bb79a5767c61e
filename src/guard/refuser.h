// What becomes of a mount whose workers die again and again: every request fails with EIO, so that
// nobody waits for ever and it can be unmounted; what is stored stays in memory until then.
//
// Thread safety: none; the guard has one thread.  Allocates nothing.
#ifndef RNULLFS_GUARD_REFUSER_H_
#define RNULLFS_GUARD_REFUSER_H_

namespace rnullfs {

// Has the kernel send again what it sent to who died.
void ResendRequests(int fuse_fd);

// Answers one request of /dev/fuse, if there is one.  False when the mount is gone.
bool RefuseRequest(int fuse_fd);

}  // namespace rnullfs

#endif  // RNULLFS_GUARD_REFUSER_H_
