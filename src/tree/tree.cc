#include "tree/tree.h"

#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/kill_point.h"
#include "base/visible.h"
#include "config/json.h"
#include "rnullfs/error.h"
#include "tree/files.h"

namespace rnullfs {
namespace {

constexpr uint64_t kAttributeStatSize = 4096;  // what sysfs and configfs show for every attribute
constexpr size_t kNameMax = 255;

absl::Status NoSuchFile() { return Error(ENOENT, "no such file"); }
absl::Status NameTooLong() { return Error(ENAMETOOLONG, "a name has at most 255 bytes"); }

struct stat MakeStat(Inode inode, mode_t type, const Ownership& ownership, uint64_t size) {
  struct stat st = {};
  st.st_ino = inode;
  st.st_mode = type | ownership.mode;
  st.st_nlink = type == S_IFDIR ? 2 : 1;
  st.st_uid = ownership.uid;
  st.st_gid = ownership.gid;
  st.st_size = static_cast<off_t>(size);
  st.st_blocks = static_cast<blkcnt_t>((size + 511) / 512);  // none: tar --sparse reads no byte
  st.st_blksize = PageStore::kPageSize;
  st.st_atim = ownership.accessed;
  st.st_mtim = ownership.modified;
  st.st_ctim = ownership.changed;
  return st;
}

NodeServices WithIndexes(NodeServices services, IndexPool& indexes) {
  services.indexes = &indexes;
  return services;
}

// What a name in a listing, a message or a shell's loop cannot be without harm.
absl::Status CheckName(std::string_view name) {
  if (name.size() > kNameMax) return NameTooLong();
  if (!name.empty() && !HasControls(name)) return absl::OkStatus();
  return Error(EINVAL, absl::StrCat("mkdir: ", Visible(name),
                                    " is not accepted; a device's name has no control characters, "
                                    "line separators or marks of writing direction"));
}

}  // namespace

Tree::Tree(uid_t uid, gid_t gid, std::function<std::string()> status, NodeServices services)
    : status_(std::move(status)), services_(WithIndexes(std::move(services), indexes_)) {
  const timespec now = services_.device.clock.WallTime();
  Ownership ownership{
      .mode = 0755, .uid = uid, .gid = gid, .accessed = now, .modified = now, .changed = now};
  root_ownership_[kRootInode] = ownership;
  for (const File& file : RootFiles()) {
    ownership.mode = file.mode;
    root_ownership_[file.slot] = ownership;
  }
}

Tree::~Tree() = default;

std::shared_ptr<DeviceNode> Tree::Find(uint64_t id) const {
  SharedLockGuard lock(mutex_);
  const auto it = nodes_.find(id);
  return it == nodes_.end() ? nullptr : it->second;
}

absl::StatusOr<struct stat> Tree::Lookup(Inode parent, std::string_view name) const {
  if (name.size() > kNameMax) return NameTooLong();
  if (parent == kRootInode) {
    if (const File* file = FindFile(RootFiles(), kDirectorySlot, name)) return StatRootFile(*file);
    std::shared_ptr<DeviceNode> node;
    {
      SharedLockGuard lock(mutex_);
      const auto it = ids_.find(name);
      if (it == ids_.end()) return NoSuchFile();
      node = nodes_.at(it->second);
    }
    return StatDevice(*node);
  }
  const std::shared_ptr<DeviceNode> node = Find(DeviceIdOf(parent));
  const File* file = FindFile(DeviceFiles(), SlotOf(parent), name);
  if (node == nullptr || file == nullptr) return NoSuchFile();
  return Stat(MakeInode(node->id(), file->slot));
}

absl::StatusOr<struct stat> Tree::Stat(Inode inode) const {
  if (inode == kRootInode) return StatRoot();
  if (DeviceIdOf(inode) == 0) {
    const File* file = FindFile(RootFiles(), SlotOf(inode));
    if (file == nullptr) return NoSuchFile();
    return StatRootFile(*file);
  }
  const std::shared_ptr<DeviceNode> node = Find(DeviceIdOf(inode));
  if (node == nullptr) return NoSuchFile();
  if (SlotOf(inode) == kDirectorySlot) return StatDevice(*node);
  const File* file = FindFile(DeviceFiles(), SlotOf(inode));
  if (file == nullptr) return NoSuchFile();
  if (file->kind == FileKind::kDisk && node->device() == nullptr) return NoSuchFile();
  return StatFile(*node, *file);
}

struct stat Tree::StatRoot() const {
  SharedLockGuard lock(mutex_);
  struct stat st = MakeStat(kRootInode, S_IFDIR, root_ownership_.at(kRootInode), 0);
  st.st_nlink += nodes_.size();
  return st;
}

struct stat Tree::StatRootFile(const File& file) const {
  const uint64_t size = file.kind == FileKind::kStatusJson ? status_().size() : kAttributeStatSize;
  SharedLockGuard lock(mutex_);
  return MakeStat(file.slot, S_IFREG, root_ownership_.at(file.slot), size);
}

struct stat Tree::StatDevice(const DeviceNode& node) const {
  struct stat st = MakeStat(MakeInode(node.id(), kDirectorySlot), S_IFDIR,
                            node.OwnershipOf(kDirectorySlot, 0755), 0);
  st.st_nlink += FaultGroups().size();  // find(1) counts on it
  return st;
}

struct stat Tree::StatFile(const DeviceNode& node, const File& file) const {
  if (file.kind == FileKind::kDirectory) {
    return MakeStat(MakeInode(node.id(), file.slot), S_IFDIR,
                    node.OwnershipOf(file.slot, file.mode), 0);
  }
  uint64_t size = kAttributeStatSize;
  if (file.kind == FileKind::kConfigJson) size = ShowJson(node.settings()).size();
  if (file.kind == FileKind::kStatsJson) size = node.StatsText().size();
  if (file.kind == FileKind::kLastError) size = node.last_error().size();
  if (file.kind == FileKind::kDisk) size = node.facts().size_bytes;
  struct stat st = MakeStat(MakeInode(node.id(), file.slot), S_IFREG,
                            node.OwnershipOf(file.slot, file.mode), size);
  if (file.kind == FileKind::kDisk) {
    st.st_blocks = static_cast<blkcnt_t>(node.facts().stored_bytes / 512);
  }
  return st;
}

absl::Status Tree::ChangeOwnership(Inode inode, const OwnershipChange& change) {
  if (DeviceIdOf(inode) == 0) {
    LockGuard lock(mutex_);
    const auto it = root_ownership_.find(inode);
    if (it == root_ownership_.end()) return NoSuchFile();
    change.ApplyTo(it->second, services_.device.clock.WallTime());
    SaveRoot();
    return absl::OkStatus();
  }
  const std::shared_ptr<DeviceNode> node = Find(DeviceIdOf(inode));
  if (node == nullptr) return NoSuchFile();
  const File* file = FindFile(DeviceFiles(), SlotOf(inode));
  node->ChangeOwnership(SlotOf(inode), file == nullptr ? 0755 : file->mode, change);
  return absl::OkStatus();
}

absl::Status Tree::List(Inode directory, uint64_t offset, Show show) const {
  // Offsets: 1 and 2 lie behind "." and "..", then come files by their place, then devices by id.
  const bool is_root = directory == kRootInode;
  const std::shared_ptr<DeviceNode> node = is_root ? nullptr : Find(DeviceIdOf(directory));
  if (!is_root && node == nullptr) return NoSuchFile();
  const uint32_t slot = is_root ? kDirectorySlot : SlotOf(directory);
  const Inode above = slot == kDirectorySlot ? kRootInode : MakeInode(node->id(), kDirectorySlot);
  if (offset < 1 && !show(".", directory, S_IFDIR, 1)) return absl::OkStatus();
  if (offset < 2 && !show("..", above, S_IFDIR, 2)) return absl::OkStatus();
  const absl::Span<const File> files = is_root ? RootFiles() : DeviceFiles();
  for (uint64_t i = offset < 2 ? 0 : offset - 2; i < files.size(); ++i) {
    if (files[i].directory != slot) continue;
    if (files[i].kind == FileKind::kDisk && node->device() == nullptr) continue;
    const Inode inode = MakeInode(is_root ? 0 : node->id(), files[i].slot);
    const mode_t type = files[i].kind == FileKind::kDirectory ? S_IFDIR : S_IFREG;
    if (!show(files[i].name, inode, type, i + 3)) return absl::OkStatus();
  }
  if (!is_root) return absl::OkStatus();
  const uint64_t base = files.size() + 2;
  SharedLockGuard lock(mutex_);
  for (auto it = nodes_.upper_bound(offset < base ? 0 : offset - base); it != nodes_.end(); ++it) {
    const Inode inode = MakeInode(it->first, kDirectorySlot);
    if (!show(it->second->name(), inode, S_IFDIR, base + it->first)) break;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<DeviceNode>> Tree::MakeDevice(Inode parent, std::string_view name,
                                                             mode_t mode, uid_t uid, gid_t gid,
                                                             uint64_t request) {
  if (parent != kRootInode) return Error(EPERM, "mkdir: devices are made in the root only");
  if (absl::Status status = CheckName(name); !status.ok()) return status;
  const timespec now = services_.device.clock.WallTime();
  const Ownership ownership{.mode = mode & 07777,
                            .uid = uid,
                            .gid = gid,
                            .accessed = now,
                            .modified = now,
                            .changed = now};
  LockGuard lock(mutex_);
  if (const auto it = ids_.find(name); it != ids_.end()) {
    const std::shared_ptr<DeviceNode>& there = nodes_.at(it->second);
    if (request != 0 && there->request() == request) return there;
    return Error(EEXIST, "mkdir: the name is taken");
  }
  if (FindFile(RootFiles(), kDirectorySlot, name) != nullptr)
    return Error(EEXIST, "mkdir: the name is taken");
  if (absl::Status room = CheckRoom(); !room.ok()) return room;
  const uint64_t id = next_id_++;
  root_ownership_.at(kRootInode).modified = now;
  last_error_.clear();
  SaveRoot();  // before the device is: no id is ever used twice
  KillPoint("id-taken");
  auto node = std::make_shared<DeviceNode>(id, std::string(name), ownership, services_, request);
  if (absl::Status inserted = Insert(node); !inserted.ok()) return inserted;
  node->SaveNew();
  return node;
}

absl::Status Tree::RemoveDevice(Inode parent, std::string_view name, uint64_t request,
                                IfOpen if_open) {
  const absl::StatusOr<struct stat> st = Lookup(parent, name);
  if (!st.ok()) return WasRemovedBy(request) ? absl::OkStatus() : st.status();
  if (!S_ISDIR(st->st_mode)) return Error(ENOTDIR, "rmdir: not a device's directory");
  if (parent != kRootInode) return Error(EPERM, "rmdir: a device's directories stay");
  const uint64_t id = DeviceIdOf(st->st_ino);
  const std::shared_ptr<DeviceNode> node = Find(id);
  if (node == nullptr) return NoSuchFile();
  NoteRemoval(request);
  KillPoint("removal-noted");
  if (absl::Status status = node->Retire(if_open); !status.ok()) return status;
  LockGuard lock(mutex_);
  by_id_.Erase(id);
  nodes_.erase(id);
  ids_.erase(node->name());
  root_ownership_.at(kRootInode).modified = services_.device.clock.WallTime();
  last_error_.clear();
  SaveRoot();
  return absl::OkStatus();
}

absl::Status Tree::Refuse(Inode inode, absl::Status why) {
  if (why.ok()) return why;
  if (const std::shared_ptr<DeviceNode> node = Find(DeviceIdOf(inode))) return node->Refuse(why);
  LockGuard lock(mutex_);
  last_error_ = std::string(why.message());
  SaveRoot();
  return why;
}

std::string Tree::last_error() const {
  SharedLockGuard lock(mutex_);
  return last_error_;
}

absl::StatusOr<std::unique_ptr<TextFile>> Tree::Open(Inode inode, int flags,
                                                     uint64_t handle) const {
  const uint64_t id = DeviceIdOf(inode);
  const File* file = FindFile(id == 0 ? RootFiles() : DeviceFiles(), SlotOf(inode));
  if (file == nullptr) return NoSuchFile();
  if ((flags & O_ACCMODE) != O_RDONLY && !file->writable()) {
    return Error(EACCES, absl::StrCat(std::string(file->name), ": the file is read-only"));
  }
  if (file->kind == FileKind::kFeatures) return std::make_unique<TextFile>(FeaturesLine);
  if (file->kind == FileKind::kStatusJson) return std::make_unique<TextFile>(status_);
  std::shared_ptr<DeviceNode> node = Find(id);
  if (node == nullptr) return NoSuchFile();
  switch (file->kind) {
    case FileKind::kAttribute:
      return std::make_unique<AttributeFile>(std::move(node), *file->attribute);
    case FileKind::kConfigJson:
      return std::make_unique<ConfigFile>(std::move(node), (flags & O_APPEND) != 0, handle);
    case FileKind::kStatsJson:
      return std::make_unique<TextFile>([node] { return node->StatsText(); });
    case FileKind::kLastError:
      return std::make_unique<TextFile>([node] { return node->last_error(); });
    default:
      return NoSuchFile();
  }
}

absl::Status Tree::Truncate(Inode inode, uint64_t length) const {
  const absl::StatusOr<struct stat> st = Stat(inode);
  if (!st.ok()) return st.status();
  if (S_ISDIR(st->st_mode)) return Error(EISDIR, "a directory has no length");
  const File* file = FindFile(DeviceIdOf(inode) == 0 ? RootFiles() : DeviceFiles(), SlotOf(inode));
  if (!file->writable()) return Error(EACCES, "the file is read-only");
  if (file->kind == FileKind::kDisk && length > static_cast<uint64_t>(st->st_size)) {
    return Error(ENOSPC, "disk: its size is the attribute `size`");
  }
  return absl::OkStatus();
}

std::shared_ptr<DeviceNode> Tree::DiskOwner(Inode inode) const {
  return SlotOf(inode) == kDiskSlot && DeviceIdOf(inode) != 0 ? Find(DeviceIdOf(inode)) : nullptr;
}

std::vector<std::string> Tree::DisksInUse() const {
  std::vector<std::string> names;
  SharedLockGuard lock(mutex_);
  for (const auto& [id, node] : nodes_) {
    if (node->facts().open) names.push_back(Visible(node->name()));
  }
  return names;
}

std::vector<std::shared_ptr<DeviceNode>> Tree::Devices() const {
  std::vector<std::shared_ptr<DeviceNode>> devices;
  SharedLockGuard lock(mutex_);
  for (const auto& [id, node] : nodes_) devices.push_back(node);
  return devices;
}

uint64_t Tree::device_count() const {
  SharedLockGuard lock(mutex_);
  return nodes_.size();
}

}  // namespace rnullfs
