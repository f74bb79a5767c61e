#include "tree/device_directory.h"

#include <algorithm>
#include <utility>

#include "rnullfs/attributes.h"

namespace rnullfs {

Sections DeviceSections() { return {}; }

std::shared_ptr<Entry> DeviceDirectory::Find(uint32_t place) const {
  for (const Section& section : sections_) {
    const int view = ViewOf(place) - section.view;
    if (view >= 0 && view < section.views) return section.find(node_, place);
  }
  if (place == kDirectorySlot) return std::make_shared<DeviceDirectory>(node_, sections_);
  const FileRow* file = FindFile(DeviceFiles(), place);
  if (file == nullptr || !IsThere(*file)) return nullptr;
  if (file->make != nullptr) return file->make(node_, *file);
  return std::make_shared<DeviceDirectory>(node_, Sections(), place);
}

bool DeviceDirectory::IsThere(const FileRow& file) const {
  return file.slot != kDiskSlot || node_->device() != nullptr;
}

Inode DeviceDirectory::parent() const {
  return place_ == kDirectorySlot ? kRootInode : MakeInode(node_->id(), kDirectorySlot);
}

uint64_t DeviceDirectory::directories() const {
  return place_ == kDirectorySlot ? FaultGroups().size() + sections_.size() : 0;
}

std::shared_ptr<Entry> DeviceDirectory::Lookup(std::string_view name) {
  if (const FileRow* file = FindFile(DeviceFiles(), place_, name)) return Find(file->slot);
  for (const Section& section : sections_) {
    if (section.name == name) return Find(MakePlace(section.view, kDirectorySlot));
  }
  return nullptr;
}

// Offsets: by the place in the table, then in the sections.
void DeviceDirectory::ListBehind(uint64_t offset, Show show) {
  const absl::Span<const FileRow> files = DeviceFiles();
  for (uint64_t i = offset; i < files.size(); ++i) {
    if (files[i].directory != place_ || !IsThere(files[i])) continue;
    const mode_t type = files[i].make == nullptr ? S_IFDIR : S_IFREG;
    if (!show(files[i].name, MakeInode(node_->id(), files[i].slot), type, i + 1)) return;
  }
  for (uint64_t i = offset - std::min(offset, files.size()); i < sections_.size(); ++i) {
    const Inode inode = MakeInode(node_->id(), MakePlace(sections_[i].view, kDirectorySlot));
    if (!show(sections_[i].name, inode, S_IFDIR, files.size() + i + 1)) return;
  }
}

}  // namespace rnullfs
