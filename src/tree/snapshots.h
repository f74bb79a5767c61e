// A device's snapshots as directories (snapshots.cc).
#ifndef RNULLFS_TREE_SNAPSHOTS_H_
#define RNULLFS_TREE_SNAPSHOTS_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "rnullfs/snapshot.h"
#include "tree/entry.h"

namespace rnullfs {

inline constexpr uint8_t kSnapshotsView = 1;  // and the two behind it

// Takes a snapshot, hidden without a name.  EBUSY while the kernel serves the disk, and may be
// writing, or EAGAIN as Creation has it.
absl::StatusOr<Snapshot> TakeSnapshot(DeviceNode& node, std::string_view name,
                                      const Creation& creation);

// What has the place in snapshots/, as a Section has it.
std::shared_ptr<Entry> FindInSnapshots(const std::shared_ptr<DeviceNode>& node, Place place);

}  // namespace rnullfs

#endif  // RNULLFS_TREE_SNAPSHOTS_H_
