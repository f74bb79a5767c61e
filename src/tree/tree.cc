#include "tree/tree.h"

#include <cerrno>

#include "rnullfs/error.h"

namespace rnullfs {

std::shared_ptr<Entry> Tree::Find(Inode inode) const {
  static const std::shared_ptr<Entry>& none = *new auto(std::make_shared<Entry>());
  if (inode == kRootInode) return root_;
  std::shared_ptr<Entry> entry = root_->Find(inode);
  return entry == nullptr ? none : entry;
}

absl::StatusOr<std::shared_ptr<Entry>> Tree::Lookup(Inode parent, std::string_view name) const {
  if (name.size() > kNameMax) return NameTooLong();
  std::shared_ptr<Entry> entry = Find(parent)->Lookup(name);
  if (entry == nullptr) return NoSuchFile();
  return entry;
}

absl::Status Tree::Remove(Inode parent, std::string_view name, uint64_t request,
                          IfOpen if_open) const {
  const std::shared_ptr<Entry> directory = Find(parent);
  if (std::dynamic_pointer_cast<File>(directory->Lookup(name)) != nullptr) {
    return Error(ENOTDIR, "rmdir: not a device's directory");
  }
  return directory->Remove(name, request, if_open);
}

absl::Status Tree::Refuse(Inode inode, absl::Status why) const {
  if (why.ok()) return why;
  const std::shared_ptr<DeviceNode> node = root_->Device(DeviceIdOf(inode));
  if (node != nullptr) return node->Refuse(why);
  root_->Refuse(why);
  return why;
}

}  // namespace rnullfs
