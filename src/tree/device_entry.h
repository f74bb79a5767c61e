// What lies in a device's directory, and the directories there whose contents are their own affair.
//
// Thread safety: as entry.h.
#ifndef RNULLFS_TREE_DEVICE_ENTRY_H_
#define RNULLFS_TREE_DEVICE_ENTRY_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/types/span.h"
#include "tree/device_node.h"
#include "tree/entry.h"
#include "tree/inode.h"

namespace rnullfs {

// A Directory or File of a device, owned as the device's place says.
template <typename Kind>
class DeviceEntry : public Kind {
 public:
  DeviceEntry(std::shared_ptr<DeviceNode> node, uint32_t place, mode_t mode)
      : node_(std::move(node)), place_(place), mode_(mode) {}

  Inode inode() const override { return MakeInode(node_->id(), place_); }
  mode_t mode() const override { return mode_; }
  Ownership ownership() const override { return node_->OwnershipOf(place_, mode_); }
  void ChangeOwnership(const OwnershipChange& change) override {
    node_->ChangeOwnership(place_, mode_, change);
  }

 protected:
  const std::shared_ptr<DeviceNode> node_;
  const uint32_t place_;
  const mode_t mode_;
};

// A directory in every device's directory that has views of its own (inode.h), one or several in a
// row: all that is in it, however deep, is found by its place there.  What it is, is in one file;
// DeviceSections() has a line for it.
struct Section {
  std::string_view name;
  uint8_t view;  // the first one, which is not 0; slot 0 of it is the directory itself
  uint8_t views = 1;
  // What has the place; null for none, or none any more.  Cheap: it is asked for every request.
  std::shared_ptr<Entry> (*find)(const std::shared_ptr<DeviceNode>& node, uint32_t place) = nullptr;
};
using Sections = absl::Span<const Section>;

}  // namespace rnullfs

#endif  // RNULLFS_TREE_DEVICE_ENTRY_H_
