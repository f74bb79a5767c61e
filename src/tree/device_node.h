// A device's directory: its configuration, its medium and, while powered, its controller.
//
// Every change of configuration goes through Update(): all of it happens or none, power switches
// included.  What was refused leaves its sentence in last_error, where the newest stays until
// something else is taken.
//
// Thread safety: all calls from any thread.  device() is for whoever holds the disk open: the
// controller cannot be switched off, nor the directory removed, while it is.
// Errors: EINVAL for what is not accepted; EBUSY for what cannot change while powered or while the
// disk is open; ENOSPC when the medium cannot be had; ENOENT when the directory has been removed.
#ifndef RNULLFS_TREE_DEVICE_NODE_H_
#define RNULLFS_TREE_DEVICE_NODE_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ownership.h"
#include "rnullfs/attributes.h"
#include "rnullfs/device.h"
#include "rnullfs/device_counters.h"
#include "rnullfs/medium.h"
#include "rnullfs/memory_limit.h"
#include "rnullfs/mutex.h"
#include "tree/config_edit.h"
#include "tree/files.h"
#include "tree/index_pool.h"
#include "tree/survival.h"

namespace rnullfs {

// close(2) returns before FUSE tells us (RELEASE is asynchronous), so `losetup -d ...; echo 0 >
// power` would fail now and then if the first look decided.
inline constexpr std::chrono::milliseconds kCloseGrace(200);

// What the nodes of a mount share and tests replace.  All outlives them.
struct NodeServices {
  DeviceServices device;
  MemoryLimit& memory;
  // Why this mount can have no passthrough, as a clause ("CAP_SYS_ADMIN is missing"); empty when it
  // can.  May be called by any thread.
  std::function<std::string()> passthrough_obstacle;
  Survival* survival = nullptr;  // null: everything ends with this process
  IndexPool* indexes = nullptr;  // null: every device's is 0
  std::chrono::milliseconds close_grace = kCloseGrace;
};

// Who else holds the memfds.
inline MemfdKeeper& KeeperOf(const NodeServices& services) {
  return services.survival == nullptr ? MemfdKeeper::None() : services.survival->keeper();
}

// What a call does that opens of `disk` stand in the way of.  Only a close that FUSE has not told
// us of yet is worth the wait.
enum class IfOpen : uint8_t {
  kWait,    // waits up to NodeServices::close_grace, then refuses
  kAgain,   // EAGAIN, with nothing changed: the caller asks again when a disk has been closed
  kRefuse,  // refuses at once
};

// What every call says of a device that rmdir has taken out of service.
absl::Status Removed();

// An open of `disk`.
struct DiskHandle {
  uint64_t number = 0;  // for CloseDisk()
  int backing_id = 0;  // what the kernel calls the memfd it serves it from; 0: the daemon serves it
};

// What is remembered of a write of text, in the same record as its effect.
struct TextWrite {
  uint64_t request = 0;                           // its number, 0 for none
  std::optional<ConfigEdit> edit = std::nullopt;  // what becomes of the text of config.json
  bool piece = false;                             // of which it is a part
  // It is what the file shows anyway: an editor whose text was refused (vim) puts the old one back,
  // and that should not wipe the reason.
  bool put_back = false;
  IfOpen if_open = IfOpen::kWait;
};

class DeviceNode {
 public:
  // `request`: the number of the request that made it, 0 for none.
  DeviceNode(uint64_t id, std::string name, const Ownership& ownership, NodeServices services,
             uint64_t request = 0);

  // Saves what it is when new, for a process that may take over; every later change is saved as
  // well.
  void SaveNew() const;

  // Makes it what another process had left, before anybody uses it.  Each of the memfds may be
  // invalid; as PageStore::Adopt().  An error means that data are missing.
  struct Memfds {
    UniqueFd disk;
    UniqueFd moving_to;
    UniqueFd cache;
  };
  absl::Status Restore(const DeviceRecord& record, Memfds memfds);

  uint64_t id() const { return id_; }
  const std::string& name() const { return name_; }
  uint64_t request() const { return request_; }
  DeviceConfig config() const;
  std::string last_error() const;
  std::string StatsText() const;

  // A write to an attribute's file.  While powered every attribute that is not live is EBUSY, also
  // for the value it has; a text that is not accepted is EINVAL before that.
  // It ends at the first NUL.  A `request` (the number of the FUSE request; 0 for none) that has
  // been done, but was heard again because who did it died, is answered as then and changes
  // nothing.
  absl::Status StoreText(const Attribute& attribute, std::string_view text, uint64_t request = 0,
                         IfOpen if_open = IfOpen::kWait);

  // One whole JSON object written to config.json.  While powered only what it changes counts.
  absl::Status StoreJson(std::string_view text, IfOpen if_open = IfOpen::kWait) {
    return StoreJson(text, TextWrite{.if_open = if_open});
  }

  // A piece of one, as ConfigEdit has it; the piece that makes it whole applies it.  `request` as
  // above.
  absl::Status WriteJson(ConfigEdit::Piece piece, uint64_t request = 0,
                         IfOpen if_open = IfOpen::kWait);
  void TruncateJson(uint64_t handle, uint64_t length);
  // The open is closed: EINVAL when its text is not an object yet.  It is kept all the same, for
  // the write that completes it.
  absl::Status FlushJson(uint64_t handle);

  // Makes the device as `wanted` says, power included.
  absl::Status Store(const DeviceConfig& wanted);

  // Remembers why a write was refused that never became an update.
  absl::Status Refuse(const absl::Status& why);

  // Opens the disk for the process `opener` ("losetup (pid 7)") with open(2)'s flags, through
  // passthrough where datapath and everything else allow it.  `open_backing` makes the memfd known
  // to the kernel and returns its number there, or 0 with errno set.  ENOENT while off.  EAGAIN, if
  // asked for, when those who have it open another way seem to be closing it; else it joins them.
  using OpenBacking = absl::FunctionRef<int(int memfd)>;
  // A `request` that has been heard before (it was not answered by who died) gets the same handle.
  absl::StatusOr<DiskHandle> OpenDisk(std::string opener, int flags, OpenBacking open_backing,
                                      uint64_t request = 0, IfOpen if_open = IfOpen::kRefuse);

  // Somebody has called close(2): as a rule, but not always, CloseDisk() follows.
  void NoteClosing(uint64_t handle);

  // Keeps the disk in place for a request that comes without an open (truncate(2)), until
  // CloseDisk() of the number that it returns.  ENOENT while off.
  absl::StatusOr<uint64_t> HoldDisk(std::string holder);

  // Returns the backing number that nobody uses any more, for the kernel to forget; else 0.
  int CloseDisk(uint64_t handle);
  // For the keeper of huge pages: has a batch of the disk collapsed, from `*offset` on, which is
  // moved on.  True when there is more to do; false at the end, and with `*offset` 0 when the
  // kernel does not serve the disk.  Sets `*changed` if the disk has been written to since the last
  // look.
  absl::StatusOr<bool> CollapseSome(bool sparse, uint64_t* offset, bool* changed);

  // For who has taken the disk over: as PageStore::RecallSome().
  bool RecallSome();

  bool disk_open() const;
  bool passthrough_open() const;
  // What the kernel calls the memfd that it serves, and the one that it was last to forget; 0:
  // none.
  int backing_id() const;
  int retired_backing_id() const;
  Device* device() const { return live_device_.load(std::memory_order_acquire); }
  uint64_t disk_size_bytes() const;
  uint64_t stored_bytes() const;

  // Takes the device out of service for rmdir: powered off, the medium freed.
  absl::Status Retire(IfOpen if_open = IfOpen::kWait);

  // What stat shows of a slot, and what chmod and its like change.  The data path keeps no times:
  // a disk written to since the last look counts as modified now.  A time that was set stays until
  // the next write.
  Ownership OwnershipOf(uint32_t slot, mode_t default_mode) const;
  void ChangeOwnership(uint32_t slot, mode_t default_mode, const OwnershipChange& change);

 private:
  // Constant, or guarded by mutex_.
  DeviceRecord Record() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Save() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  using Edit = absl::FunctionRef<absl::Status(DeviceConfig&)>;

  std::optional<absl::Status> Heard(uint64_t request) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Conclude(const absl::Status& how, const TextWrite& write)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status StoreJson(std::string_view text, const TextWrite& write);

  absl::Status Update(Edit edit, const TextWrite& write = {});
  // Whether nothing may be taken from the disk; why not to do `next` then, empty if it may be done.
  bool InUse() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string InTheWay(const DeviceConfig& next) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Switch(const DeviceConfig& now, const DeviceConfig& next)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckLive(const DeviceConfig& now, const DeviceConfig& next) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  DeviceConfig SavedConfig() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  DeviceConfig Current() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool TakeBadBlocks(const DeviceConfig& now, const DeviceConfig& next)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  DeviceConfig Written(const DeviceConfig& now, const DeviceConfig& next) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CountAnew(const DeviceConfig& now, const DeviceConfig& next)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Take(const DeviceConfig& now, const DeviceConfig& next)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status PassthroughPossible(const DeviceConfig& config) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckStages(const DeviceConfig& next) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckDataPath(const DeviceConfig& next) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status SwitchOn(const DeviceConfig& now, const DeviceConfig& next)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Pin(bool wanted) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int OpenPassthrough(int flags, OpenBacking open_backing) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool WouldJoin(int flags) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  size_t OpenCount() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool DaemonOpen() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string Openers() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string WhyNotPassthrough() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string WhyDaemon() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status RefuseLocked(const absl::Status& why, const TextWrite& write = {})
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PowerOff() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Device::Complain Complain();
  void AwaitLastClose() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status DiskInUse(std::string_view what) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteDiskWrites(mode_t default_mode) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool NoteStores(timespec disk_modified) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Ownership AsCreated(uint32_t slot, mode_t default_mode) const;
  Ownership& Own(uint32_t slot, mode_t default_mode) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const uint64_t id_;
  const std::string name_;
  const Ownership created_;
  const NodeServices services_;
  const uint64_t request_;
  DeviceCounters counters_;
  std::atomic<Device*> live_device_{nullptr};  // device_.get(), for the data path

  mutable Mutex mutex_;
  std::condition_variable_any last_close_;
  // As written.  What changes with requests is elsewhere: Current() has both.
  DeviceConfig config_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Medium> medium_ ABSL_GUARDED_BY(mutex_);  // null once removed
  std::unique_ptr<Device> device_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, OpenRecord> opens_ ABSL_GUARDED_BY(mutex_);  // by handle
  std::set<uint64_t> closing_ ABSL_GUARDED_BY(mutex_);            // NoteClosing()'s of them
  uint64_t passthrough_opens_ ABSL_GUARDED_BY(mutex_) = 0;
  int backing_id_ ABSL_GUARDED_BY(mutex_) = 0;  // of all passthrough opens; the kernel wants one
  // CloseDisk()'s, saved because we may die before the kernel has been told.
  int retired_backing_id_ ABSL_GUARDED_BY(mutex_) = 0;
  // datapath=passthrough: the store is shared from power-on on, so that no open fails later.
  bool pinned_ ABSL_GUARDED_BY(mutex_) = false;
  bool kernel_wrote_ ABSL_GUARDED_BY(mutex_) = false;  // it may have: there was passthrough
  timespec collapsed_ ABSL_GUARDED_BY(mutex_) = {};  // as of when the disk was last looked through
  std::string backing_refused_ ABSL_GUARDED_BY(mutex_);  // what the kernel said to the last memfd
  uint64_t next_handle_ ABSL_GUARDED_BY(mutex_) = 1;
  std::string last_error_ ABSL_GUARDED_BY(mutex_);
  ConfigEdit edit_ ABSL_GUARDED_BY(mutex_);
  std::vector<TextRecord> texts_ ABSL_GUARDED_BY(mutex_);  // the latest last
  std::string unknown_ ABSL_GUARDED_BY(mutex_);            // what a later version had in the record
  // By slot; what is not there is as created.
  mutable std::map<uint32_t, Ownership> ownership_ ABSL_GUARDED_BY(mutex_);
  mutable uint64_t writes_seen_ ABSL_GUARDED_BY(mutex_) = 0;
  mutable timespec stored_seen_ ABSL_GUARDED_BY(mutex_) = {};  // zero: not known
};

}  // namespace rnullfs

#endif  // RNULLFS_TREE_DEVICE_NODE_H_
