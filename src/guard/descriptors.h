// The descriptors that a guard keeps: all of this process's that are /dev/fuse or one of our
// memfds. There is no other list of them.
//
// Thread safety: none; the guard has one thread.  Allocates nothing but in CollectKept().
#ifndef RNULLFS_GUARD_DESCRIPTORS_H_
#define RNULLFS_GUARD_DESCRIPTORS_H_

#include <cstdint>
#include <vector>

namespace rnullfs {

enum class KeptKind { kOther, kFuse, kState, kDisk };

KeptKind KindOf(int fd);

// Which file a descriptor is of: the numbers of descriptors differ between processes, and inode
// numbers are a file system's own.
struct FileId {
  uint64_t device = 0;
  uint64_t inode = 0;
  bool operator==(const FileId&) const = default;
};
FileId FileIdOf(int fd);

// Whether a descriptor with that number leaves enough of them to a worker, which gets all that are
// kept and needs some of its own.
bool LeavesRoom(int fd);

// Up to which number descriptors are looked at; noted by the guard as they come.
std::vector<int> CollectKept(int fd_max);

// Closes the memfd that is that file; nothing when none is.
void CloseKept(int fd_max, const FileId& file);

// Whether a program that this process executes gets the kept descriptors.
void SetInherited(int fd_max, bool inherited);

// The number of the highest descriptor that is open.
int HighestDescriptor();

}  // namespace rnullfs

#endif  // RNULLFS_GUARD_DESCRIPTORS_H_
