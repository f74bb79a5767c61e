// The moments of a device's history as directories (moments.cc).
#ifndef RNULLFS_TREE_MOMENTS_H_
#define RNULLFS_TREE_MOMENTS_H_

#include <cstdint>
#include <memory>

#include "tree/entry.h"

namespace rnullfs {

inline constexpr uint8_t kMomentsView = kWideViews;  // and the two behind it

// What has the place in at/, as a Section has it.
std::shared_ptr<Entry> FindInMoments(const std::shared_ptr<DeviceNode>& node, Place place);

}  // namespace rnullfs

#endif  // RNULLFS_TREE_MOMENTS_H_
