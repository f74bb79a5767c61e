// A device's disk as who writes to it believes it to be (pristine.cc).
#ifndef RNULLFS_TREE_PRISTINE_H_
#define RNULLFS_TREE_PRISTINE_H_

#include <cstdint>
#include <memory>

#include "tree/entry.h"
#include "tree/snapshots.h"

namespace rnullfs {

inline constexpr uint8_t kPristineView = kSnapshotsView + 3;

// What has the place in pristine/, as a Section has it.
std::shared_ptr<Entry> FindInPristine(const std::shared_ptr<DeviceNode>& node, Place place);

}  // namespace rnullfs

#endif  // RNULLFS_TREE_PRISTINE_H_
