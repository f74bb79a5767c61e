// The descriptors that a guard keeps: all of this process's that are /dev/fuse, one of our memfds,
// or a file that is marked as kept.  There is no other list of them.
//
// Thread safety: none; the guard has one thread.  Allocates nothing but when it is made, and for
// Disks().
#ifndef RNULLFS_GUARD_DESCRIPTORS_H_
#define RNULLFS_GUARD_DESCRIPTORS_H_

#include <unistd.h>

#include <cstdint>
#include <vector>

#include "rnullfs/unique_fd.h"

namespace rnullfs {

enum class KeptKind { kOther, kFuse, kState, kDisk };  // kDisk: any of a disk's

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

class KeptDescriptors {
 public:
  KeptDescriptors();  // those that this process has

  // Holds one more, open until this process ends; EMFILE when there would be none left for a
  // worker.
  int Keep(UniqueFd fd);
  // Closes the memfd that is that file; nothing when none is.
  void Drop(const FileId& file) const;

  // -1 when there is none.
  int fuse() const { return fuse_; }
  int state() const { return state_; }
  std::vector<int> Disks() const;
  // Whether a program that this process executes gets them.
  void SetInherited(bool inherited) const;

  // Up to which number descriptors are looked at.
  int highest() const { return highest_; }

 private:
  void Note(int fd);

  int highest_ = STDERR_FILENO;
  int fuse_ = -1;
  int state_ = -1;
};

}  // namespace rnullfs

#endif  // RNULLFS_GUARD_DESCRIPTORS_H_
