// The files there are: in the root, and in every device's directory.
//
// Thread safety: the lists are constant.
#ifndef RNULLFS_TREE_FILES_H_
#define RNULLFS_TREE_FILES_H_

#include <sys/types.h>

#include <cstdint>
#include <string_view>

#include "absl/types/span.h"
#include "rnullfs/attributes.h"

namespace rnullfs {

enum class FileKind : uint8_t {
  kFeatures,
  kStatusJson,
  kAttribute,
  kConfigJson,
  kStatsJson,
  kLastError,
  kDisk,
  kDirectory,
};

struct File {
  std::string_view name;
  FileKind kind;
  uint32_t slot;                         // in the inode number; never changes its meaning
  mode_t mode;                           // permission bits when new
  const Attribute* attribute = nullptr;  // of a kAttribute
  uint32_t directory = 0;                // the slot of the directory it is in

  bool writable() const { return (mode & 0222) != 0; }
};

inline constexpr uint32_t kDiskSlot = 4;

// In the order a listing shows them; a device's with those in its directories.
absl::Span<const File> RootFiles();
absl::Span<const File> DeviceFiles();

// The file of that list with that name in a directory, or with that slot, or null.
const File* FindFile(absl::Span<const File> files, uint32_t directory, std::string_view name);
const File* FindFile(absl::Span<const File> files, uint32_t slot);

}  // namespace rnullfs

#endif  // RNULLFS_TREE_FILES_H_
