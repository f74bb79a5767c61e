// What the mount shows: the root directory, with its files and the devices, which mkdir makes and
// rmdir removes; and by its inode number all that is below.
//
// A front end (src/fuse) turns its requests into calls of what Find() gives; nothing here knows
// FUSE.
//
// Thread safety: all calls from any thread.  OpenDiskOwner() takes no lock.
// Errors: as entry.h.
#ifndef RNULLFS_TREE_TREE_H_
#define RNULLFS_TREE_TREE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rnullfs/index_pool.h"
#include "rnullfs/mutex.h"
#include "rnullfs/unique_fd.h"
#include "rnullfs/xarray.h"
#include "tree/blackout.h"
#include "tree/device_directory.h"
#include "tree/entry.h"

namespace rnullfs {

// How many devices a mount may have.
inline constexpr uint64_t kDevicesMax = 16384;

class Tree final : public Directory {
 public:
  // `status` makes the text of status.json.  The root belongs to `uid` and `gid`; `sections`, which
  // outlive the tree, are each device's.
  Tree(uid_t uid, gid_t gid, std::function<std::string()> status, NodeServices services,
       Sections sections = DeviceSections());

  // Makes it, before it is used, what a process left that is gone: the records are in the services'
  // survival, `memfds` are the files it kept.  An error means that data are missing.
  absl::Status Restore(std::vector<UniqueFd> memfds) ABSL_LOCKS_EXCLUDED(mutex_);

  // What the number stands for; never null.  The tree outlives it.
  std::shared_ptr<Entry> Find(Inode inode);

  // What the entry says (entry.h), and before it: ENAMETOOLONG and ENOENT; ENOTDIR for a file.
  absl::StatusOr<std::shared_ptr<Entry>> Lookup(Inode parent, std::string_view name);
  absl::Status Remove(Inode parent, std::string_view name, uint64_t request = 0,
                      IfOpen if_open = IfOpen::kRefuse);

  // Remembers why something was refused: in last_error of the device that the inode belongs to, or
  // of the root (status.json).  An OK changes nothing.  Returns the status.
  absl::Status Refuse(Inode inode, absl::Status why);
  // Why mkdir, rmdir or something else was refused in the root last; empty after a good one.
  std::string last_error() const;

  // mkdir in the root.  Bytes that are no UTF-8 are taken for a name, as by other file systems.
  absl::StatusOr<std::shared_ptr<DeviceNode>> MakeDevice(std::string_view name,
                                                         const Creation& creation);

  // The device whose `disk` the inode is; null for every other inode.
  std::shared_ptr<DeviceNode> DiskOwner(Inode inode) const {
    return IsDisk(inode) ? DeviceOf(inode) : nullptr;
  }
  // The same for whoever holds that disk open: the node stays until it is closed.
  DeviceNode* OpenDiskOwner(Inode inode) const {
    return static_cast<DeviceNode*>(by_id_.Load(DeviceIdOf(inode)));
  }

  // Of all disks, at one moment (blackout.h).
  absl::Status CutPower(uint64_t request = 0);
  std::string Status() const { return status_(); }  // of status.json

  std::vector<std::string> DisksInUse() const;  // by name
  std::vector<std::shared_ptr<DeviceNode>> Devices() const;
  uint64_t device_count() const;

  // The root is an entry like any other.
  Inode inode() const override { return kRootInode; }
  absl::Status ChangeOwnership(const OwnershipChange& change) override {
    return ChangeOwnershipOf(kRootInode, change);
  }
  std::shared_ptr<Entry> Lookup(std::string_view name) override;
  absl::StatusOr<std::shared_ptr<Entry>> Make(std::string_view name,
                                              const Creation& creation) override;
  absl::Status Remove(std::string_view name, uint64_t request, IfOpen if_open) override;

 private:
  friend class RootFile;

  Ownership ownership() const override { return OwnershipOf(kRootInode); }
  Inode parent() const override { return kRootInode; }
  uint64_t directories() const override { return device_count(); }
  void ListBehind(uint64_t offset, Show show) override;

  NodeServices Completed(NodeServices services);
  absl::Status RestoreNames(const std::vector<std::shared_ptr<DeviceNode>>& devices)
      ABSL_LOCKS_EXCLUDED(mutex_);
  std::shared_ptr<DeviceNode> Called(std::string_view name) const ABSL_LOCKS_EXCLUDED(mutex_);
  std::shared_ptr<DeviceNode> DeviceOf(Inode inode) const ABSL_LOCKS_EXCLUDED(mutex_);
  Ownership OwnershipOf(Inode inode) const;  // of the root and its files
  absl::Status ChangeOwnershipOf(Inode inode, const OwnershipChange& change);
  absl::Status CheckRoom() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  absl::Status Insert(const std::shared_ptr<DeviceNode>& node)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Save() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  const std::function<std::string()> status_;
  IndexPool indexes_;
  Blackout blackout_;
  const NodeServices services_;
  const Sections sections_;

  mutable SharedMutex mutex_;
  std::map<Inode, Ownership> ownership_ ABSL_GUARDED_BY(mutex_);  // of the root and its files
  std::map<uint64_t, std::shared_ptr<DeviceNode>> devices_ ABSL_GUARDED_BY(mutex_);
  // Not abseil's map: without memory to grow one is left in pieces.
  std::map<std::string, uint64_t, std::less<>> ids_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  std::string last_error_ ABSL_GUARDED_BY(mutex_);
  XArray by_id_;  // the same devices, for the data path
};

}  // namespace rnullfs

#endif  // RNULLFS_TREE_TREE_H_
