// A snapshot of a disk, as its users see it: a moment that is held.
#ifndef RNULLFS_SNAPSHOT_H_
#define RNULLFS_SNAPSHOT_H_

#include <cstdint>
#include <string>

namespace rnullfs {

struct Snapshot {
  uint32_t number;   // below 65535; of those that there are no other has it
  std::string name;  // empty: hidden
  uint64_t serial;   // no other one of the disk ever has it
  uint64_t moment;   // the last change that is in it
  uint64_t size_bytes;
  int64_t taken_nsec;  // wall time
};

}  // namespace rnullfs

#endif  // RNULLFS_SNAPSHOT_H_
