// Whether a file's contents come from a disk of rnullfs: who answers requests must not wait for
// such, lest he waits for himself, and cannot even be ended then.
//
// It is seen where the file is on such a mount, is a loop device on one, or is on a file system on
// such a loop device; other devices in between are not looked through, nor, without the rights to
// open it, a loop device under a file system.
//
// Thread safety: a pure function.
#ifndef RNULLFS_BASE_OUR_MOUNTS_H_
#define RNULLFS_BASE_OUR_MOUNTS_H_

namespace rnullfs {

bool LiesOnOurMount(int fd);

}  // namespace rnullfs

#endif  // RNULLFS_BASE_OUR_MOUNTS_H_
