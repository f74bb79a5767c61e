// The devices that a process left which is gone, made again from their records and memfds.
//
// Thread safety: for who is alone.
// Errors: EINVAL and what a disk's Restore() says, with a sentence: data are missing.
#ifndef RNULLFS_TREE_TAKEOVER_H_
#define RNULLFS_TREE_TAKEOVER_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "rnullfs/unique_fd.h"
#include "tree/device_node.h"

namespace rnullfs {

// All of them; `services` with the survival that has the records, `memfds` are the files that were
// kept.  What belongs to none is dropped.
absl::StatusOr<std::vector<std::shared_ptr<DeviceNode>>> RestoreDevices(
    const NodeServices& services, std::vector<UniqueFd> memfds);

}  // namespace rnullfs

#endif  // RNULLFS_TREE_TAKEOVER_H_
