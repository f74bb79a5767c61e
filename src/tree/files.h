// The files that every device's directory has, and the directories of its faults, as a table.
//
// Thread safety: the table is constant.
#ifndef RNULLFS_TREE_FILES_H_
#define RNULLFS_TREE_FILES_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/types/span.h"
#include "rnullfs/attributes.h"

namespace rnullfs {

class DeviceNode;
class File;

struct FileRow {
  std::string_view name;
  uint32_t slot;  // in the inode number; never changes its meaning
  mode_t mode;    // permission bits when new
  // Makes the file; null for a directory.
  std::shared_ptr<File> (*make)(std::shared_ptr<DeviceNode> node, const FileRow& row) = nullptr;
  const Attribute* attribute = nullptr;  // whose text the file is, if one's
  uint32_t directory = 0;                // the slot of the directory it is in
};

// In the order a listing shows them, with those in their directories.
absl::Span<const FileRow> DeviceFiles();

// The row with that name in a directory, or with that slot, or null.
const FileRow* FindFile(absl::Span<const FileRow> files, uint32_t directory, std::string_view name);
const FileRow* FindFile(absl::Span<const FileRow> files, uint32_t slot);

}  // namespace rnullfs

#endif  // RNULLFS_TREE_FILES_H_
