// What of a tree outlives the process that serves it: a record for the mount and one for each
// device, their counters, and the memfds with their bytes.  The guard (src/guard) holds it all; a
// process that comes after one that died goes on from here.
//
// A change is saved after it has taken effect and before it is answered.  So what was answered is
// known to whoever takes over; what was not is asked again by the kernel, and is either done once
// more to the same effect, or recognized by its request's number.
//
// Thread safety: all calls from any thread.
#ifndef RNULLFS_TREE_SURVIVAL_H_
#define RNULLFS_TREE_SURVIVAL_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "records/state_records.h"
#include "rnullfs/device_counters.h"
#include "rnullfs/memfd_keeper.h"
#include "rnullfs/mutex.h"
#include "store/record_log.h"

namespace rnullfs {

class Survival {
 public:
  // `keeper` outlives it.
  static absl::StatusOr<std::unique_ptr<Survival>> Create(MemfdKeeper& keeper);

  // From the memfd of a process that died, or that still serves and only wants to know whether it
  // can be read: nothing is written.  EINVAL, with a sentence, when it is damaged.
  static absl::StatusOr<std::unique_ptr<Survival>> Open(UniqueFd memfd, MemfdKeeper& keeper);

  // For who has gone on with what was found: its counters are those of all who come after it.
  void TakeOver();

  MemfdKeeper& keeper() const { return keeper_; }

  // The devices that were found.
  const std::vector<DeviceRecord>& devices() const { return devices_; }

  MountRecord mount() const ABSL_LOCKS_EXCLUDED(mutex_);
  void UpdateMount(absl::FunctionRef<void(MountRecord&)> change) ABSL_LOCKS_EXCLUDED(mutex_);

  // Removals of devices are noted before they are done, and known when they are asked for again.
  // Request 0 is none.
  void NoteRemoval(uint64_t request) ABSL_LOCKS_EXCLUDED(mutex_);
  bool RemovedBy(uint64_t request) const ABSL_LOCKS_EXCLUDED(mutex_);

  // What cannot be saved for want of memory is said in the log, once, and is not the caller's
  // concern: it has happened.  (The mount's record is saved with the next one for which there is
  // memory.)
  void Save(const DeviceRecord& device);
  void SayUnsaved(int error);
  void Forget(uint64_t id);

  // The device's counters, zeros when new.  Where there is no memory that survives, they do not.
  DeviceCounters CountersOf(uint64_t id) const;

 private:
  Survival(std::unique_ptr<RecordLog> log, MemfdKeeper& keeper)
      : log_(std::move(log)), keeper_(keeper) {}
  absl::Status Read();
  absl::Status ReadCounters(const MountRecord& mount);
  template <typename Record>
  bool Put(uint64_t key, const Record& record);
  void PutMount() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::unique_ptr<RecordLog> log_;
  MemfdKeeper& keeper_;
  std::vector<DeviceRecord> devices_;
  std::optional<CounterTable> table_;  // constant after Create() or Open()
  std::atomic<bool> complained_{false};
  mutable Mutex mutex_;
  MountRecord mount_ ABSL_GUARDED_BY(mutex_);
  bool mount_saved_ ABSL_GUARDED_BY(mutex_) = true;  // as it is
};

}  // namespace rnullfs

#endif  // RNULLFS_TREE_SURVIVAL_H_
