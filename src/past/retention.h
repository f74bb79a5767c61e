// Which old versions of a disk's pages are still wanted, and by whom.
//
// A version was true from when the one before it ended (`since`) until it was overwritten.  The
// newest moment that somebody holds (a snapshot) in that time keeps it; so each version has one
// keeper, and lies in that one's list.  When a moment is held no more its versions go to the moment
// before, if they are as old as that, else to the history.  The history is what nobody keeps, in
// the order in which it ended; it forgets its oldest.
//
//     page  |--v1--|-----v2-----|--v3--|--- now ---
//                 A                B            A keeps v2, B keeps v3; v1 is history
//
// Thread safety: all calls from any thread.
// Errors: std::bad_alloc, and nothing has changed, from Hold(), HoldAgain() and KeptAlone(); the
// rest takes no memory.
#ifndef RNULLFS_PAST_RETENTION_H_
#define RNULLFS_PAST_RETENTION_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "past/version_file.h"
#include "past/version_list.h"
#include "rnullfs/mutex.h"

namespace rnullfs {

class Retention {
 public:
  explicit Retention(const VersionFile& file) : file_(file) {}

  // Whether a page has to be kept before it changes that has been what it is since that moment.
  // Who asks has taken the number of its change before: so a moment that is held meanwhile is
  // either seen here or has this change in it.
  bool Wants(uint64_t since) const { return static_cast<int64_t>(since) <= wanted_since_; }
  // The same for moments alone.
  bool IsHeld(uint64_t since) const { return static_cast<int64_t>(since) <= held_since_; }

  // A version has ended.  False when nobody wants it: it is the caller's to free.
  bool Add(Version version, uint64_t since) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same for moments alone: false when it is history at most.
  bool Keep(Version version, uint64_t since) ABSL_LOCKS_EXCLUDED(mutex_);
  // For history that comes out of order; `more` is in order.
  void AddHistory(VersionList more) ABSL_LOCKS_EXCLUDED(mutex_);

  // Holds the moment that is now, and returns it; or one that another process held.
  uint64_t Hold() ABSL_LOCKS_EXCLUDED(mutex_);
  void HoldAgain(uint64_t moment) ABSL_LOCKS_EXCLUDED(mutex_);

  bool Holds(uint64_t moment) const ABSL_LOCKS_EXCLUDED(mutex_);

  // One holder of the moment less; after the last one what it kept is the caller's, to be kept by
  // others.
  VersionList Release(uint64_t moment) ABSL_LOCKS_EXCLUDED(mutex_);

  // For who has made the disk what it was at the moment: what that kept is the caller's, to be
  // freed, since the disk is it again.  Nothing where a later moment, or the history, has other
  // versions.
  VersionList TakeRestored(uint64_t moment) ABSL_LOCKS_EXCLUDED(mutex_);

  // What the moment keeps, which has one holder, and the moment before it (UINT64_MAX: none).
  struct Kept {
    std::vector<Version> versions;
    uint64_t before;
  };
  std::optional<Kept> KeptAlone(uint64_t moment) const ABSL_LOCKS_EXCLUDED(mutex_);

  // How many bytes of history there may be; 0: none is kept.
  void SetHistory(uint64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  bool history() const { return history_max_.load(std::memory_order_acquire) > 0; }
  bool over() const {
    return history_bytes_.load(std::memory_order_relaxed) >
           history_max_.load(std::memory_order_relaxed);
  }
  // The oldest moment that the history has whole.
  uint64_t oldest() const { return history() ? file_.header().oldest : file_.header().sequence; }
  // Takes its oldest off the history while there is too much of it; none else.
  std::optional<Version> TakeOldest() ABSL_LOCKS_EXCLUDED(mutex_);
  // The same while that is older than a change.
  std::optional<Version> TakeOlderThan(uint64_t number) ABSL_LOCKS_EXCLUDED(mutex_);
  // A change is made without keeping what was before it.
  void CutHistory(uint64_t number) ABSL_LOCKS_EXCLUDED(mutex_);

  uint64_t history_bytes() const { return history_bytes_.load(std::memory_order_relaxed); }

 private:
  // What a version takes: of a hole there is but a record, and an entry in the index.
  uint64_t BytesOf(Version version) const { return file_.IsHole(version) ? 64 : 4096; }
  bool KeepLocked(Version version, uint64_t since) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Version PopOldest() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Publish() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  struct Moment {
    int holders = 0;
    VersionList kept;
  };

  const VersionFile& file_;
  std::atomic<int64_t> wanted_since_{-1};
  std::atomic<int64_t> held_since_{-1};
  std::atomic<uint64_t> history_max_{0};
  std::atomic<uint64_t> history_bytes_{0};
  mutable Mutex mutex_;
  std::map<uint64_t, Moment> moments_ ABSL_GUARDED_BY(mutex_);
  VersionList history_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rnullfs

#endif  // RNULLFS_PAST_RETENTION_H_
