#include "tree/files.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "json/json.h"
#include "rnullfs/error.h"
#include "tree/entry.h"
#include "tree/inode.h"
#include "tree/text_file.h"

namespace rnullfs {
namespace {

// Directories, and the second names that some attributes have, take the slots from here on;
constexpr uint32_t kFirstDirectorySlot = 5;
constexpr uint32_t kFirstAliasSlot = 8;
// attributes the slots from here on, in the table's order.  The table only ever grows at its end.
constexpr uint32_t kFirstAttributeSlot = 16;

class DeviceFile : public DeviceEntry<File> {
 public:
  DeviceFile(std::shared_ptr<DeviceNode> node, const FileRow& row)
      : DeviceEntry(std::move(node), row.slot, row.mode), row_(row) {}

 protected:
  std::string_view name() const override { return row_.name; }
  bool writable() const override { return (row_.mode & 0222) != 0; }

  const FileRow& row_;
};

class AttributeEntry final : public DeviceFile {
 public:
  using DeviceFile::DeviceFile;
  absl::StatusOr<std::unique_ptr<FileHandle>> MakeHandle(int /*flags*/,
                                                         uint64_t /*handle*/) override {
    return std::make_unique<AttributeFile>(node_, *row_.attribute);
  }
};

class ConfigEntry final : public DeviceFile {
 public:
  using DeviceFile::DeviceFile;
  uint64_t size() const override { return ShowJson(node_->settings()).size(); }
  absl::StatusOr<std::unique_ptr<FileHandle>> MakeHandle(int flags, uint64_t handle) override {
    return std::make_unique<ConfigFile>(node_, (flags & O_APPEND) != 0, handle);
  }
};

// A text of the device's that is only read.
template <std::string (DeviceNode::*kText)() const>
class TextEntry final : public DeviceFile {
 public:
  using DeviceFile::DeviceFile;
  uint64_t size() const override { return ((*node_).*kText)().size(); }
  absl::StatusOr<std::unique_ptr<FileHandle>> MakeHandle(int /*flags*/,
                                                         uint64_t /*handle*/) override {
    return std::make_unique<TextFile>([node = node_] { return ((*node).*kText)(); });
  }
};

class DiskEntry final : public DeviceFile {
 public:
  using DeviceFile::DeviceFile;
  bool lasting() const override { return false; }  // it comes and goes with power
  uint64_t size() const override { return node_->facts().size_bytes; }
  absl::StatusOr<struct stat> Stat() const override {
    absl::StatusOr<struct stat> st = File::Stat();
    st->st_blocks = static_cast<blkcnt_t>(node_->facts().stored_bytes / 512);
    return st;
  }
  // A front end opens the device (DeviceNode::OpenDisk()).
  absl::StatusOr<std::unique_ptr<FileHandle>> MakeHandle(int /*flags*/,
                                                         uint64_t /*handle*/) override {
    return NoSuchFile();
  }
  absl::Status Truncate(uint64_t length) override {
    if (length <= size()) return absl::OkStatus();
    return Error(ENOSPC, "disk: its size is the attribute `size`");
  }
};

template <typename Kind>
std::shared_ptr<File> Make(std::shared_ptr<DeviceNode> node, const FileRow& row) {
  return std::make_shared<Kind>(std::move(node), row);
}

void AddAttributes(std::vector<FileRow>& files) {
  uint32_t slot = kFirstAttributeSlot;
  uint32_t alias_slot = kFirstAliasSlot;
  for (const Attribute& attribute : Attributes()) {
    const std::string_view directory = DirectoryOf(attribute);
    FileRow file = {attribute.name, slot++, static_cast<mode_t>(attribute.read_only ? 0444 : 0644),
                    Make<AttributeEntry>, &attribute};
    if (!directory.empty()) {
      file.name.remove_prefix(directory.size() + 1);
      file.directory = FindFile(files, kDirectorySlot, directory)->slot;
    }
    files.push_back(file);
    if (!attribute.alias_is_file) continue;
    files.push_back({attribute.alias, alias_slot++, 0644, Make<AttributeEntry>, &attribute});
  }
  // In a listing `power` comes behind the others: who copies a directory sets them first.
  const auto power = std::find_if(files.begin(), files.end(),
                                  [](const FileRow& file) { return file.name == "power"; });
  std::rotate(power, power + 1, files.end());
}

std::vector<FileRow> MakeDeviceFiles() {
  std::vector<FileRow> files;
  uint32_t slot = kFirstDirectorySlot;
  for (const FaultGroup& group : FaultGroups()) files.push_back({group.name, slot++, 0755});
  AddAttributes(files);
  files.push_back({"config.json", 1, 0644, Make<ConfigEntry>});
  files.push_back({"stats.json", 2, 0444, Make<TextEntry<&DeviceNode::StatsText>>});
  files.push_back({"last_error", 3, 0444, Make<TextEntry<&DeviceNode::last_error>>});
  files.push_back({"disk", kDiskSlot, 0600, Make<DiskEntry>});
  return files;
}

}  // namespace

absl::Span<const FileRow> DeviceFiles() {
  static const std::vector<FileRow>& files = *new std::vector<FileRow>(MakeDeviceFiles());
  return files;
}

const FileRow* FindFile(absl::Span<const FileRow> files, uint32_t directory,
                        std::string_view name) {
  const auto* it = std::find_if(files.begin(), files.end(), [&](const FileRow& file) {
    return file.name == name && file.directory == directory;
  });
  return it == files.end() ? nullptr : it;
}

const FileRow* FindFile(absl::Span<const FileRow> files, uint32_t slot) {
  const auto* it = std::find_if(files.begin(), files.end(),
                                [&](const FileRow& file) { return file.slot == slot; });
  return it == files.end() ? nullptr : it;
}

}  // namespace rnullfs
