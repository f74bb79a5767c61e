#include "tree/device_node.h"

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/kill_point.h"
#include "base/memfd_name.h"
#include "base/visible.h"
#include "rnullfs/error.h"
#include "tree/inode.h"

namespace rnullfs {
namespace {

bool WantsPin(const DeviceConfig& config) {
  return config.power && config.datapath == DataPath::kPassthrough;
}

// For who has asked for it, and nobody else to see.
absl::Status Again() { return Error(EAGAIN, "disk is open"); }

}  // namespace

absl::Status Removed() { return Error(ENOENT, "the device has been removed"); }

DeviceNode::DeviceNode(uint64_t id, std::string name, const Ownership& ownership,
                       NodeServices services, uint64_t request)
    : id_(id),
      name_(std::move(name)),
      created_(ownership),
      services_(std::move(services)),
      request_(request),
      counters_(services_.survival == nullptr ? DeviceCounters()
                                              : services_.survival->CountersOf(id)),
      medium_(
          std::make_unique<Medium>(Medium::Services{.name = DiskMemfdName(id_, name_),
                                                    .cache_name = CacheMemfdName(id_, name_),
                                                    .memory = services_.memory,
                                                    .counters = counters_.cache,
                                                    .keeper = KeeperOf(services_),
                                                    .badblocks_spent = [this] { SaveNew(); }})) {}

DeviceConfig DeviceNode::config() const {
  LockGuard lock(mutex_);
  return Current();
}

std::string DeviceNode::last_error() const {
  LockGuard lock(mutex_);
  return last_error_;
}

absl::Status DeviceNode::Store(const DeviceConfig& wanted) {
  return Update([&](DeviceConfig& next) {
    const DeviceConfig before = std::exchange(next, wanted);
    next.index = before.index;
    next.unknown = before.unknown;
    return absl::OkStatus();
  });
}

absl::Status DeviceNode::Update(Edit edit, const TextWrite& write) {
  IfOpen if_open = write.if_open;
  LockGuard lock(mutex_);
  while (true) {
    if (medium_ == nullptr) return Removed();
    const DeviceConfig now = Current();
    DeviceConfig next = now;
    if (absl::Status status = edit(next); !status.ok()) return RefuseLocked(status, write);
    if (const std::string why = InTheWay(next); !why.empty()) {
      if (if_open == IfOpen::kAgain) return Again();
      if (if_open == IfOpen::kRefuse) return RefuseLocked(DiskInUse(why), write);
      AwaitLastClose();  // lets go of the lock, so the edit starts over from what is there then
      if_open = IfOpen::kRefuse;
      continue;
    }
    if (absl::Status status = Switch(now, next); !status.ok()) return RefuseLocked(status, write);
    if (!TakeBadBlocks(now, next)) continue;  // a request has cleared some meanwhile
    Take(now, next);
    return Conclude(absl::OkStatus(), write);
  }
}

absl::Status DeviceNode::Switch(const DeviceConfig& now, const DeviceConfig& next) {
  if (config_.power && next.power) {
    if (absl::Status status = CheckStages(next); !status.ok()) return status;
    if (absl::Status status = CheckLive(now, next); !status.ok()) return status;
    if (absl::Status status = CheckDataPath(next); !status.ok()) return status;
    return Pin(WantsPin(next));
  }
  if (next.power) return SwitchOn(now, next);
  PowerOff();
  return absl::OkStatus();
}

absl::Status DeviceNode::SwitchOn(const DeviceConfig& now, const DeviceConfig& next) {
  // Before the medium takes the new size: what that cuts off would be lost.
  if (absl::Status status = CheckDataPath(next); !status.ok()) return status;
  CountAnew(now, next);
  if (kernel_wrote_) NoteDiskWrites(FindFile(DeviceFiles(), kDiskSlot)->mode);
  absl::StatusOr<std::unique_ptr<Device>> device =
      Device::PowerOn(Written(now, next), *medium_, counters_, services_.device, Complain());
  if (!device.ok()) {
    CountAnew(now, next);
    return device.status();
  }
  KillPoint("power-prepared");
  if (absl::Status status = Pin(WantsPin(next)); !status.ok()) {
    device->reset();
    medium_->DropCache();
    CountAnew(now, next);
    return status;
  }
  backing_refused_.clear();
  if (kernel_wrote_) stored_seen_ = medium_->store()->modified();  // to size it was no write
  if (services_.indexes != nullptr) config_.index = services_.indexes->Take();
  device_ = std::move(*device);
  live_device_.store(device_.get(), std::memory_order_release);
  return absl::OkStatus();
}

// Requests that are refused leave a sentence, as writes to attributes do.
Device::Complain DeviceNode::Complain() {
  return
      [this](const std::string& sentence) { static_cast<void>(Refuse(Error(EINVAL, sentence))); };
}

absl::Status DeviceNode::CheckLive(const DeviceConfig& now, const DeviceConfig& next) const {
  std::vector<std::string> refused;
  for (const Attribute& attribute : Attributes()) {
    if (!attribute.live && Differs(attribute, now, next)) refused.emplace_back(attribute.name);
  }
  if (refused.empty()) return absl::OkStatus();
  return Error(EBUSY, absl::StrCat(absl::StrJoin(refused, ", "),
                                   ": cannot change while the device is powered; write 0 to power "
                                   "first"));
}

void DeviceNode::PowerOff() {
  static_cast<void>(Pin(false));  // to let go always succeeds
  live_device_.store(nullptr, std::memory_order_release);
  if (device_ == nullptr) return;
  device_.reset();
  medium_->DropCache();
  KillPoint("powered-off");
  if (medium_->store() != nullptr) medium_->store()->EndHolding();
  if (services_.indexes != nullptr) services_.indexes->GiveBack(config_.index);
}

bool DeviceNode::passthrough_open() const {
  LockGuard lock(mutex_);
  return passthrough_opens_ > 0;
}

bool DeviceNode::disk_open() const {
  LockGuard lock(mutex_);
  return InUse();
}

uint64_t DeviceNode::disk_size_bytes() const {
  LockGuard lock(mutex_);
  return device_ == nullptr ? 0 : device_->size_bytes();
}

uint64_t DeviceNode::stored_bytes() const {
  LockGuard lock(mutex_);
  return medium_ == nullptr ? 0 : medium_->stored_pages() * PageStore::kPageSize;
}

absl::Status DeviceNode::Retire(IfOpen if_open) {
  LockGuard lock(mutex_);
  if (if_open == IfOpen::kWait) AwaitLastClose();
  if (medium_ == nullptr) return Removed();
  if (InUse() && if_open == IfOpen::kAgain) return Again();
  if (InUse()) return RefuseLocked(DiskInUse("rmdir: cannot remove the device"));
  PowerOff();
  config_.power = false;
  // First: without a record a memfd is dropped by who takes over, the other way round data are
  // lost.
  if (services_.survival != nullptr) services_.survival->Forget(id_);
  KillPoint("forgotten");
  medium_->Remove();
  medium_.reset();
  KillPoint("removed");
  return absl::OkStatus();
}

Ownership DeviceNode::AsCreated(uint32_t slot, mode_t default_mode) const {
  Ownership ownership = created_;
  if (slot != kDirectorySlot) ownership.mode = default_mode;  // the directory has mkdir's
  return ownership;
}

Ownership& DeviceNode::Own(uint32_t slot, mode_t default_mode) const {
  return ownership_.try_emplace(slot, AsCreated(slot, default_mode)).first->second;
}

// Whether the file has been written to since the last look, and by that the disk.
bool DeviceNode::NoteStores(timespec disk_modified) const {
  const auto order = [](const timespec& t) { return std::pair(t.tv_sec, t.tv_nsec); };
  const timespec before = std::exchange(stored_seen_, medium_->store()->modified());
  const bool known = order(before) != order({});
  return known ? order(stored_seen_) != order(before) : order(stored_seen_) > order(disk_modified);
}

void DeviceNode::NoteDiskWrites(mode_t default_mode) const {
  const StatisticsSnapshot counts = counters_.statistics.Snapshot();
  const uint64_t writes = counts[Op::kWrite].requests + counts[Op::kDiscard].requests +
                          counts[Op::kWriteZeroes].requests;
  if (kernel_wrote_ && medium_ != nullptr) {
    Ownership& disk = Own(kDiskSlot, default_mode);
    if (NoteStores(disk.modified)) disk.modified = disk.changed = stored_seen_;
  }
  if (std::exchange(writes_seen_, writes) == writes) return;
  Ownership& disk = Own(kDiskSlot, default_mode);
  disk.modified = disk.changed = services_.device.clock.WallTime();
}

Ownership DeviceNode::OwnershipOf(uint32_t slot, mode_t default_mode) const {
  LockGuard lock(mutex_);
  if (slot == kDiskSlot) NoteDiskWrites(default_mode);
  const auto it = ownership_.find(slot);
  return it != ownership_.end() ? it->second : AsCreated(slot, default_mode);
}

void DeviceNode::ChangeOwnership(uint32_t slot, mode_t default_mode,
                                 const OwnershipChange& change) {
  LockGuard lock(mutex_);
  if (slot == kDiskSlot) {  // what was written before is over
    NoteDiskWrites(default_mode);
    const PageStore* const store = medium_ == nullptr ? nullptr : medium_->store();
    if (store != nullptr) stored_seen_ = store->modified();
  }
  change.ApplyTo(Own(slot, default_mode), services_.device.clock.WallTime());
  Save();
}

}  // namespace rnullfs
