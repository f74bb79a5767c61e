// How much memory the disks of a mount may take together, and each of them alone, and whether the
// machine has it.
//
// The kernel answers a lack of memory with its OOM killer, even when the page is asked for by a
// system call, so that a disk which is to fail with ENOSPC must ask first.  Two questions are asked
// before a page is stored: is it within the limit, and has the machine memory to spare?  For the
// second one a lease is kept, so that a write seldom pays for reading /proc/meminfo; it's a
// forecast, because other programs allocate at the same time.
//
// Thread safety: all calls from any thread; a call within the limit and the lease takes no lock.
// Units: bytes.
#ifndef RNULLFS_MEMORY_LIMIT_H_
#define RNULLFS_MEMORY_LIMIT_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "rnullfs/mutex.h"

namespace rnullfs {

// Bytes that new pages can have without swapping anything out, or before a program is ended: what
// the machine has and what this process's control groups leave.  UINT64_MAX where neither can be
// read.
uint64_t AvailableMemory();
uint64_t AvailableMemoryAndSwap();

// What control groups leave, of either version: `groups` is what /proc/self/cgroup says, `mounts`
// where they are mounted.  UINT64_MAX where there is no limit.
uint64_t LeftInMemoryGroups(const std::string& groups, const std::string& mounts);

class MemoryLimit {
 public:
  static constexpr uint64_t kNone = UINT64_MAX;
  static constexpr uint64_t kSpared = uint64_t{64} << 20;    // left to the other programs
  static constexpr uint64_t kLeaseMax = uint64_t{16} << 20;  // taken unasked, at most

  explicit MemoryLimit(uint64_t limit_bytes = kNone,
                       uint64_t (*available)() = &AvailableMemoryAndSwap)
      : limit_bytes_(limit_bytes), available_(available) {}
  // A part of what `whole`, which outlives it, limits, without a limit of its own as yet.  Whoever
  // watches, watches the whole.
  explicit MemoryLimit(MemoryLimit& whole) : whole_(&whole) {}
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;

  // For pages that are about to be stored: false, and nothing taken, when they are too many.
  bool Take(uint64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);

  // For pages that somebody may store later without asking: the limit alone decides.
  bool Reserve(uint64_t bytes);

  // For pages that are stored already; may go over the limit.
  void Add(uint64_t bytes) {
    used_bytes_.fetch_add(bytes, std::memory_order_relaxed);
    if (whole_ != nullptr) whole_->Add(bytes);
  }

  void Give(uint64_t bytes) {
    used_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    if (whole_ != nullptr) whole_->Give(bytes);
  }

  // What is in use may be more: then there is nothing left.
  void SetLimit(uint64_t bytes) { limit_bytes_.store(bytes, std::memory_order_relaxed); }

  // Whether Take() would succeed now; takes nothing.
  bool Has(uint64_t bytes) const;

  // Somebody is charged for more than what is stored, for a reason that may have ended without a
  // word, and can look: when what others want does not fit, and when it is asked what is in use.
  // `look` may wait for no lock that is held where memory is taken; it may do so in another thread
  // until Unwatch() returns.
  enum class Look { kOver, kGoesOn, kLookAgainSoon };
  void Watch(const void* who, std::function<Look()> look) ABSL_LOCKS_EXCLUDED(watched_mutex_);
  void Unwatch(const void* who) ABSL_LOCKS_EXCLUDED(watched_mutex_);
  // Has all of them look, for some milliseconds if need be.  True when something was over.
  bool LookAgain() ABSL_LOCKS_EXCLUDED(watched_mutex_);
  // Whether something fits, at once or when they have looked.
  bool Insist(absl::FunctionRef<bool()> fits) { return fits() || (LookAgain() && fits()); }

  uint64_t limit_bytes() const { return limit_bytes_.load(std::memory_order_relaxed); }
  uint64_t used_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }
  uint64_t left_bytes() const;

 private:
  uint64_t SpareBytes() const;  // what the machine has for new pages
  bool TakeOnLease(uint64_t bytes);
  bool TakeFromMachine(uint64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);

  bool ReserveHere(uint64_t bytes);
  void GiveHere(uint64_t bytes) { used_bytes_.fetch_sub(bytes, std::memory_order_relaxed); }

  std::atomic<uint64_t> limit_bytes_{kNone};
  uint64_t (*const available_)() = nullptr;
  MemoryLimit* const whole_ = nullptr;  // that has the machine's memory
  std::atomic<uint64_t> used_bytes_{0};
  std::atomic<int64_t> lease_bytes_{0};
  Mutex mutex_;  // one thread renews the lease
  Mutex watched_mutex_;
  std::map<const void*, std::function<Look()>> watched_ ABSL_GUARDED_BY(watched_mutex_);
};

}  // namespace rnullfs

#endif  // RNULLFS_MEMORY_LIMIT_H_
