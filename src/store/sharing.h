// The other door of a page store: who may use it, what that is charged, and when all have left.
//
// Thread safety: all calls from any thread; what the pages are swapped for must be alone.
// Errors: ENOSPC when the whole disk does not fit into what the memory limit leaves.
#ifndef RNULLFS_STORE_SHARING_H_
#define RNULLFS_STORE_SHARING_H_

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "rnullfs/memory_limit.h"
#include "rnullfs/mutex.h"
#include "store/memory_account.h"
#include "store/pages.h"

namespace rnullfs {

class Sharing {
 public:
  // Of pages that were shared somebody may still have some.  All outlive it.
  Sharing(const std::unique_ptr<Pages>& pages, MemoryAccount& account, MemoryLimit& memory);
  ~Sharing();

  // As PageStore's; ShareAgain() is `anyway`.
  absl::Status Share(bool anyway) ABSL_LOCKS_EXCLUDED(mutex_);
  void Unshare() ABSL_LOCKS_EXCLUDED(mutex_);
  bool Held() ABSL_LOCKS_EXCLUDED(mutex_);
  void EndHolding() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Linger() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StopWatching() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndLingering() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  MemoryLimit::Look LookAgain() ABSL_LOCKS_EXCLUDED(mutex_);
  MemoryLimit::Look LookLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::unique_ptr<Pages>& pages_;
  MemoryAccount& account_;
  MemoryLimit& memory_;
  Mutex mutex_;
  int shares_ ABSL_GUARDED_BY(mutex_) = 0;
  bool lingering_ ABSL_GUARDED_BY(mutex_) = false;  // nobody shares it, somebody may hold it
  int looks_ ABSL_GUARDED_BY(mutex_) = 0;           // since it lingers
};

}  // namespace rnullfs

#endif  // RNULLFS_STORE_SHARING_H_
