// The cuts of a disk that have been asked for last, made when they are.
//
// Thread safety: all calls from any thread; one waits while another is made.  The memory outlives
// it, and the past it until End().
// Errors: ESTALE when the history does not have the cut; EBUSY, E2BIG, ENOSPC; with a sentence.
#ifndef RNULLFS_CRASH_CUTS_H_
#define RNULLFS_CRASH_CUTS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "crash/cut.h"
#include "rnullfs/mutex.h"

namespace rnullfs {

class CrashCuts {
 public:
  CrashCuts(Past& past, MemoryLimit& memory) : past_(past), memory_(memory) {}
  // The past is about to go: from here on there is none.
  void End() ABSL_LOCKS_EXCLUDED(mutex_);

  // The cut with the number, of units of so many bytes.
  absl::StatusOr<std::shared_ptr<const CrashCut>> At(uint64_t number, uint32_t unit_bytes)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Past& past_;
  MemoryLimit& memory_;
  Mutex mutex_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  // Those that cannot change any more; the newest last.
  std::vector<std::shared_ptr<const CrashCut>> cuts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rnullfs

#endif  // RNULLFS_CRASH_CUTS_H_
