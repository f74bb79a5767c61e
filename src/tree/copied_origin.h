// What is in the mount by a path of its own, DISK/crash/CUT/STATE or DISK/at/NUMBER, as the origin
// of a disk: a copy of it, as only this process knows such, and the history may forget them.
//
// Thread safety: as disk_origins.h, of which it is a part.
// Errors: ENOENT for what there is not; what opening its disk says; ENOSPC when there is no memory
// for the copy.  With a sentence.
#ifndef RNULLFS_TREE_COPIED_ORIGIN_H_
#define RNULLFS_TREE_COPIED_ORIGIN_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "rnullfs/memfd_keeper.h"
#include "rnullfs/memory_limit.h"
#include "rnullfs/origin.h"
#include "tree/device_directory.h"

namespace rnullfs {

// `text` is the whole, for what the origin is called; `path` what of it is in the device's
// directory.
absl::StatusOr<Origin> CopyOrigin(DeviceDirectory& device, std::string_view path,
                                  const std::string& text, const std::string& user,
                                  MemoryLimit& memory, MemfdKeeper& keeper);

}  // namespace rnullfs

#endif  // RNULLFS_TREE_COPIED_ORIGIN_H_
