#include "tree/root.h"

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/kill_point.h"
#include "base/visible.h"
#include "rnullfs/error.h"
#include "tree/device_directory.h"
#include "tree/memfds_left.h"
#include "tree/text_file.h"

namespace rnullfs {
namespace {

// Not more removals than this can be under way, and so unanswered, at once.
constexpr size_t kRemovalsMax = 256;

NodeServices WithIndexes(NodeServices services, IndexPool& indexes) {
  services.indexes = &indexes;
  return services;
}

absl::Status NoMemory() { return Error(ENOMEM, "out of memory"); }
absl::Status NameTaken() { return Error(EEXIST, "mkdir: the name is taken"); }

// A file of the root: a text that is only read.
struct RootRow {
  std::string_view name;
  Inode inode;  // never changes its meaning; 1 is the root itself
  std::function<std::string()> (*show)(const Root& root);
  bool sized;  // stat shows the text's length
};

constexpr RootRow kFiles[] = {
    {"features", 2, [](const Root&) { return std::function(FeaturesLine); }, false},
    {"status.json", 3, [](const Root& root) { return root.status(); }, true},
};

class RootFile final : public File {
 public:
  RootFile(Root& root, const RootRow& row) : root_(root), row_(row) {}
  Inode inode() const override { return row_.inode; }
  absl::Status ChangeOwnership(const OwnershipChange& change) override {
    return root_.Change(row_.inode, change);
  }

 private:
  std::string_view name() const override { return row_.name; }
  Ownership ownership() const override { return root_.OwnershipOf(row_.inode); }
  uint64_t size() const override { return row_.sized ? row_.show(root_)().size() : File::size(); }
  absl::StatusOr<std::unique_ptr<FileHandle>> MakeHandle(int /*flags*/,
                                                         uint64_t /*handle*/) override {
    return std::make_unique<TextFile>(row_.show(root_));
  }

  Root& root_;
  const RootRow& row_;
};

template <typename Value>
std::shared_ptr<File> FindFile(Root& root, Value RootRow::*key, const Value& value) {
  for (const RootRow& row : kFiles) {
    if (row.*key == value) return std::make_shared<RootFile>(root, row);
  }
  return nullptr;
}

}  // namespace

Root::Root(uid_t uid, gid_t gid, std::function<std::string()> status, NodeServices services,
           Sections sections)
    : status_(std::move(status)),
      services_(WithIndexes(std::move(services), indexes_)),
      sections_(sections) {
  const timespec now = services_.device.clock.WallTime();
  Ownership ownership{
      .mode = 0755, .uid = uid, .gid = gid, .accessed = now, .modified = now, .changed = now};
  ownership_[kRootInode] = ownership;
  ownership.mode = 0444;
  for (const RootRow& row : kFiles) ownership_[row.inode] = ownership;
}

absl::Status Root::Restore(std::vector<UniqueFd> memfds) {
  MemfdsLeft left(std::move(memfds));
  const MountRecord mount = services_.survival->mount();
  LockGuard lock(mutex_);
  next_id_ = mount.next_id;
  last_error_ = mount.last_error;
  for (const auto& [inode, ownership] : mount.ownership) ownership_[inode] = ownership;
  for (const DeviceRecord& record : services_.survival->devices()) {
    const bool possible = record.id != 0 && record.id < next_id_ && record.id <= kDeviceIdMax;
    if (!possible || ids_.contains(record.name)) {
      return Error(EINVAL, "the saved state has two disks of one name or number");
    }
    const auto node = std::make_shared<DeviceNode>(record.id, record.name, record.created,
                                                   services_, record.request);
    absl::Status restored = node->Restore(record, left.Take(record));
    if (!restored.ok()) return restored;
    if (absl::Status inserted = Insert(node); !inserted.ok()) return inserted;
  }
  left.Drop(services_.survival->keeper());
  services_.survival->TakeOver();
  return absl::OkStatus();
}

std::shared_ptr<Entry> Root::Find(Inode inode) {
  if (DeviceIdOf(inode) == 0) return FindFile(*this, &RootRow::inode, inode);
  std::shared_ptr<DeviceNode> node = Device(DeviceIdOf(inode));
  if (node == nullptr) return nullptr;
  return DeviceDirectory(std::move(node), sections_).Find(PlaceOf(inode));
}

std::shared_ptr<Entry> Root::Lookup(std::string_view name) {
  if (std::shared_ptr<Entry> file = FindFile(*this, &RootRow::name, name)) return file;
  SharedLockGuard lock(mutex_);
  const auto it = ids_.find(name);
  if (it == ids_.end()) return nullptr;
  return std::make_shared<DeviceDirectory>(devices_.at(it->second), sections_);
}

// Offsets: files by their place, then devices by id.
void Root::ListBehind(uint64_t offset, Show show) {
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

absl::StatusOr<std::shared_ptr<Entry>> Root::Make(std::string_view name, const Creation& creation) {
  const absl::StatusOr<std::shared_ptr<DeviceNode>> node = MakeDevice(name, creation);
  if (!node.ok()) return node.status();
  return std::make_shared<DeviceDirectory>(*node, sections_);
}

absl::StatusOr<std::shared_ptr<DeviceNode>> Root::MakeDevice(std::string_view name,
                                                             const Creation& creation) {
  if (absl::Status status = CheckName(name); !status.ok()) return status;
  const timespec now = services_.device.clock.WallTime();
  const Ownership ownership{.mode = creation.mode & 07777,
                            .uid = creation.uid,
                            .gid = creation.gid,
                            .accessed = now,
                            .modified = now,
                            .changed = now};
  LockGuard lock(mutex_);
  if (const auto it = ids_.find(name); it != ids_.end()) {
    const std::shared_ptr<DeviceNode>& there = devices_.at(it->second);
    if (creation.request != 0 && there->request() == creation.request) return there;
    return NameTaken();
  }
  if (FindFile(*this, &RootRow::name, name) != nullptr) return NameTaken();
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

absl::Status Root::CheckRoom() const {
  if (next_id_ > kDeviceIdMax) {
    return Error(ENOSPC, "a mount makes at most 2^40 - 1 devices in its life; mount another");
  }
  if (devices_.size() < kDevicesMax) return absl::OkStatus();
  return Error(ENOSPC, absl::StrCat("a mount has at most ", kDevicesMax,
                                    " devices; remove one (rmdir), or mount another"));
}

absl::Status Root::Insert(const std::shared_ptr<DeviceNode>& node) {
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

absl::Status Root::Remove(std::string_view name, uint64_t request, IfOpen if_open) {
  std::shared_ptr<DeviceNode> node;
  {
    SharedLockGuard lock(mutex_);
    if (const auto it = ids_.find(name); it != ids_.end()) node = devices_.at(it->second);
  }
  if (node == nullptr) return WasRemovedBy(request) ? absl::OkStatus() : NoSuchFile();
  NoteRemoval(request);
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

bool Root::WasRemovedBy(uint64_t request) const {
  if (request == 0 || services_.survival == nullptr) return false;
  const std::vector<uint64_t> removals = services_.survival->mount().removals;
  return std::find(removals.begin(), removals.end(), request) != removals.end();
}

void Root::NoteRemoval(uint64_t request) const {
  if (request == 0 || services_.survival == nullptr) return;
  if (WasRemovedBy(request)) return;  // it is tried again
  services_.survival->UpdateMount([request](MountRecord& mount) {
    if (mount.removals.size() == kRemovalsMax) mount.removals.erase(mount.removals.begin());
    mount.removals.push_back(request);
  });
}

void Root::Save() const {
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

Ownership Root::OwnershipOf(Inode inode) const {
  SharedLockGuard lock(mutex_);
  return ownership_.at(inode);
}

absl::Status Root::Change(Inode inode, const OwnershipChange& change) {
  LockGuard lock(mutex_);
  change.ApplyTo(ownership_.at(inode), services_.device.clock.WallTime());
  Save();
  return absl::OkStatus();
}

void Root::Refuse(const absl::Status& why) {
  LockGuard lock(mutex_);
  last_error_ = std::string(why.message());
  Save();
}

std::string Root::last_error() const {
  SharedLockGuard lock(mutex_);
  return last_error_;
}

std::shared_ptr<DeviceNode> Root::Device(uint64_t id) const {
  SharedLockGuard lock(mutex_);
  const auto it = devices_.find(id);
  return it == devices_.end() ? nullptr : it->second;
}

std::vector<std::shared_ptr<DeviceNode>> Root::Devices() const {
  std::vector<std::shared_ptr<DeviceNode>> devices;
  SharedLockGuard lock(mutex_);
  for (const auto& [id, node] : devices_) devices.push_back(node);
  return devices;
}

std::vector<std::string> Root::DisksInUse() const {
  std::vector<std::string> names;
  SharedLockGuard lock(mutex_);
  for (const auto& [id, node] : devices_) {
    if (node->disk_open()) names.push_back(Visible(node->name()));
  }
  return names;
}

uint64_t Root::device_count() const {
  SharedLockGuard lock(mutex_);
  return devices_.size();
}

}  // namespace rnullfs
