// Opens of `disk`, and which door each takes: passthrough, where the kernel serves the memfd by
// itself, or the daemon's.
//
// All opens that there are at a time go one way.  The kernel (fs/fuse/iomode.c) wants every open of
// a file to go through passthrough, and to the same backing file, while one does or while a write
// of another is under way; and none, while one is mapped that came to the daemon.  It looks when
// the opener runs, after our answer, and what it does not like is EIO.
//
// Thread safety: one call at a time (the owner's lock).
// Errors: EOPNOTSUPP, EINVAL or ENOSPC why there can be no passthrough; EBUSY for what cannot be
// while there is.
#ifndef RNULLFS_TREE_DOORS_H_
#define RNULLFS_TREE_DOORS_H_

#include <cstdint>
#include <ctime>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rnullfs/disk.h"
#include "tree/opens.h"

namespace rnullfs {

// An open of `disk`.
struct DiskHandle {
  uint64_t number = 0;  // for Close()
  int backing_id = 0;  // what the kernel calls the memfd it serves it from; 0: the daemon serves it
};

class Doors {
 public:
  // `memfd`: what /proc shows of the disk's.  `obstacle`: why this mount can have no passthrough,
  // as a clause; empty when it can.  Both outlive it.
  Doors(Disk& disk, std::string memfd, const std::function<std::string()>& obstacle)
      : disk_(disk), memfd_(std::move(memfd)), obstacle_(obstacle) {}

  // Whether nothing may be taken from the disk: by an open, or by a mapping that the kernel made of
  // one which is closed.
  bool InUse() const;
  // What cannot be done to the powered disk, that is to be as `next`, with the opens that there
  // are; empty if all can.
  std::string InTheWay(const DeviceConfig& next) const;
  // Whether its power can be cut: all requests come by.
  absl::Status CheckCut() const;
  // Whether the device may go: nobody has its disk, nor what that was.
  absl::Status CheckRemoval() const;

  // EBUSY, with who is in the way and what to do.
  absl::Status Busy(std::string_view what) const;

  // Whether what is written may go past us, now or with the next open: nothing of it can be kept.
  bool KernelMayWrite() const;
  // Whether passthrough is promised to all opens.
  bool pinned() const { return pinned_; }

  // Whether a change of the powered disk can be had with the opens that there are, and whether
  // passthrough can be had where `next` insists on it.
  absl::Status CheckStages(const Settings& next) const;
  absl::Status CheckDataPath(const Settings& next) const;
  // datapath=passthrough: the store is shared from power-on on, so that no open fails later.  To
  // let go always succeeds.
  absl::Status Pin(const DeviceConfig& next);
  // The disk has been switched on: what the kernel said to another memfd says nothing.
  void Forget() { backing_refused_.clear(); }

  // An open with open(2)'s flags, by the door that it can take.  ENOENT while the disk is off; EIO
  // where datapath wants the kernel's door and the kernel does not; EAGAIN, with `again`, when
  // those who came by another door seem to be closing the disk: else it joins them.  A request that
  // has been heard before gets the same handle.  `open_backing` makes the memfd known to the kernel
  // and returns its number there, or 0 with errno set.
  using OpenBacking = absl::FunctionRef<int(int memfd)>;
  absl::StatusOr<DiskHandle> Open(std::string opener, int flags, OpenBacking open_backing,
                                  uint64_t request, bool again);
  absl::StatusOr<uint64_t> Hold(std::string holder);
  void NoteClosing(uint64_t handle) { opens_.NoteClosing(handle); }
  // The number of the memfd that nobody uses any more, else 0.
  int Close(uint64_t handle);

  const Opens& opens() const { return opens_; }

  // Why opens go to the daemon, as a clause; empty where they do not.
  std::string WhyDaemon() const;

  // For the keeper of huge pages; as DeviceNode's.
  absl::StatusOr<bool> CollapseSome(bool sparse, uint64_t* offset, bool* changed);

  int backing_id() const { return backing_id_; }
  int retired_backing_id() const { return retired_backing_id_; }
  bool kernel_wrote() const { return kernel_wrote_; }  // it may have: there was passthrough

  void Save(DeviceRecord& record) const;
  // The disk and its opens have been made what they were.
  absl::Status Restore(const DeviceRecord& record);

 private:
  absl::Status PassthroughPossible(const Settings& next) const;
  std::string WhyNotPassthrough() const;
  bool WouldJoin(int flags) const;
  absl::StatusOr<int> OpenKernels(int flags, OpenBacking open_backing);
  void OpenBackingOf(PageStore& store, OpenBacking open_backing);

  Disk& disk_;
  const std::string memfd_;
  Opens opens_;
  const std::function<std::string()>& obstacle_;
  bool pinned_ = false;
  int backing_id_ = 0;          // of all passthrough opens; the kernel wants one
  int retired_backing_id_ = 0;  // Close()'s: we may die before the kernel has been told
  bool kernel_wrote_ = false;
  timespec collapsed_ = {};      // as of when the disk was last looked through
  std::string backing_refused_;  // what the kernel said to the last memfd
};

}  // namespace rnullfs

#endif  // RNULLFS_TREE_DOORS_H_
