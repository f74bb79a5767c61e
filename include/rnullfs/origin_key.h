// What a process knows an origin (origin.h) by that takes over from another.
#ifndef RNULLFS_ORIGIN_KEY_H_
#define RNULLFS_ORIGIN_KEY_H_

#include <cstdint>
#include <ctime>

namespace rnullfs {

struct OriginKey {
  // A snapshot of a disk of the same mount: the disk's number, and the snapshot's serial.
  uint64_t disk = 0;
  uint64_t snapshot = 0;
  // A file of the machine, and what it was when it was opened.
  uint64_t file_device = 0;
  uint64_t file_inode = 0;
  uint64_t file_bytes = 0;
  timespec file_modified = {};

  bool any() const { return disk != 0 || file_inode != 0; }
};

}  // namespace rnullfs

#endif  // RNULLFS_ORIGIN_KEY_H_
