// What the mount shows: the root with its two files, and a directory for each device.
//
// A front end (src/fuse) turns its requests into these calls; nothing here knows FUSE.  Errnos are
// configfs' own: what does not belong in the tree (nested directories, files of one's own, links,
// renaming) is EPERM.
//
// Thread safety: all calls from any thread.  disk() takes no lock.
#ifndef RNULLFS_TREE_TREE_H_
#define RNULLFS_TREE_TREE_H_

#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rnullfs/device.h"
#include "rnullfs/mutex.h"
#include "rnullfs/xarray.h"
#include "tree/device_node.h"
#include "tree/files.h"
#include "tree/inode.h"
#include "tree/text_file.h"

namespace rnullfs {

// How many devices a mount may have.
inline constexpr uint64_t kDevicesMax = 16384;

class Tree {
 public:
  // `status` makes the text of status.json.  The root belongs to `uid` and `gid`.
  Tree(uid_t uid, gid_t gid, std::function<std::string()> status, NodeServices services);
  ~Tree();

  // Makes it, before it is used, what a process left that is gone: the records are in the services'
  // survival, `memfds` are the files it kept.  An error means that data are missing.
  absl::Status Restore(std::vector<UniqueFd> memfds);

  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  absl::StatusOr<struct stat> Lookup(Inode parent, std::string_view name) const;
  absl::StatusOr<struct stat> Stat(Inode inode) const;
  absl::Status ChangeOwnership(Inode inode, const OwnershipChange& change);

  // Shows the directory's entries behind `offset` (0: all), each with the offset that goes on
  // behind it, until `show` returns false.
  using Show = absl::FunctionRef<bool(std::string_view name, Inode inode, mode_t type,
                                      uint64_t next_offset)>;
  absl::Status List(Inode directory, uint64_t offset, Show show) const;

  // mkdir in the root makes a device, EPERM elsewhere.  EINVAL for a name with control characters
  // (base/visible.h); bytes that are no UTF-8 are taken, as by other file systems.
  // `request`: the number of the request, 0 for none; one that is heard again, because who did it
  // died before the answer, is answered as then.
  absl::StatusOr<std::shared_ptr<DeviceNode>> MakeDevice(Inode parent, std::string_view name,
                                                         mode_t mode, uid_t uid, gid_t gid,
                                                         uint64_t request = 0);
  absl::Status RemoveDevice(Inode parent, std::string_view name, uint64_t request = 0,
                            IfOpen if_open = IfOpen::kWait);

  // Opens a file of text with open(2)'s flags.  EACCES to write where only reading is possible.
  // `handle`: the number by which the open is known, also to a process that takes over and makes it
  // again; 0 for none.
  absl::StatusOr<std::unique_ptr<TextFile>> Open(Inode inode, int flags, uint64_t handle = 0) const;

  // Remembers why something was refused: in last_error of the device that the inode belongs to, or
  // of the root (status.json).  An OK changes nothing.  Returns the status.
  absl::Status Refuse(Inode inode, absl::Status why) ABSL_LOCKS_EXCLUDED(mutex_);
  // Why mkdir, rmdir or something else was refused in the root last; empty after a good one.
  std::string last_error() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether truncate(2) of a file is possible, which nobody has to hold open.  A text has no length
  // to change, and nothing more is to be done; a disk cannot grow (ENOSPC), and what is read-only
  // says so (EACCES).
  absl::Status Truncate(Inode inode, uint64_t length) const;

  // The device whose `disk` the inode is; null for every other inode.
  std::shared_ptr<DeviceNode> DiskOwner(Inode inode) const;

  // The same for whoever holds that disk open: the node stays until it is closed.
  DeviceNode* OpenDiskOwner(Inode inode) const {
    return static_cast<DeviceNode*>(by_id_.Load(DeviceIdOf(inode)));
  }

  // The names of the devices whose disk is open.
  std::vector<std::string> DisksInUse() const;
  std::vector<std::shared_ptr<DeviceNode>> Devices() const;
  uint64_t device_count() const;

 private:
  using Nodes = std::map<uint64_t, std::shared_ptr<DeviceNode>>;

  std::shared_ptr<DeviceNode> Find(uint64_t id) const;
  bool WasRemovedBy(uint64_t request) const;
  void NoteRemoval(uint64_t request) const;
  absl::Status CheckRoom() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  absl::Status Insert(const std::shared_ptr<DeviceNode>& node)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SaveRoot() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  struct stat StatRoot() const;
  struct stat StatRootFile(const File& file) const;
  struct stat StatDevice(const DeviceNode& node) const;
  struct stat StatFile(const DeviceNode& node, const File& file) const;

  const std::function<std::string()> status_;
  IndexPool indexes_;
  const NodeServices services_;

  mutable SharedMutex mutex_;
  std::map<Inode, Ownership> root_ownership_ ABSL_GUARDED_BY(mutex_);  // root and its files
  Nodes nodes_ ABSL_GUARDED_BY(mutex_);
  // Not abseil's map: without memory to grow one is left in pieces.
  std::map<std::string, uint64_t, std::less<>> ids_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  std::string last_error_ ABSL_GUARDED_BY(mutex_);
  XArray by_id_;  // the same nodes, for the data path
};

}  // namespace rnullfs

#endif  // RNULLFS_TREE_TREE_H_
