// A state that a power cut may have left, as a disk: what each unit is has been chosen, and what is
// written to it is its own.
//
// It remembers which of the units that are not certain have been read before they were overwritten,
// in order: all states that agree in these are the same to who has read them.  To write a part of a
// unit is to read it.
//
// Thread safety: all calls from any thread.  The past outlives it.
// Units: bytes.  Errors: as store.h; ESTALE when the history has forgotten it.
#ifndef RNULLFS_CRASH_STATE_H_
#define RNULLFS_CRASH_STATE_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "crash/choice.h"
#include "crash/cut.h"
#include "rnullfs/memory_limit.h"
#include "rnullfs/mutex.h"
#include "rnullfs/store.h"
#include "store/memory_account.h"

namespace rnullfs {

class CrashState final : public Store {
 public:
  // What is written takes its memory from `memory`, which outlives it.
  CrashState(Past& past, std::shared_ptr<const CrashCut> cut, const CrashChoice& choice,
             MemoryLimit& memory, bool is_first = true);
  ~CrashState() override;

  // Takes the memory that it needs itself, before it is used; ENOSPC.
  int Reserve() ABSL_LOCKS_EXCLUDED(mutex_);

  int Read(uint64_t offset, uint64_t length, Sink sink) override;
  // What is not certain counts as data, and has not been read by that.
  uint64_t NextData(uint64_t offset) const override;
  uint64_t NextHole(uint64_t offset) const override;
  uint64_t size_bytes() const override { return size_bytes_; }

  int Write(uint64_t offset, uint64_t length, const void* data) override;
  int Discard(uint64_t offset, uint64_t length) override { return WriteZeroes(offset, length); }
  int WriteZeroes(uint64_t offset, uint64_t length) override ABSL_LOCKS_EXCLUDED(mutex_);
  int Allocate(uint64_t /*offset*/, uint64_t /*length*/) override { return 0; }

  const CrashCut& cut() const { return *cut_; }
  // For each of the cut's units the version that it has been given.
  const std::vector<uint32_t>& picks() const { return picks_; }
  // Whether a kernel may keep what it has read of it: of a file that has been another state before,
  // it might be that one's.
  bool is_first() const { return is_first_; }
  // Somebody has it open, or had.
  void NoteOpen() { opened_.store(true, std::memory_order_relaxed); }
  bool was_open() const { return opened_.load(std::memory_order_relaxed); }
  // False, once, for a read of more than a page with units in it that are not certain, and that it
  // would be the first to read: that they have been read is to be said of who needs them, and not
  // of who reads ahead.
  bool MayReadAhead(uint64_t offset, uint64_t length) ABSL_LOCKS_EXCLUDED(mutex_);
  // Indexes of units.
  std::vector<uint64_t> Consulted() const ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsWritten() const ABSL_LOCKS_EXCLUDED(mutex_) {
    const LockGuard lock(mutex_);
    return !own_.empty();
  }
  // Those of the cut's units that have been written to, in order.
  std::vector<uint64_t> Written() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The same for the same contents, however they have come to be.  An errno that a read returned.
  int Identify(uint64_t& identity) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // A unit of which something has been written; null: zeros.
  using Own = std::map<uint64_t, std::unique_ptr<char[]>>;

  uint64_t UnitOf(uint64_t offset) const { return offset / cut_->unit_bytes(); }
  std::vector<CrashUnit>::const_iterator FirstUnit(uint64_t index) const;
  void Consult(const CrashUnit& unit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int CopyUnits(uint64_t begin, uint64_t end, char* to) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int CopyUnit(uint64_t index, uint64_t begin, uint64_t end, char* to)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int WriteUnit(uint64_t index, uint64_t begin, uint64_t end, const char* data)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int ZeroUnits(uint64_t first, uint64_t end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Charge(uint64_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsSpecial(uint64_t index) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t NextSpecial(uint64_t index) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Past& past_;
  const std::shared_ptr<const CrashCut> cut_;
  const std::vector<uint32_t> picks_;
  const uint64_t size_bytes_;
  const std::unique_ptr<View> rest_;  // what is certain
  mutable Mutex mutex_;
  MemoryAccount account_;
  uint64_t stored_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  Own own_ ABSL_GUARDED_BY(mutex_);
  std::vector<uint64_t> consulted_ ABSL_GUARDED_BY(mutex_);
  std::vector<bool> is_consulted_ ABSL_GUARDED_BY(mutex_);  // by their place among the cut's units
  std::vector<bool> is_refused_ ABSL_GUARDED_BY(mutex_);    // to who read ahead
  const bool is_first_;
  std::atomic<bool> opened_ = false;
};

}  // namespace rnullfs

#endif  // RNULLFS_CRASH_STATE_H_
