// The snapshots of a disk by name: moments of its past that are held.
//
// They are entries in the past's file, so that they outlive the process; a snapshot's number is its
// place there.  A hidden one has no name: a clone that began as the disk was holds it.
//
// Thread safety: all calls from any thread.
// Errors: EEXIST, ENOENT, EBUSY with who uses it, ENOSPC, with a sentence.
#ifndef RNULLFS_PAST_SNAPSHOTS_H_
#define RNULLFS_PAST_SNAPSHOTS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "past/past.h"
#include "rnullfs/mutex.h"
#include "rnullfs/snapshot.h"

namespace rnullfs {

class Snapshots {
 public:
  explicit Snapshots(Past& past);

  // Takes one, now.  `request` that has been heard before is answered as then; 0: none.
  absl::StatusOr<Snapshot> Take(std::string_view name, int64_t now_nsec, uint64_t request);
  absl::Status Remove(uint32_t number) ABSL_LOCKS_EXCLUDED(mutex_);
  // One without a name that nobody uses; takes no memory.
  void RemoveHidden(uint64_t serial) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Rename(uint32_t number, std::string_view name) ABSL_LOCKS_EXCLUDED(mutex_);

  std::optional<Snapshot> Find(std::string_view name) const ABSL_LOCKS_EXCLUDED(mutex_);
  std::optional<Snapshot> Get(uint32_t number) const ABSL_LOCKS_EXCLUDED(mutex_);
  std::optional<Snapshot> WithSerial(uint64_t serial) const ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<uint32_t> Hidden() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The first with a number >= `number` that has a name.
  std::optional<Snapshot> Next(uint32_t number) const ABSL_LOCKS_EXCLUDED(mutex_);
  size_t count() const ABSL_LOCKS_EXCLUDED(mutex_);

  // A user of the snapshot, which is not removed as long as it has one; `who` is said then.
  // ENOENT.
  absl::Status Use(uint32_t number, const std::string& who) ABSL_LOCKS_EXCLUDED(mutex_);
  void EndUse(uint32_t number, const std::string& who) ABSL_LOCKS_EXCLUDED(mutex_);

  // The same of a moment that no snapshot holds.
  void Watch(const std::string& who) ABSL_LOCKS_EXCLUDED(mutex_);
  void EndWatch(const std::string& who) ABSL_LOCKS_EXCLUDED(mutex_);

  // All of them, for a sentence; empty if there is none.
  std::string Users() const ABSL_LOCKS_EXCLUDED(mutex_);
  bool in_use() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Known {
    Snapshot snapshot;
    uint64_t request = 0;
    std::vector<std::string> users;
  };
  using ByNumber = std::map<uint32_t, Known>;

  absl::StatusOr<uint32_t> VacantNumber() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Past& past_;
  mutable Mutex mutex_;
  ByNumber known_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, uint32_t, std::less<>> names_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> watchers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rnullfs

#endif  // RNULLFS_PAST_SNAPSHOTS_H_
