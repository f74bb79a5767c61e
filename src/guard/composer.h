// Writes what disks are, and were, into images, out of the files that a process holds: that of a
// disk which began as another has nothing but what has been written to it since, and all else is
// its origin's.
//
// The process may be alive and go on.  What a disk is is read before its past is: that has a
// version before what has replaced it is on the disk.  What a clone shares is known before its own
// contents are read: these are there first.
//
// Thread safety: none.  Units: bytes.
// Errors: a system call's; ENOENT and EINVAL for what is not there, or not known.  With a sentence.
#ifndef RNULLFS_GUARD_COMPOSER_H_
#define RNULLFS_GUARD_COMPOSER_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "guard/held_files.h"
#include "guard/left_reader.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {

// Copies what is stored in [begin, end); holes are left as they are.
absl::Status CopyData(int from, off_t begin, off_t end, int to);

class Composer {
 public:
  // All outlive it.
  Composer(pid_t pid, const HeldFiles& files, const LeftReader& reader)
      : pid_(pid), files_(files), reader_(reader) {}

  bool IsClone(const HeldDisk& disk) const { return files_.marks.contains(disk.id); }
  // Whether all is there that a disk is made of.
  absl::Status Check(const HeldDisk& disk) const;

  // `image` is empty.
  absl::Status WriteDisk(const HeldDisk& disk, int image) const;
  absl::Status WriteSnapshot(const HeldDisk& disk, const LeftReader::Snapshot& snapshot,
                             int image) const;

 private:
  // A disk, and what it began as; that of the last one in a row is a file, or nothing.
  struct Member {
    const HeldDisk* disk;
    OriginKey origin;
  };
  struct FoundSnapshot {
    UniqueFd past;
    LeftReader::Snapshot snapshot;
  };

  absl::StatusOr<std::vector<Member>> RowOf(const HeldDisk& disk) const;
  absl::StatusOr<OriginKey> OriginOf(const HeldDisk& disk) const;
  absl::StatusOr<FoundSnapshot> FindSnapshot(const OriginKey& origin) const;
  absl::StatusOr<UniqueFd> OpenFile(const OriginKey& origin) const;
  absl::Status Compose(const HeldDisk& disk, uint64_t size_bytes, int image) const;
  absl::Status WriteFile(const OriginKey& origin, int image) const;
  static absl::Status WriteParts(const HeldDisk& disk, uint64_t begin, uint64_t end, int image);
  absl::Status WriteOwn(const HeldDisk& disk, uint64_t shared_bytes, uint64_t size_bytes,
                        int image) const;
  absl::StatusOr<std::vector<LeftReader::Run>> OwnOf(const HeldDisk& disk,
                                                     uint64_t shared_bytes) const;

  const pid_t pid_;
  const HeldFiles& files_;
  const LeftReader& reader_;
};

}  // namespace rnullfs

#endif  // RNULLFS_GUARD_COMPOSER_H_
