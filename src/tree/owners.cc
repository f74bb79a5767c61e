#include "tree/owners.h"

#include <utility>

#include "tree/inode.h"

namespace rnullfs {

Ownership Owners::AsCreated(Place place, mode_t default_mode) const {
  Ownership ownership = created_;
  if (place != kDirectorySlot) ownership.mode = default_mode;  // the directory has mkdir's
  return ownership;
}

Ownership& Owners::Own(Place place, mode_t default_mode) {
  return ownership_.try_emplace(place, AsCreated(place, default_mode)).first->second;
}

Ownership Owners::Of(Place place, mode_t default_mode) const {
  const auto it = ownership_.find(place);
  return it != ownership_.end() ? it->second : AsCreated(place, default_mode);
}

void Owners::Change(Place place, mode_t default_mode, const OwnershipChange& change) {
  change.ApplyTo(Own(place, default_mode), clock_.WallTime());
}

void Owners::DirectoryModified() {
  Own(kDirectorySlot, created_.mode).modified = clock_.WallTime();
}

void Owners::DiskModified() {
  Ownership& disk = Own(kDiskSlot, kDiskMode);
  disk.modified = disk.changed = clock_.WallTime();
}

// Whether the file has been written to since the last look, and by that the disk.
bool Owners::FileWritten(timespec disk_modified) {
  const auto order = [](const timespec& t) { return std::pair(t.tv_sec, t.tv_nsec); };
  const timespec before = std::exchange(stored_seen_, disk_.store()->modified());
  const bool known = order(before) != order({});
  return known ? order(stored_seen_) != order(before) : order(stored_seen_) > order(disk_modified);
}

void Owners::NoteDiskWrites(bool kernel_wrote) {
  const StatisticsSnapshot counts = disk_.counters().statistics.Snapshot();
  const uint64_t writes = counts[Op::kWrite].requests + counts[Op::kDiscard].requests +
                          counts[Op::kWriteZeroes].requests;
  if (kernel_wrote && disk_.store() != nullptr) {
    Ownership& disk = Own(kDiskSlot, kDiskMode);
    if (FileWritten(disk.modified)) disk.modified = disk.changed = stored_seen_;
  }
  if (std::exchange(writes_seen_, writes) != writes) DiskModified();
}

void Owners::SeeDisk() {
  if (disk_.store() != nullptr) stored_seen_ = disk_.store()->modified();
}

void Owners::Save(DeviceRecord& record) const {
  record.created = created_;
  record.ownership = ownership_;
  record.writes_seen = writes_seen_;
  record.stored_seen = stored_seen_;
}

void Owners::Restore(const DeviceRecord& record) {
  ownership_ = record.ownership;
  writes_seen_ = record.writes_seen;
  stored_seen_ = record.stored_seen;
}

}  // namespace rnullfs
