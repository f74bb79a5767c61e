#include "tree/tree.h"

#include <fcntl.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "rnullfs/error.h"

namespace rnullfs {

absl::StatusOr<std::shared_ptr<Entry>> Tree::Find(Inode inode) const {
  std::shared_ptr<Entry> entry = root_;
  if (inode != kRootInode) entry = root_->Find(inode);
  if (entry == nullptr) return NoSuchFile();
  return entry;
}

absl::StatusOr<std::shared_ptr<File>> Tree::FindFile(Inode inode) const {
  const absl::StatusOr<std::shared_ptr<Entry>> entry = Find(inode);
  if (!entry.ok()) return entry.status();
  std::shared_ptr<File> file = std::dynamic_pointer_cast<File>(*entry);
  if (file == nullptr) return Error(EISDIR, "a directory has no length");
  return file;
}

absl::StatusOr<std::shared_ptr<Directory>> Tree::FindDirectory(Inode inode) const {
  const absl::StatusOr<std::shared_ptr<Entry>> entry = Find(inode);
  if (!entry.ok()) return entry.status();
  std::shared_ptr<Directory> directory = std::dynamic_pointer_cast<Directory>(*entry);
  if (directory == nullptr) return Error(ENOTDIR, "not a directory");
  return directory;
}

absl::StatusOr<std::shared_ptr<Entry>> Tree::Lookup(Inode parent, std::string_view name) const {
  if (name.size() > kNameMax) return NameTooLong();
  const absl::StatusOr<std::shared_ptr<Directory>> directory = FindDirectory(parent);
  if (!directory.ok()) return directory.status();
  std::shared_ptr<Entry> entry = (*directory)->Lookup(name);
  if (entry == nullptr) return NoSuchFile();
  return entry;
}

absl::StatusOr<struct stat> Tree::Stat(Inode inode) const {
  const absl::StatusOr<std::shared_ptr<Entry>> entry = Find(inode);
  if (!entry.ok()) return entry.status();
  return (*entry)->Stat();
}

absl::Status Tree::ChangeOwnership(Inode inode, const OwnershipChange& change) const {
  const absl::StatusOr<std::shared_ptr<Entry>> entry = Find(inode);
  if (entry.ok()) (*entry)->ChangeOwnership(change);
  return entry.status();
}

absl::Status Tree::List(Inode inode, uint64_t offset, Directory::Show show) const {
  const absl::StatusOr<std::shared_ptr<Directory>> directory = FindDirectory(inode);
  if (!directory.ok()) return directory.status();
  constexpr uint64_t kDots = 2;
  if (offset < 1 && !show(".", inode, S_IFDIR, 1)) return absl::OkStatus();
  if (offset < 2 && !show("..", (*directory)->parent(), S_IFDIR, 2)) return absl::OkStatus();
  const auto show_behind = [&](std::string_view name, Inode entry, mode_t type, uint64_t next) {
    return show(name, entry, type, kDots + next);
  };
  (*directory)->List(offset < kDots ? 0 : offset - kDots, show_behind);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<Entry>> Tree::Make(Inode parent, std::string_view name,
                                                  const Creation& creation) const {
  const absl::StatusOr<std::shared_ptr<Directory>> directory = FindDirectory(parent);
  if (!directory.ok()) return directory.status();
  return (*directory)->Make(name, creation);
}

absl::Status Tree::Remove(Inode parent, std::string_view name, uint64_t request,
                          IfOpen if_open) const {
  if (name.size() > kNameMax) return NameTooLong();
  const absl::StatusOr<std::shared_ptr<Directory>> directory = FindDirectory(parent);
  if (!directory.ok()) return directory.status();
  const std::shared_ptr<Entry> entry = (*directory)->Lookup(name);
  if (std::dynamic_pointer_cast<File>(entry) != nullptr) {
    return Error(ENOTDIR, "rmdir: not a device's directory");
  }
  return (*directory)->Remove(name, request, if_open);
}

absl::Status Tree::Rename(Inode from, std::string_view name, Inode to, std::string_view new_name,
                          unsigned flags) const {
  const absl::StatusOr<std::shared_ptr<Directory>> source = FindDirectory(from);
  if (!source.ok()) return source.status();
  const absl::StatusOr<std::shared_ptr<Directory>> target = FindDirectory(to);
  if (!target.ok()) return target.status();
  return (*source)->Rename(name, **target, new_name, flags);
}

absl::StatusOr<std::unique_ptr<FileHandle>> Tree::Open(Inode inode, int flags,
                                                       uint64_t handle) const {
  const absl::StatusOr<std::shared_ptr<File>> file = FindFile(inode);
  if (!file.ok()) return file.status();
  if ((flags & O_ACCMODE) != O_RDONLY && !(*file)->writable()) {
    return Error(EACCES, absl::StrCat(std::string((*file)->name()), ": the file is read-only"));
  }
  return (*file)->Open(flags, handle);
}

absl::Status Tree::Truncate(Inode inode, uint64_t length) const {
  const absl::StatusOr<std::shared_ptr<File>> file = FindFile(inode);
  return file.ok() ? (*file)->Truncate(length) : file.status();
}

absl::Status Tree::Refuse(Inode inode, absl::Status why) const {
  if (why.ok()) return why;
  const std::shared_ptr<DeviceNode> node = root_->Device(DeviceIdOf(inode));
  if (node != nullptr) return node->Refuse(why);
  root_->Refuse(why);
  return why;
}

}  // namespace rnullfs
