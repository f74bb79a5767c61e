// A device's directory: its disk, who has that open, whose the files are, and what is remembered of
// writes to them.
//
// Every change of configuration goes through Update(): all of it happens or none, power switches
// included.  What was refused leaves its sentence in last_error, where the newest stays until
// something else is taken.  A change is saved where it ends, for a process that may take over.
//
// Thread safety: all calls from any thread.  device() is for whoever holds the disk open: the
// controller cannot be switched off, nor the directory removed, while it is.
// Errors: EINVAL for what is not accepted; EBUSY for what cannot change while powered or while the
// disk is open; ENOSPC when the medium cannot be had; ENOENT when the directory has been removed.
#ifndef RNULLFS_TREE_DEVICE_NODE_H_
#define RNULLFS_TREE_DEVICE_NODE_H_

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/cleanup/cleanup.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ownership.h"
#include "rnullfs/attributes.h"
#include "rnullfs/disk.h"
#include "rnullfs/mutex.h"
#include "tree/config_edit.h"
#include "tree/doors.h"
#include "tree/owners.h"
#include "tree/stats_text.h"
#include "tree/survival.h"
#include "tree/texts.h"

namespace rnullfs {

// What the nodes of a mount share and tests replace.  All outlives them.
struct NodeServices {
  DeviceServices device;
  MemoryLimit& memory;
  // Why this mount can have no passthrough, as a clause ("CAP_SYS_ADMIN is missing"); empty when it
  // can.  May be called by any thread.
  std::function<std::string()> passthrough_obstacle;
  // Whether a request that waits holds up others (transport=uring): none may hang then.
  std::function<bool()> waits_block = nullptr;
  // A disk or a snapshot of the mount, for `who`, and for the disk called `user`.  May be called by
  // any thread that has no node's lock.
  using FindDisk = std::function<absl::StatusOr<Origin>(
      const std::string& text, const Requester& who, const std::string& user, bool again)>;
  FindDisk find_disk = nullptr;
  Survival* survival = nullptr;  // null: everything ends with this process
  IndexPool* indexes = nullptr;  // null: every device's is 0
};

// What there is to know of a disk at a moment.
struct DiskFacts {
  bool passthrough = false;  // open by the kernel's door
  // What the kernel calls the memfd that it serves, and the one that it was last to forget; 0:
  // none.
  int backing_id = 0;
  int retired_backing_id = 0;
  uint64_t size_bytes = 0;  // 0 while it is off
  uint64_t stored_bytes = 0;
};

class DeviceNode {
 public:
  // `request`: the number of the request that made it, 0 for none.
  DeviceNode(uint64_t id, std::string name, const Ownership& ownership, NodeServices services,
             uint64_t request = 0);

  // Saves what it is when new; every later change is saved as well.
  void SaveNew() const {
    LockGuard lock(mutex_);
    Save();
  }

  // Makes it what another process had left, before anybody uses it; as Disk::Restore().
  absl::Status Restore(const DeviceRecord& record, Disk::Memfds memfds,
                       std::optional<Origin> origin = std::nullopt);

  uint64_t id() const { return id_; }
  const std::string& name() const { return name_; }
  uint64_t request() const { return request_; }
  Settings settings() const {
    LockGuard lock(mutex_);
    return disk_.settings();
  }
  std::string last_error() const {
    LockGuard lock(mutex_);
    return disk_.last_error();
  }
  std::string StatsText() const {
    LockGuard lock(mutex_);
    return rnullfs::StatsText(disk_, doors_);
  }

  // A write to an attribute's file, which ends at the first NUL; as Disk::EditText().  A request
  // that has been done, but was heard again because who did it died, is answered as then and
  // changes nothing.
  absl::Status StoreText(const Attribute& attribute, std::string_view text,
                         const Writer& writer = {});

  // A piece of a JSON object written to config.json, as ConfigEdit has it; the piece that makes it
  // whole applies it.  While powered only what it changes counts.  Requests as above.
  absl::Status WriteJson(ConfigEdit::Piece piece, const Writer& writer = {});
  void TruncateJson(uint64_t handle, uint64_t length) {
    LockGuard lock(mutex_);
    texts_.edit().Truncate(handle, length);
    Save();
  }
  // The open is closed: EINVAL when its text is not an object yet.  It is kept all the same, for
  // the write that completes it.
  absl::Status FlushJson(uint64_t handle);

  // A change of settings that is written elsewhere than to an attribute's file.
  using Edits = absl::FunctionRef<absl::Status(Settings&)>;
  absl::Status Edit(const Writer& writer, Edits edits) { return Update(edits, {.writer = writer}); }

  // A change of the disk that is none of its configuration, and is heard as those are; EAGAIN is
  // nobody's but the caller's.
  using Change = absl::FunctionRef<absl::Status(Disk&, const Doors&, Owners&)>;
  absl::Status Apply(const Writer& writer, Change change) ABSL_LOCKS_EXCLUDED(mutex_);

  // Cuts the power, whoever has the disk open (Disk::Cut()), as a write of `cut` to its file. EBUSY
  // where requests do not come by; EINVAL where it is not known what would be lost.
  absl::Status Cut(const Writer& writer);
  // Whether all of that can be had.
  absl::Status CheckCut() const {
    LockGuard lock(mutex_);
    return CheckCutLocked();
  }

  // For a blackout, whose devices have been asked: what waits fails, for all of them before the
  // first has lost anything; and the cut.  What the kernel has come to serve meanwhile stays.
  void Interrupt();
  absl::Status CutAnyway();

  // Makes the device as `wanted` says, power included.
  absl::Status Store(const Settings& wanted);

  // Remembers why a write was refused that never became an update.
  absl::Status Refuse(const absl::Status& why) {
    LockGuard lock(mutex_);
    return Conclude(why);
  }

  // Opens the disk for the process `opener` ("losetup (pid 7)") with open(2)'s flags, through
  // passthrough where datapath and everything else allow it.  ENOENT while off.  EAGAIN, if
  // asked for, when those who have it open another way seem to be closing it; else it joins them.
  // A `request` that has been heard before (it was not answered by who died) gets the same handle.
  using OpenBacking = Doors::OpenBacking;
  absl::StatusOr<DiskHandle> OpenDisk(std::string opener, int flags, OpenBacking open_backing,
                                      uint64_t request = 0, IfOpen if_open = IfOpen::kRefuse);

  // Somebody has called close(2): as a rule, but not always, CloseDisk() follows.
  void NoteClosing(uint64_t handle) {
    LockGuard lock(mutex_);
    doors_.NoteClosing(handle);
  }

  // Keeps the disk in place for a request that comes without an open (truncate(2)), until
  // CloseDisk() of the number that it returns.  ENOENT while off.
  absl::StatusOr<uint64_t> HoldDisk(std::string holder) {
    LockGuard lock(mutex_);
    return doors_.Hold(std::move(holder));
  }

  // Returns the backing number that nobody uses any more, for the kernel to forget; else 0.
  int CloseDisk(uint64_t handle);

  // For the keeper of huge pages: has a batch of the disk collapsed, from `*offset` on, which is
  // moved on.  True when there is more to do; false at the end, and with `*offset` 0 when the
  // kernel does not serve the disk.  Sets `*changed` if the disk has been written to since the last
  // look.
  absl::StatusOr<bool> CollapseSome(bool sparse, uint64_t* offset, bool* changed) {
    LockGuard lock(mutex_);
    return doors_.CollapseSome(sparse, offset, changed);
  }

  // For who has taken the disk over: as PageStore::RecallSome().
  bool RecallSome() {
    LockGuard lock(mutex_);
    return disk_.store() != nullptr && disk_.store()->RecallSome();
  }

  // For a section (device_directory.h): what it does with the disk while nobody else does.  Who
  // takes over has to know whether there is a past.
  template <typename F>
  auto With(F f) ABSL_LOCKS_EXCLUDED(mutex_) {
    LockGuard lock(mutex_);
    const absl::Cleanup save = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      if (disk_.past().remembers() != saved_past_) Save();
    };
    return f(disk_, doors_);
  }
  // Where it may be looked for what it could begin as: without the lock.
  const DiskOrigin& disk_origin() const ABSL_NO_THREAD_SAFETY_ANALYSIS { return disk_.origin(); }
  // For rmdir and rename within a section, which may be heard again.
  bool WasRemovedBy(uint64_t request) const {
    return services_.survival != nullptr && services_.survival->RemovedBy(request);
  }
  void NoteRemoval(uint64_t request) const {
    if (services_.survival != nullptr) services_.survival->NoteRemoval(request);
  }

  DiskFacts facts() const;
  // In use, by an open or a mapping: the kernel is asked.
  bool disk_open() const {
    LockGuard lock(mutex_);
    return doors_.InUse();
  }
  Device* device() const ABSL_NO_THREAD_SAFETY_ANALYSIS { return disk_.device(); }
  // Whether there is a file `disk`: also of one whose power was cut, until nobody has it open.
  bool has_disk() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return disk_.device() != nullptr || disk_.is_cut();
  }

  // Takes the device out of service for rmdir: powered off, the medium freed.
  absl::Status Retire(IfOpen if_open = IfOpen::kRefuse);

  // What stat shows of a place, and what chmod and its like change.
  Ownership OwnershipOf(Place place, mode_t default_mode) const;
  void ChangeOwnership(Place place, mode_t default_mode, const OwnershipChange& change);

 private:
  Disk::Services DiskServices();
  // `edit` may say more of `write`.
  absl::Status Update(Edits edit, const TextWrite& write = {}) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<bool> TryUpdate(Edits edit, const TextWrite& write, NewOrigin& origin)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<bool> Switch(const Settings& seen, const Settings& next, NewOrigin& origin)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CutLocked(uint64_t request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckCutLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndCut() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckHangs(const Settings& next) const;
  absl::Status Conclude(const absl::Status& how, const TextWrite& write = {})
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Save() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool MayShowOther(const FaultRules& rules) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const uint64_t id_;
  const std::string name_;
  const NodeServices services_;
  const uint64_t request_;
  DeviceCounters counters_;

  mutable Mutex mutex_;
  Disk disk_ ABSL_GUARDED_BY(mutex_);
  Doors doors_ ABSL_GUARDED_BY(mutex_);
  Texts texts_ ABSL_GUARDED_BY(mutex_);
  mutable Owners owners_ ABSL_GUARDED_BY(mutex_);
  mutable bool saved_past_ ABSL_GUARDED_BY(mutex_) = false;  // whether the record has it
  std::string unknown_ ABSL_GUARDED_BY(mutex_);  // what a later version had in the record
};

}  // namespace rnullfs

#endif  // RNULLFS_TREE_DEVICE_NODE_H_
