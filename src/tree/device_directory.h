// A device's directory, and the directories of its faults in it: the files that every device has,
// and the sections.
//
// Thread safety: as entry.h.
#ifndef RNULLFS_TREE_DEVICE_DIRECTORY_H_
#define RNULLFS_TREE_DEVICE_DIRECTORY_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/types/span.h"
#include "tree/entry.h"

namespace rnullfs {

// A directory in every device's directory that has views of its own (inode.h), one or several in a
// row: all that is in it, however deep, is found by its place there.  What it is, is in one file;
// DeviceSections() has a line for it.
struct Section {
  std::string_view name;
  // The first one, which is not 0; slot 0 of it is the directory itself.  A device that cannot have
  // it (HasView()) has no such directory.
  uint8_t view;
  uint8_t views = 1;
  // What has the place; null for none, or none any more.  Cheap: it is asked for every request.
  std::shared_ptr<Entry> (*find)(const std::shared_ptr<DeviceNode>& node, Place place) = nullptr;
};
using Sections = absl::Span<const Section>;

// The sections that every device has.
Sections DeviceSections();

class DeviceDirectory final : public DeviceEntry<Directory> {
 public:
  DeviceDirectory(std::shared_ptr<DeviceNode> node, Sections sections,
                  uint32_t slot = kDirectorySlot)
      : DeviceEntry(std::move(node), slot, 0755), sections_(sections) {}

  // What of the device has that place, this directory or what is below it; null for none.
  std::shared_ptr<Entry> Find(Place place) const;

  std::shared_ptr<Entry> Lookup(std::string_view name) override;

 private:
  Inode parent() const override;
  uint64_t directories() const override;
  void ListBehind(uint64_t offset, Show show) override;

  const Sections sections_;
};

}  // namespace rnullfs

#endif  // RNULLFS_TREE_DEVICE_DIRECTORY_H_
