// The snapshots that a process has left in the memfd of a disk's past, for who only reads: the
// process may yet be alive, and what it left is not changed.
//
// A snapshot is a copy of the disk as it is now in which the versions are put back that were true
// then.  The copy is made first: a version is in the file before what has replaced it is on the
// disk.  What a write cache held that had not come to the disk is not in it, as after a power cut.
//
// Thread safety: none.  Units: bytes.
// Errors: EINVAL for what is no past, whatever it is; else a system call's, with a sentence.
#ifndef RNULLFS_PAST_LEFT_SNAPSHOTS_H_
#define RNULLFS_PAST_LEFT_SNAPSHOTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace rnullfs {

struct LeftSnapshot {
  std::string name;  // empty: nobody sees it, but a clone may need it
  uint64_t serial;
  uint64_t moment;
  uint64_t size_bytes;
};

// All, in the order of their numbers.
absl::StatusOr<std::vector<LeftSnapshot>> FindLeftSnapshots(int past);

// Makes `image`, which is a copy of the disk and as large as the snapshot, what the disk was then.
absl::Status PutBackVersions(int past, const LeftSnapshot& snapshot, int image);

}  // namespace rnullfs

#endif  // RNULLFS_PAST_LEFT_SNAPSHOTS_H_
