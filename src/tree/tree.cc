#include "tree/tree.h"

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/kill_point.h"
#include "base/visible.h"
#include "rnullfs/error.h"
#include "tree/disk_origins.h"
#include "tree/root_files.h"
#include "tree/takeover.h"

namespace rnullfs {
namespace {

Ownership MadeNow(mode_t mode, uid_t uid, gid_t gid, timespec now) {
  return {.mode = mode, .uid = uid, .gid = gid, .accessed = now, .modified = now, .changed = now};
}

absl::Status NoMemory() { return Error(ENOMEM, "out of memory"); }
absl::Status NameTaken() { return Error(EEXIST, "mkdir: the name is taken"); }

}  // namespace

Tree::Tree(uid_t uid, gid_t gid, std::function<std::string()> status, NodeServices services,
           Sections sections)
    : status_(std::move(status)), services_(Completed(std::move(services))), sections_(sections) {
  const timespec now = services_.device.clock.WallTime();
  ownership_[kRootInode] = MadeNow(0755, uid, gid, now);
  for (const RootRow& row : RootRows()) {
    ownership_[row.inode] = MadeNow(row.mode, uid, gid, now);
  }
}

NodeServices Tree::Completed(NodeServices services) {
  services.indexes = &indexes_;
  services.device.blackout = blackout_.flag();
  services.find_disk = [this](const std::string& text, const Requester& who,
                              const std::string& user, bool again) {
    return FindDiskOrigin(text, who, user, again,
                          {.find_node = [this](std::string_view name) { return Called(name); },
                           .sections = sections_,
                           .memory = services_.memory,
                           .keeper = services_.survival == nullptr ? MemfdKeeper::None()
                                                                   : services_.survival->keeper()});
  };
  return services;
}

absl::Status Tree::Restore(std::vector<UniqueFd> memfds) {
  Survival& survival = *services_.survival;
  absl::StatusOr<std::vector<std::shared_ptr<DeviceNode>>> devices =
      RestoreDevices(services_, std::move(memfds));
  if (!devices.ok()) return devices.status();
  if (absl::Status restored = RestoreNames(*devices); !restored.ok()) return restored;
  survival.TakeOver();
  blackout_.Finish([this] { return Devices(); }, survival);
  return absl::OkStatus();
}

absl::Status Tree::RestoreNames(const std::vector<std::shared_ptr<DeviceNode>>& devices) {
  const MountRecord mount = services_.survival->mount();
  LockGuard lock(mutex_);
  next_id_ = mount.next_id;
  last_error_ = mount.last_error;
  for (const auto& [inode, ownership] : mount.ownership) ownership_[inode] = ownership;
  for (const std::shared_ptr<DeviceNode>& node : devices) {
    const bool possible = node->id() != 0 && node->id() < next_id_ && node->id() <= kDeviceIdMax;
    if (!possible || ids_.contains(node->name())) {
      return Error(EINVAL, "the saved state has two disks of one name or number");
    }
    if (absl::Status inserted = Insert(node); !inserted.ok()) return inserted;
  }
  return absl::OkStatus();
}

std::shared_ptr<Entry> Tree::Find(Inode inode) {
  static const std::shared_ptr<Entry>& nothing = *new auto(std::make_shared<Entry>());
  if (inode == kRootInode) return {std::shared_ptr<Entry>(), this};
  if (const RootRow* file = FindRootRow(inode)) {
    return std::make_shared<RootFile>(*this, *file);
  }
  const std::shared_ptr<DeviceNode> node = DeviceOf(inode);
  std::shared_ptr<Entry> entry =
      node == nullptr ? nullptr : DeviceDirectory(node, sections_).Find(PlaceOf(inode));
  return entry == nullptr ? nothing : entry;
}

absl::StatusOr<std::shared_ptr<Entry>> Tree::Lookup(Inode parent, std::string_view name) {
  if (name.size() > kNameMax) return NameTooLong();
  std::shared_ptr<Entry> entry = Find(parent)->Lookup(name);
  if (entry == nullptr) return NoSuchFile();
  return entry;
}

absl::Status Tree::Remove(Inode parent, std::string_view name, uint64_t request, IfOpen if_open) {
  const std::shared_ptr<Entry> directory = Find(parent);
  if (std::dynamic_pointer_cast<File>(directory->Lookup(name)) != nullptr) {
    return Error(ENOTDIR, "rmdir: not a device's directory");
  }
  return directory->Remove(name, request, if_open);
}

std::shared_ptr<Entry> Tree::Lookup(std::string_view name) {
  if (std::shared_ptr<DeviceNode> node = Called(name)) {
    return std::make_shared<DeviceDirectory>(std::move(node), sections_);
  }
  const RootRow* const file = FindRootRow(name);
  return file == nullptr ? nullptr : std::make_shared<RootFile>(*this, *file);
}

// Offsets: files by their place, then devices by id.
void Tree::ListBehind(uint64_t offset, Show show) {
  const absl::Span<const RootRow> files = RootRows();
  const uint64_t file_count = files.size();
  for (uint64_t i = offset; i < file_count; ++i) {
    const bool shown = Called(files[i].name) == nullptr;
    if (shown && !show(files[i].name, files[i].inode, S_IFREG, i + 1)) return;
  }
  SharedLockGuard lock(mutex_);
  auto it = devices_.upper_bound(offset - std::min(offset, file_count));
  for (; it != devices_.end(); ++it) {
    const Inode inode = MakeInode(it->first, kDirectorySlot);
    if (!show(it->second->name(), inode, S_IFDIR, file_count + it->first)) return;
  }
}

absl::StatusOr<std::shared_ptr<Entry>> Tree::Make(std::string_view name, const Creation& creation) {
  const absl::StatusOr<std::shared_ptr<DeviceNode>> node = MakeDevice(name, creation);
  if (!node.ok()) return node.status();
  return std::make_shared<DeviceDirectory>(*node, sections_);
}

absl::StatusOr<std::shared_ptr<DeviceNode>> Tree::MakeDevice(std::string_view name,
                                                             const Creation& creation) {
  if (absl::Status status = CheckName(name); !status.ok()) return status;
  const timespec now = services_.device.clock.WallTime();
  const Ownership ownership = MadeNow(creation.mode & 07777, creation.uid, creation.gid, now);
  LockGuard lock(mutex_);
  if (const auto it = ids_.find(name); it != ids_.end()) {
    const std::shared_ptr<DeviceNode>& there = devices_.at(it->second);
    if (creation.request != 0 && there->request() == creation.request) return there;
    return NameTaken();
  }
  if (FindRootRow(name) != nullptr) return NameTaken();
  if (absl::Status room = CheckRoom(); !room.ok()) return room;
  const uint64_t id = next_id_++;
  ownership_.at(kRootInode).modified = now;
  last_error_.clear();
  Save();  // before the device is: no id is ever used twice
  KillPoint("id-taken");
  auto node =
      std::make_shared<DeviceNode>(id, std::string(name), ownership, services_, creation.request);
  if (absl::Status inserted = Insert(node); !inserted.ok()) return inserted;
  node->SaveNew();
  return node;
}

absl::Status Tree::CheckRoom() const {
  if (next_id_ > kDeviceIdMax) {
    return Error(ENOSPC, "a mount makes at most 2^40 - 1 devices in its life; mount another");
  }
  if (devices_.size() < kDevicesMax) return absl::OkStatus();
  return Error(ENOSPC, absl::StrCat("a mount has at most ", kDevicesMax,
                                    " devices; remove one (rmdir), or mount another"));
}

absl::Status Tree::Insert(const std::shared_ptr<DeviceNode>& node) {
  if (by_id_.Store(node->id(), node.get()).error != 0) return NoMemory();
  try {
    devices_.emplace(node->id(), node);
    ids_.emplace(node->name(), node->id());
  } catch (const std::bad_alloc&) {
    devices_.erase(node->id());
    by_id_.Erase(node->id());
    return NoMemory();
  }
  return absl::OkStatus();
}

absl::Status Tree::Remove(std::string_view name, uint64_t request, IfOpen if_open) {
  const std::shared_ptr<DeviceNode> node = Called(name);
  if (node == nullptr) {
    const Survival* const survival = services_.survival;
    const bool removed = survival != nullptr && survival->RemovedBy(request);
    return removed ? absl::OkStatus() : NoSuchFile();
  }
  if (services_.survival != nullptr) services_.survival->NoteRemoval(request);
  KillPoint("removal-noted");
  if (absl::Status status = node->Retire(if_open); !status.ok()) return status;
  LockGuard lock(mutex_);
  by_id_.Erase(node->id());
  devices_.erase(node->id());
  ids_.erase(node->name());
  ownership_.at(kRootInode).modified = services_.device.clock.WallTime();
  last_error_.clear();
  Save();
  return absl::OkStatus();
}

void Tree::Save() const {
  if (services_.survival == nullptr) return;
  try {
    services_.survival->UpdateMount([this](MountRecord& mount) ABSL_NO_THREAD_SAFETY_ANALYSIS {
      mount.next_id = next_id_;
      mount.ownership = ownership_;
      mount.last_error = last_error_;
    });
  } catch (const std::bad_alloc&) {
    services_.survival->SayUnsaved(ENOMEM);
  }
}

Ownership Tree::OwnershipOf(Inode inode) const {
  SharedLockGuard lock(mutex_);
  return ownership_.at(inode);
}

absl::Status Tree::ChangeOwnershipOf(Inode inode, const OwnershipChange& change) {
  LockGuard lock(mutex_);
  change.ApplyTo(ownership_.at(inode), services_.device.clock.WallTime());
  Save();
  return absl::OkStatus();
}

absl::Status Tree::Refuse(Inode inode, absl::Status why) {
  if (why.ok()) return why;
  if (const std::shared_ptr<DeviceNode> node = DeviceOf(inode)) return node->Refuse(why);
  LockGuard lock(mutex_);
  last_error_ = std::string(why.message());
  Save();
  return why;
}

std::string Tree::last_error() const {
  SharedLockGuard lock(mutex_);
  return last_error_;
}

std::shared_ptr<DeviceNode> Tree::Called(std::string_view name) const {
  SharedLockGuard lock(mutex_);
  const auto it = ids_.find(name);
  return it == ids_.end() ? nullptr : devices_.at(it->second);
}

std::shared_ptr<DeviceNode> Tree::DeviceOf(Inode inode) const {
  SharedLockGuard lock(mutex_);
  const auto it = devices_.find(DeviceIdOf(inode));
  return it == devices_.end() ? nullptr : it->second;
}

std::vector<std::shared_ptr<DeviceNode>> Tree::Devices() const {
  std::vector<std::shared_ptr<DeviceNode>> devices;
  SharedLockGuard lock(mutex_);
  for (const auto& [id, node] : devices_) devices.push_back(node);
  return devices;
}

std::vector<std::string> Tree::DisksInUse() const {
  std::vector<std::string> names;
  SharedLockGuard lock(mutex_);
  for (const auto& [id, node] : devices_) {
    if (node->disk_open()) names.push_back(Visible(node->name()));
  }
  return names;
}

absl::Status Tree::CutPower(uint64_t request) {
  return blackout_.Cut([this] { return Devices(); }, services_.survival, request);
}

uint64_t Tree::device_count() const {
  SharedLockGuard lock(mutex_);
  return devices_.size();
}

}  // namespace rnullfs
