#include "tree/files.h"

#include <algorithm>
#include <vector>

#include "tree/inode.h"

namespace rnullfs {
namespace {

// Directories, and the second names that some attributes have, take the slots from here on;
constexpr uint32_t kFirstDirectorySlot = 5;
constexpr uint32_t kFirstAliasSlot = 8;
// attributes the slots from here on, in the table's order.  The table only ever grows at its end.
constexpr uint32_t kFirstAttributeSlot = 16;

void AddAttributes(std::vector<File>& files) {
  uint32_t slot = kFirstAttributeSlot;
  uint32_t alias_slot = kFirstAliasSlot;
  for (const Attribute& attribute : Attributes()) {
    const std::string_view directory = DirectoryOf(attribute);
    File file = {attribute.name, FileKind::kAttribute, slot++,
                 static_cast<mode_t>(attribute.read_only ? 0444 : 0644), &attribute};
    if (!directory.empty()) {
      file.name.remove_prefix(directory.size() + 1);
      file.directory = FindFile(files, kDirectorySlot, directory)->slot;
    }
    files.push_back(file);
    if (!attribute.alias_is_file) continue;
    files.push_back({attribute.alias, FileKind::kAttribute, alias_slot++, 0644, &attribute});
  }
  // In a listing `power` comes behind the others: who copies a directory sets them first.
  const auto power = std::find_if(files.begin(), files.end(),
                                  [](const File& file) { return file.name == "power"; });
  std::rotate(power, power + 1, files.end());
}

std::vector<File> MakeDeviceFiles() {
  std::vector<File> files;
  uint32_t slot = kFirstDirectorySlot;
  for (const FaultGroup& group : FaultGroups()) {
    files.push_back({group.name, FileKind::kDirectory, slot++, 0755});
  }
  AddAttributes(files);
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

const File* FindFile(absl::Span<const File> files, uint32_t directory, std::string_view name) {
  const auto* it = std::find_if(files.begin(), files.end(), [&](const File& file) {
    return file.name == name && file.directory == directory;
  });
  return it == files.end() ? nullptr : it;
}

const File* FindFile(absl::Span<const File> files, uint32_t slot) {
  const auto* it =
      std::find_if(files.begin(), files.end(), [&](const File& file) { return file.slot == slot; });
  return it == files.end() ? nullptr : it;
}

}  // namespace rnullfs
