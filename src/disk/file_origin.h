// A file of the machine as a disk's origin: a raw image, or a log of writes.
//
// Thread safety: any thread.  `keeper` outlives what it is given to.
// Errors: those of open(2) as the requester's own open would give them; EINVAL for what is neither
// a regular file nor a block device, an image that is not raw, or a log that is none; EMFILE.  With
// a sentence.
#ifndef RNULLFS_DISK_FILE_ORIGIN_H_
#define RNULLFS_DISK_FILE_ORIGIN_H_

#include <string>

#include "absl/status/statusor.h"
#include "rnullfs/memfd_keeper.h"
#include "rnullfs/memory_limit.h"
#include "rnullfs/origin.h"
#include "rnullfs/requester.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {

// Opens it with the rights of `who`.
absl::StatusOr<Origin> OpenFileOrigin(const std::string& path, const Requester& who,
                                      MemfdKeeper& keeper);

// A copy of what `view` reads as, in memory of which this process counts what it takes: to a
// process that takes over it is a file as any.  `name` is what the origin is called.  ENOSPC.
absl::StatusOr<Origin> CopiedOrigin(const std::string& name, View& view, MemoryLimit& memory,
                                    MemfdKeeper& keeper);

// As another process had opened it; and the log that belongs to one.
Origin FoundFileOrigin(const std::string& path, const OriginKey& key, UniqueFd file,
                       MemfdKeeper& keeper);
void AddFoundLog(const OriginKey& key, UniqueFd file, MemfdKeeper& keeper, Origin& origin);

}  // namespace rnullfs

#endif  // RNULLFS_DISK_FILE_ORIGIN_H_
