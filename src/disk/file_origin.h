// A raw image of the machine as a disk's origin.
//
// Thread safety: any thread.  `keeper` outlives what it is given to.
// Errors: those of open(2) as the requester's own open would give them; EINVAL for what is neither
// a regular file nor a block device, or an image that is not raw; EMFILE.  With a sentence.
#ifndef RNULLFS_DISK_FILE_ORIGIN_H_
#define RNULLFS_DISK_FILE_ORIGIN_H_

#include <string>

#include "absl/status/statusor.h"
#include "rnullfs/memfd_keeper.h"
#include "rnullfs/origin.h"
#include "rnullfs/requester.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {

// Opens it with the rights of `who`.
absl::StatusOr<Origin> OpenFileOrigin(const std::string& path, const Requester& who,
                                      MemfdKeeper& keeper);

// As another process had opened it.
Origin FoundFileOrigin(const std::string& path, const OriginKey& key, UniqueFd file,
                       MemfdKeeper& keeper);

}  // namespace rnullfs

#endif  // RNULLFS_DISK_FILE_ORIGIN_H_
