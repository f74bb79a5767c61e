// The root: its files, and the devices, which mkdir makes and rmdir removes.
//
// Thread safety: all calls from any thread.  OpenDevice() takes no lock.
#ifndef RNULLFS_TREE_ROOT_H_
#define RNULLFS_TREE_ROOT_H_

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
#include "tree/device_directory.h"
#include "tree/entry.h"

namespace rnullfs {

// How many devices a mount may have.
inline constexpr uint64_t kDevicesMax = 16384;

class Root final : public Directory {
 public:
  // `status` makes the text of status.json.  The root belongs to `uid` and `gid`; `sections` are
  // each device's.
  Root(uid_t uid, gid_t gid, std::function<std::string()> status, NodeServices services,
       Sections sections);

  // As Tree has it.
  absl::Status Restore(std::vector<UniqueFd> memfds) ABSL_LOCKS_EXCLUDED(mutex_);

  // What the number stands for that is not the root; null for none.
  std::shared_ptr<Entry> Find(Inode inode);

  Inode inode() const override { return kRootInode; }
  absl::Status ChangeOwnership(const OwnershipChange& change) override {
    return Change(kRootInode, change);
  }
  std::shared_ptr<Entry> Lookup(std::string_view name) override;
  // Makes a device.  Bytes that are no UTF-8 are taken for a name, as by other file systems.
  absl::StatusOr<std::shared_ptr<Entry>> Make(std::string_view name,
                                              const Creation& creation) override;
  absl::Status Remove(std::string_view name, uint64_t request, IfOpen if_open) override;

  absl::StatusOr<std::shared_ptr<DeviceNode>> MakeDevice(std::string_view name,
                                                         const Creation& creation);
  std::shared_ptr<DeviceNode> Device(uint64_t id) const ABSL_LOCKS_EXCLUDED(mutex_);
  // The same for whoever holds its disk open: the node stays until it is closed.
  DeviceNode* OpenDevice(uint64_t id) const { return static_cast<DeviceNode*>(by_id_.Load(id)); }
  std::vector<std::shared_ptr<DeviceNode>> Devices() const;
  std::vector<std::string> DisksInUse() const;  // by name
  uint64_t device_count() const;

  // Of the root and its files, which know nothing but their numbers.
  Ownership OwnershipOf(Inode inode) const;
  absl::Status Change(Inode inode, const OwnershipChange& change);
  const std::function<std::string()>& status() const { return status_; }

  // Remembers why something was refused here.
  void Refuse(const absl::Status& why);
  std::string last_error() const;

 private:
  Ownership ownership() const override { return OwnershipOf(kRootInode); }
  Inode parent() const override { return kRootInode; }
  uint64_t directories() const override { return device_count(); }
  void ListBehind(uint64_t offset, Show show) override;
  absl::Status CheckRoom() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  absl::Status Insert(const std::shared_ptr<DeviceNode>& node)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Save() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  bool WasRemovedBy(uint64_t request) const;
  void NoteRemoval(uint64_t request) const;

  const std::function<std::string()> status_;
  IndexPool indexes_;
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

#endif  // RNULLFS_TREE_ROOT_H_
