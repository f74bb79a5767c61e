// Disks of the mount as the origins of others (rnullfs/origin.h): a snapshot, or the disk as it is
// now, which is a snapshot without a name that goes with its last user.
//
// Thread safety: from any thread that has no node's lock but a user's: who shares with another
// holds his own lock when he takes the other's, and no circle of them can come to be
// (disk_origin.h). Errors: ENOENT for a disk or a snapshot that there is not; EACCES for who may
// not read the disk; as a snapshot that is taken (snapshots.h).  With a sentence.
#ifndef RNULLFS_TREE_DISK_ORIGINS_H_
#define RNULLFS_TREE_DISK_ORIGINS_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "rnullfs/memfd_keeper.h"
#include "rnullfs/memory_limit.h"
#include "rnullfs/origin.h"
#include "rnullfs/requester.h"
#include "tree/device_directory.h"
#include "tree/device_node.h"

namespace rnullfs {

// What there is to find origins with.
struct OriginServices {
  std::function<std::shared_ptr<DeviceNode>(std::string_view name)> find_node;
  Sections sections;
  MemoryLimit& memory;
  MemfdKeeper& keeper;
};

// What `text` names, DISK or DISK@SNAPSHOT or the path of a disk in a device's directory, for who
// has the rights, and for the disk called `user`. A name may have any '@'; the longest disk's
// counts.
absl::StatusOr<Origin> FindDiskOrigin(const std::string& text, const Requester& who,
                                      const std::string& user, bool again,
                                      const OriginServices& services);

// The same again, for who takes over.
absl::StatusOr<Origin> FoundDiskOrigin(const std::shared_ptr<DeviceNode>& node,
                                       const OriginKey& key, const std::string& user);

}  // namespace rnullfs

#endif  // RNULLFS_TREE_DISK_ORIGINS_H_
