// What a disk was asked to do: a line for each request that has changed it, and for each flush and
// mark, by the number that it was counted as (past.h).
//
// It is a ring in the past's file (version_file.h), and so outlives the process.  It goes back for
// as many lines as a quarter of the history's bytes holds, or for as long as there was memory: what
// there is none for ends it, and it begins anew behind that.
//
// What a flush covers follows from two numbers of each line, its own and the newest one by when it
// was answered: that which had been answered before the flush was counted (LogEntry::answered).
//
// Thread safety: all calls from any thread, Restart() and Adopt() one at a time; a number is added
// once, by who has counted it.
// Errors: none.  What is not known is not there.
#ifndef RNULLFS_PAST_REQUEST_LOG_H_
#define RNULLFS_PAST_REQUEST_LOG_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "past/log_entry.h"
#include "past/version_file.h"
#include "rnullfs/mutex.h"

namespace rnullfs {

class RequestLog {
 public:
  explicit RequestLog(VersionFile& file) : file_(file) {}

  // For a history of so many bytes.  One that begins, does so behind what has been counted; with 0
  // nothing is kept.
  void SetHistory(uint64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  // What a process has left, for that history.  What it had not answered comes again, as other
  // numbers: until there are twice as many of them it is not answered, nor covered by a flush.
  void Adopt(uint64_t history_bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  bool on() const { return limit_.load(std::memory_order_acquire) > 0; }

  // The number has been counted: of `what` its kind, flags and range.  What nobody waits for
  // (CountedRequest) counts as answered.
  void Add(uint64_t number, const LogEntry& what) ABSL_LOCKS_EXCLUDED(mutex_);
  // For want of memory it has changed nothing; the request is counted again.
  void TakeBack(uint64_t number);
  // A change that the log has, and of which it does not know what it was, is none of this
  // version's: it begins behind that.
  void NoteChange(uint64_t number) ABSL_LOCKS_EXCLUDED(mutex_);
  // The request is about to be answered.
  void End(const CountedRequest& request, int error, int64_t now_nsec);

  // Gives back the memory that it has, for what needs it more; false when it had none.
  bool GiveBack() ABSL_LOCKS_EXCLUDED(mutex_);

  // The oldest number that it has, and the newest that has been counted: there is none when that is
  // older.
  uint64_t first() const { return file_.header().log_first.load(std::memory_order_acquire); }
  uint64_t last() const { return file_.header().sequence.load(std::memory_order_acquire); }
  // The newest one of what is no request, and has changed the disk (LogEntry::jumps()).
  uint64_t last_jump() const { return file_.header().log_jump; }
  // No log has more.
  static constexpr uint64_t kLinesMax =
      (VersionFile::Layout::kLogPages - 2) * (VersionFile::Layout::kPageSize / 64);
  // Nothing for what is not known (any more).
  std::optional<LogEntry> At(uint64_t number) const;

 private:
  struct Slot;

  void EndAt(const CountedRequest& request, int error, int64_t now_nsec, uint64_t newest);
  Slot& SlotOf(uint64_t number) const;
  Slot* Find(uint64_t number) const;
  bool HasPage(uint64_t page, uint64_t last);
  bool HasPlaceFor(uint64_t number) ABSL_LOCKS_EXCLUDED(mutex_);
  bool ForgetAll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RaiseFirst(uint64_t first) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Punch(uint64_t page, uint64_t end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget(uint64_t first) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t FirstUnanswered(uint64_t number) ABSL_LOCKS_EXCLUDED(mutex_);

  VersionFile& file_;
  std::atomic<uint64_t> limit_{0};      // lines; 0: it is off
  std::atomic<uint64_t> has_place_{0};  // up to this number
  Mutex mutex_;
  // Of the last flushes that have asked.
  struct Flushed {
    uint64_t number = 0;
    uint64_t unanswered = 0;
  };
  std::array<Flushed, 16> flushed_ ABSL_GUARDED_BY(mutex_);
  size_t next_flushed_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace rnullfs

#endif  // RNULLFS_PAST_REQUEST_LOG_H_
