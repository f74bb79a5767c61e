// What the mount shows, by inode number: the door by which a front end comes to the entries.
//
// A front end (src/fuse) turns its requests into these calls; nothing here knows FUSE.  Errnos are
// configfs' own: what does not belong in the tree (files of one's own, links) is EPERM.
//
// Thread safety: all calls from any thread.  OpenDiskOwner() takes no lock.
// Errors: as entry.h.
#ifndef RNULLFS_TREE_TREE_H_
#define RNULLFS_TREE_TREE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tree/device_directory.h"
#include "tree/entry.h"
#include "tree/root.h"

namespace rnullfs {

class Tree {
 public:
  // `status` makes the text of status.json.  The root belongs to `uid` and `gid`; `sections`
  // outlive the tree.
  Tree(uid_t uid, gid_t gid, std::function<std::string()> status, NodeServices services,
       Sections sections = DeviceSections())
      : root_(std::make_shared<Root>(uid, gid, std::move(status), std::move(services), sections)) {}

  // Makes it, before it is used, what a process left that is gone: the records are in the services'
  // survival, `memfds` are the files it kept.  An error means that data are missing.
  absl::Status Restore(std::vector<UniqueFd> memfds) { return root_->Restore(std::move(memfds)); }

  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  // What the number stands for; never null.
  std::shared_ptr<Entry> Find(Inode inode) const;

  // What the entry says that has the number (entry.h).
  absl::StatusOr<std::shared_ptr<Entry>> Lookup(Inode parent, std::string_view name) const;
  absl::StatusOr<struct stat> Stat(Inode inode) const { return Find(inode)->Stat(); }
  absl::Status ChangeOwnership(Inode inode, const OwnershipChange& change) const {
    return Find(inode)->ChangeOwnership(change);
  }
  absl::Status List(Inode directory, uint64_t offset, Entry::Show show) const {
    return Find(directory)->List(offset, show);
  }
  absl::StatusOr<std::shared_ptr<Entry>> Make(Inode parent, std::string_view name,
                                              const Creation& creation) const {
    return Find(parent)->Make(name, creation);
  }
  absl::Status Remove(Inode parent, std::string_view name, uint64_t request = 0,
                      IfOpen if_open = IfOpen::kWait) const;
  absl::Status Rename(Inode from, std::string_view name, Inode to, std::string_view new_name,
                      unsigned flags) const {
    return Find(from)->Rename(name, *Find(to), new_name, flags);
  }
  absl::StatusOr<std::unique_ptr<FileHandle>> Open(Inode inode, int flags,
                                                   uint64_t handle = 0) const {
    return Find(inode)->Open(flags, handle);
  }
  absl::Status Truncate(Inode inode, uint64_t length) const {
    return Find(inode)->Truncate(length);
  }

  // Remembers why something was refused: in last_error of the device that the inode belongs to, or
  // of the root (status.json).  An OK changes nothing.  Returns the status.
  absl::Status Refuse(Inode inode, absl::Status why) const;
  // Why mkdir, rmdir or something else was refused in the root last; empty after a good one.
  std::string last_error() const { return root_->last_error(); }

  absl::StatusOr<std::shared_ptr<DeviceNode>> MakeDevice(std::string_view name,
                                                         const Creation& creation) const {
    return root_->MakeDevice(name, creation);
  }

  // The device whose `disk` the inode is; null for every other inode.
  std::shared_ptr<DeviceNode> DiskOwner(Inode inode) const {
    return IsDisk(inode) ? root_->Device(DeviceIdOf(inode)) : nullptr;
  }

  // The same for whoever holds that disk open: the node stays until it is closed.
  DeviceNode* OpenDiskOwner(Inode inode) const { return root_->OpenDevice(DeviceIdOf(inode)); }

  // The names of the devices whose disk is open.
  std::vector<std::string> DisksInUse() const { return root_->DisksInUse(); }
  std::vector<std::shared_ptr<DeviceNode>> Devices() const { return root_->Devices(); }
  uint64_t device_count() const { return root_->device_count(); }

 private:
  const std::shared_ptr<Root> root_;
};

}  // namespace rnullfs

#endif  // RNULLFS_TREE_TREE_H_
