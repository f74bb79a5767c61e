// Whether anybody but us has a memfd open or mapped.
//
// Who maps a disk that the kernel serves by passthrough holds a file of the kernel's on our memfd,
// and holds it after the close that FUSE tells us of.  A lease tells: the kernel gives none for
// writing while the inode is open a second time (generic_add_lease() in fs/locks.c).  Our own
// memfd, wherever it has been handed to, is no open of that kind, nor is what is mapped from it.
//
// Thread safety: of one memfd one call at a time, or they see each other.
#ifndef RNULLFS_STORE_MEMFD_HOLDERS_H_
#define RNULLFS_STORE_MEMFD_HOLDERS_H_

namespace rnullfs {

enum class Holders { kNone, kSome, kUnknown };  // unknown: no /proc, or fs.leases-enable is 0

Holders HoldersOf(int memfd);

}  // namespace rnullfs

#endif  // RNULLFS_STORE_MEMFD_HOLDERS_H_
