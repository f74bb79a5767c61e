#include "tree/files.h"

#include <algorithm>
#include <vector>

#include "tree/inode.h"

namespace rnullfs {
namespace {

// Attributes take the slots from here on in the table's order; the table only ever grows at its
// end.
constexpr uint32_t kFirstAttributeSlot = 16;

std::vector<File> MakeDeviceFiles() {
  std::vector<File> files;
  uint32_t slot = kFirstAttributeSlot;
  for (const Attribute& attribute : Attributes()) {
    files.push_back({attribute.name, FileKind::kAttribute, slot++, 0644, &attribute});
  }
  files.push_back({"config.json", FileKind::kConfigJson, 1, 0644});
  files.push_back({"stats.json", FileKind::kStatsJson, 2, 0444});
  files.push_back({"last_error", FileKind::kLastError, 3, 0444});
  files.push_back({"disk", FileKind::kDisk, kDiskSlot, 0600});
  return files;
}

}  // namespace

absl::Span<const File> RootFiles() {
  // Slot 1 of id 0 is the root itself.
  static constexpr File kFiles[] = {
      {"features", FileKind::kFeatures, 2, 0444},
      {"status.json", FileKind::kStatusJson, 3, 0444},
  };
  return kFiles;
}

absl::Span<const File> DeviceFiles() {
  static const std::vector<File>& files = *new std::vector<File>(MakeDeviceFiles());
  return files;
}

const File* FindFile(absl::Span<const File> files, std::string_view name) {
  const auto* it =
      std::find_if(files.begin(), files.end(), [&](const File& file) { return file.name == name; });
  return it == files.end() ? nullptr : it;
}

const File* FindFile(absl::Span<const File> files, uint32_t slot) {
  const auto* it =
      std::find_if(files.begin(), files.end(), [&](const File& file) { return file.slot == slot; });
  return it == files.end() ? nullptr : it;
}

}  // namespace rnullfs
