// The states of a disk that somebody looks at, by number: those that a name describes are made when
// they are asked for, and go a while after nobody has had them open; those that somebody has made
// and described himself stay until they are removed.
//
// They are this process's: who takes over has none.  Numbers are not used again.
//
// Thread safety: all calls from any thread.  The memory outlives it, and the past it until End().
// Errors: ESTALE when the history does not have the cut; ENOENT; EBUSY while a disk is open; ENOSPC
// when there are too many, or no memory; EEXIST; EINVAL; with a sentence.
#ifndef RNULLFS_CRASH_STATES_H_
#define RNULLFS_CRASH_STATES_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "crash/cuts.h"
#include "crash/state.h"
#include "rnullfs/clock.h"
#include "rnullfs/mutex.h"

namespace rnullfs {

class CrashStates {
 public:
  static constexpr size_t kStatesMax = 65536;
  static constexpr int64_t kIdleNsec = 60'000'000'000;
  static constexpr int64_t kSweepNsec = 1'000'000'000;

  CrashStates(Past& past, MemoryLimit& memory, const Clock& clock);
  // The past is about to go, and no disk is open: from here on there is none.
  void End() ABSL_LOCKS_EXCLUDED(mutex_);

  // CrashCuts::At().
  absl::StatusOr<std::shared_ptr<const CrashCut>> CutAt(uint64_t number, uint32_t unit_bytes) {
    return cuts_.At(number, unit_bytes);
  }

  // What is known of one.
  struct Known {
    uint32_t id = 0;
    uint64_t cut = 0;
    uint32_t unit_bytes = 0;
    std::string name = {};
    std::shared_ptr<const CrashChoice> choice = nullptr;
    bool made = false;  // by somebody, who has to remove it
  };
  // That of the cut with the name, which may describe it.
  absl::StatusOr<Known> Find(uint64_t cut, uint32_t unit_bytes, std::string_view name)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Known> Get(uint32_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  // All that somebody has made of a cut, by their names.
  std::vector<Known> Made(uint64_t cut) const ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t CountMade(uint64_t cut) const ABSL_LOCKS_EXCLUDED(mutex_);

  absl::StatusOr<Known> Make(uint64_t cut, uint32_t unit_bytes, std::string_view name)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Remove(uint64_t cut, std::string_view name) ABSL_LOCKS_EXCLUDED(mutex_);
  // Describes one that somebody has made; what has been written to it goes.
  absl::Status Choose(uint32_t id, CrashChoice choice) ABSL_LOCKS_EXCLUDED(mutex_);

  // The disk; whoever has it open keeps it.
  absl::StatusOr<std::shared_ptr<CrashState>> Open(uint32_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same, only to look at what has been chosen: it may be that its past has gone.
  absl::StatusOr<std::shared_ptr<const CrashState>> Look(uint32_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  // CrashState::Identify().
  int Identify(uint32_t id, uint64_t& identity) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    Known known;
    std::shared_ptr<CrashState> state = nullptr;  // from when it is first needed
    uint64_t seen = 0;                            // the newest number by then
    int opens = 0;
    bool was_another = false;  // while somebody had it open
    int64_t used_nsec = 0;
  };
  using Key = std::pair<uint64_t, std::string>;

  std::optional<Known> Called(const Key& key, uint32_t unit_bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Known> Add(Known known) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Has it made, while nobody else is kept waiting.
  absl::Status Prepare(uint32_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Entry*> Ready(uint32_t id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsOutdated(const Entry& entry) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static void Replace(Entry& entry, std::shared_ptr<CrashState> state);
  bool IsForgettable(const Entry& entry, int64_t before_nsec) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ForgetName(const Known& known) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ForgetIdle() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Close(uint32_t id) ABSL_LOCKS_EXCLUDED(mutex_);

  Past& past_;
  MemoryLimit& memory_;
  const Clock& clock_;
  CrashCuts cuts_;
  mutable Mutex mutex_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  uint32_t next_id_ ABSL_GUARDED_BY(mutex_);
  int64_t swept_nsec_ ABSL_GUARDED_BY(mutex_) = 0;  // when it was last looked for idle ones
  std::map<uint32_t, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::map<Key, uint32_t> ids_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, uint64_t> made_ ABSL_GUARDED_BY(mutex_);  // cut -> how many somebody has made
};

}  // namespace rnullfs

#endif  // RNULLFS_CRASH_STATES_H_
