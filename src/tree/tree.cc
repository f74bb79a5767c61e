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
#include "tree/takeover.h"
#include "tree/text_file.h"

namespace rnullfs {
namespace {

Ownership MadeNow(mode_t mode, uid_t uid, gid_t gid, timespec now) {
  return {.mode = mode, .uid = uid, .gid = gid, .accessed = now, .modified = now, .changed = now};
}

absl::Status NoMemory() { return Error(ENOMEM, "out of memory"); }
absl::Status NameTaken() { return Error(EEXIST, "mkdir: the name is taken"); }

// A file of the root: a text that is only read.
struct RootRow {
  std::string_view name;
  Inode inode;  // never changes its meaning; 1 is the root itself
  bool status;  // the mount's status, as long as it is; else the features, of no certain length
};
constexpr RootRow kFiles[] = {{"features", 2, false}, {"status.json", 3, true}};

template <typename Value>
const RootRow* FindFile(Value RootRow::*key, const Value& value) {
  const auto* it = std::find_if(std::begin(kFiles), std::end(kFiles),
                                [&](const RootRow& row) { return row.*key == value; });
  return it == std::end(kFiles) ? nullptr : it;
}

}  // namespace

class Tree::RootFile final : public File {
 public:
  RootFile(Tree& tree, const RootRow& row) : tree_(tree), row_(row) {}
  Inode inode() const override { return row_.inode; }
  absl::Status ChangeOwnership(const OwnershipChange& change) override {
    return tree_.ChangeOwnershipOf(row_.inode, change);
  }

 private:
  std::string_view name() const override { return row_.name; }
  Ownership ownership() const override { return tree_.OwnershipOf(row_.inode); }
  uint64_t size() const override { return row_.status ? tree_.status_().size() : File::size(); }
  absl::StatusOr<std::unique_ptr<FileHandle>> MakeHandle(int /*flags*/, uint64_t /*handle*/,
                                                         std::string_view /*opener*/) override {
    return std::make_unique<TextFile>(row_.status ? tree_.status_ : FeaturesLine);
  }

  Tree& tree_;
  const RootRow& row_;
};

Tree::Tree(uid_t uid, gid_t gid, std::function<std::string()> status, NodeServices services,
           Sections sections)
    : status_(std::move(status)), services_(Completed(std::move(services))), sections_(sections) {
  const timespec now = services_.device.clock.WallTime();
  ownership_[kRootInode] = MadeNow(0755, uid, gid, now);
  for (const RootRow& row : kFiles) ownership_[row.inode] = MadeNow(0444, uid, gid, now);
}

NodeServices Tree::Completed(NodeServices services) {
  services.indexes = &indexes_;
  services.find_disk = [this](const std::string& text, const Requester& who,
                              const std::string& user, bool again) {
    return FindDiskOrigin(text, who, user, again,
                          [this](std::string_view name) { return Called(name); });
  };
  return services;
}

absl::Status Tree::Restore(std::vector<UniqueFd> memfds) {
  Survival& survival = *services_.survival;
  absl::StatusOr<std::vector<std::shared_ptr<DeviceNode>>> devices =
      RestoreDevices(services_, std::move(memfds));
  if (!devices.ok()) return devices.status();
  const MountRecord mount = survival.mount();
  LockGuard lock(mutex_);
  next_id_ = mount.next_id;
  last_error_ = mount.last_error;
  for (const auto& [inode, ownership] : mount.ownership) ownership_[inode] = ownership;
  for (const std::shared_ptr<DeviceNode>& node : *devices) {
    const bool possible = node->id() != 0 && node->id() < next_id_ && node->id() <= kDeviceIdMax;
    if (!possible || ids_.contains(node->name())) {
      return Error(EINVAL, "the saved state has two disks of one name or number");
    }
    if (absl::Status inserted = Insert(node); !inserted.ok()) return inserted;
  }
  survival.TakeOver();
  return absl::OkStatus();
}

std::shared_ptr<Entry> Tree::Find(Inode inode) {
  static const std::shared_ptr<Entry>& nothing = *new auto(std::make_shared<Entry>());
  if (inode == kRootInode) return {std::shared_ptr<Entry>(), this};
  if (const RootRow* file = FindFile(&RootRow::inode, inode)) {
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
  if (const RootRow* file = FindFile(&RootRow::name, name)) {
    return std::make_shared<RootFile>(*this, *file);
  }
  std::shared_ptr<DeviceNode> node = Called(name);
  if (node == nullptr) return nullptr;
  return std::make_shared<DeviceDirectory>(std::move(node), sections_);
}

// Offsets: files by their place, then devices by id.
void Tree::ListBehind(uint64_t offset, Show show) {
  constexpr uint64_t kFileCount = std::size(kFiles);
  for (uint64_t i = offset; i < kFileCount; ++i) {
    if (!show(kFiles[i].name, kFiles[i].inode, S_IFREG, i + 1)) return;
  }
  SharedLockGuard lock(mutex_);
  auto it = devices_.upper_bound(offset - std::min(offset, kFileCount));
  for (; it != devices_.end(); ++it) {
    const Inode inode = MakeInode(it->first, kDirectorySlot);
    if (!show(it->second->name(), inode, S_IFDIR, kFileCount + it->first)) return;
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
  if (FindFile(&RootRow::name, name) != nullptr) return NameTaken();
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

uint64_t Tree::device_count() const {
  SharedLockGuard lock(mutex_);
  return devices_.size();
}

}  // namespace rnullfs
