// What the guard does not know of the files that it holds: main has it from those who do, for who
// rescues the disks.
//
// Thread safety: pure functions.  Units: bytes.
#ifndef RNULLFS_GUARD_LEFT_READER_H_
#define RNULLFS_GUARD_LEFT_READER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rnullfs/origin_key.h"

namespace rnullfs {

struct LeftReader {
  struct Snapshot {
    std::string name;  // no slash is in it; empty: it is hidden
    uint64_t serial = 0;
    uint64_t size_bytes = 0;
    // Makes a copy of the disk as it is now, which is as large as the snapshot, what it was then.
    // The past it was found in is still open.
    std::function<absl::Status(int image)> put_back;
  };
  struct Run {
    uint64_t begin;
    uint64_t end;
  };

  absl::StatusOr<std::vector<Snapshot>> (*snapshots)(int past) = nullptr;
  // Of the disks that have one, by their numbers.
  absl::StatusOr<std::map<uint64_t, OriginKey>> (*origins)(int state) = nullptr;
  // What a disk does not share any more of an origin with `shared_bytes`.
  absl::StatusOr<std::vector<Run>> (*own)(int marks, uint64_t shared_bytes) = nullptr;
};

}  // namespace rnullfs

#endif  // RNULLFS_GUARD_LEFT_READER_H_
