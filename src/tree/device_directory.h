// A device's directory, and the directories of its faults in it: the files of files.h, and the
// sections.
//
// Thread safety: as entry.h.
#ifndef RNULLFS_TREE_DEVICE_DIRECTORY_H_
#define RNULLFS_TREE_DEVICE_DIRECTORY_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "tree/device_entry.h"
#include "tree/files.h"

namespace rnullfs {

// The sections that every device has.
Sections DeviceSections();

class DeviceDirectory final : public DeviceEntry<Directory> {
 public:
  DeviceDirectory(std::shared_ptr<DeviceNode> node, Sections sections,
                  uint32_t slot = kDirectorySlot)
      : DeviceEntry(std::move(node), slot, 0755), sections_(sections) {}

  // What of the device has that place, this directory or what is below it; null for none.
  std::shared_ptr<Entry> Find(uint32_t place) const;

  Inode parent() const override;
  uint64_t directories() const override;
  std::shared_ptr<Entry> Lookup(std::string_view name) override;
  void List(uint64_t cursor, Show show) override;

 private:
  bool IsThere(const FileRow& file) const;

  const Sections sections_;
};

}  // namespace rnullfs

#endif  // RNULLFS_TREE_DEVICE_DIRECTORY_H_
