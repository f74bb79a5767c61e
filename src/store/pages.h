// The pages of one disk, stored or not, and what can be done to a range of them while it is locked.
// PageStore decides what to lock and for how long; this does the work.
//
// Thread safety: as the annotations say; what has none may be called from any thread, Resize() one
// at a time.  A caller holds the stripes of every page of the range it names.
// Units: ranges [begin, end) of bytes, any alignment, begin < end.  Errors: positive errno.
#ifndef RNULLFS_STORE_PAGES_H_
#define RNULLFS_STORE_PAGES_H_

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "rnullfs/page_store.h"
#include "rnullfs/unique_fd.h"
#include "rnullfs/xarray.h"
#include "store/arena.h"
#include "store/memory_account.h"
#include "store/stripe_locks.h"

namespace rnullfs {

class Pages {
 public:
  // A part of a range that is stored and contiguous in memory, or stored where it cannot be mapped,
  // or a hole.
  struct Piece {
    uint64_t begin;
    uint64_t end;
    char* data;   // null: not mapped
    bool stored;  // false: a hole
    uint64_t length() const { return end - begin; }
  };

  // `account` outlives the pages.  `found`: the file has a past, and knows better than the index
  // what is stored in it; else it is empty.
  Pages(UniqueFd memfd, MemoryAccount& account, bool found);

  // Waits for those who have answered a read and have yet to let go of its locks.
  ~Pages();
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  // The longest piece from `begin` on, at most to `end`.
  Piece PieceAt(uint64_t begin, uint64_t end) ABSL_SHARED_LOCKS_REQUIRED(locks);

  // The bytes of a piece that is stored and not mapped.
  int CopyOut(const Piece& piece, char* to) const ABSL_SHARED_LOCKS_REQUIRED(locks) {
    return arena_.Read(piece.begin, piece.length(), to);
  }

  // All that can be done to a range.  After an error any part has been, whole pages at a time.
  enum class How {
    kWrite,  // `data` becomes what it reads
    kZero,   // what is stored is zeroed; holes stay holes
    kFill,   // vacant pages are stored, as zeros
    kFree,   // whole pages are given back, the rest is zeroed
  };
  int Change(uint64_t begin, uint64_t end, How how, const char* data = nullptr)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(locks);

  // The first byte that is stored, or in a hole; `end` if there is none, or begin >= end.  Needs no
  // lock, so that a call can pass over any length of what doesn't concern it; what it returns may
  // be history.
  uint64_t FirstStored(uint64_t begin, uint64_t end) const { return arena_.NextData(begin, end); }
  uint64_t FirstVacant(uint64_t begin, uint64_t end) const { return arena_.NextHole(begin, end); }

  // Whether there is memory for the vacant pages.
  bool FitsInMemory(uint64_t begin, uint64_t end);

  // What shrinking cuts off is freed, and must be used by nobody; pages may be used while they
  // become more.  0 or the errno of ftruncate(); EPERM when shared pages are to become more.
  int Resize(uint64_t size_bytes);

  // From now on others may store pages in the memfd without our index hearing of it, and nobody can
  // store one past the end.  0 or an errno.
  int Share();

  // Nothing but the file says any more what is stored: others have had it and are gone, and what
  // they have freed (MADV_REMOVE) is not there.  The second one does nothing, and returns false,
  // where it would have to wait.
  void ForgetIndex() ABSL_LOCKS_EXCLUDED(locks);
  bool TryForgetIndex();
  bool was_shared() const { return arena_.length_sealed(); }

  // For who has given the file up: it is empty, whoever has it mapped.
  void Empty() { arena_.Resize(0); }

  // As PageStore::Collapse(); `offset` is moved on.  0 or an errno.
  int Collapse(uint64_t* offset, bool sparse);

  // As PageStore::RecallSome().
  bool RecallSome();

  // Takes back from a file to which a process was moving pages when it died: what is stored in both
  // is whole here, and perhaps not there.  All must be alone.
  int TakeBack(Arena& from);

  uint64_t size_bytes() const { return size_bytes_.load(std::memory_order_relaxed); }
  uint64_t AllocatedBytes() const { return arena_.AllocatedBytes(); }
  int fd() const { return arena_.fd(); }

  StripeLocks locks;

 private:
  Piece AskFile(uint64_t begin, uint64_t end) ABSL_SHARED_LOCKS_REQUIRED(locks);
  bool TellIndex(uint64_t begin, uint64_t end) ABSL_SHARED_LOCKS_REQUIRED(locks);
  bool FileDecides() const;
  bool WhollyStored(uint64_t begin, uint64_t end);
  int Overwrite(const Piece& piece, const char* data) ABSL_EXCLUSIVE_LOCKS_REQUIRED(locks);
  int Fill(const Piece& hole, const char* data) ABSL_EXCLUSIVE_LOCKS_REQUIRED(locks);
  int FillPages(const Piece& hole, const char* data) ABSL_EXCLUSIVE_LOCKS_REQUIRED(locks);
  int Free(uint64_t begin, uint64_t end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(locks);
  void Settle(uint64_t taken_bytes);

  Arena arena_;
  MemoryAccount& account_;
  // Page number -> the page's address in the arena.  What it has is stored; what it has not is a
  // hole, or for the file to say: once others could store pages, or where pages cannot be mapped,
  // or before what is in a file with a past has been recalled.
  XArray index_;
  // Once true, always.  Who stores what the index cannot have sets it with the locks of those
  // pages.
  std::atomic<bool> file_knows_;
  std::atomic<bool> forgotten_;  // there is a past that has not been recalled
  uint64_t recalled_ = 0;        // up to here it has; who recalls is alone with it
  std::atomic<uint64_t> size_bytes_{0};
};

// The page that holds the first, or the last, byte of a range.
constexpr uint64_t FirstPage(uint64_t begin) { return begin / PageStore::kPageSize; }
constexpr uint64_t LastPage(uint64_t end) { return (end - 1) / PageStore::kPageSize; }

// How much of a long range one hold of the locks does: meanwhile all other requests wait, and to
// free or to allocate 64 MiB takes milliseconds.
inline constexpr uint64_t kBatch = uint64_t{64} << 20;
constexpr uint64_t BatchEnd(uint64_t begin, uint64_t end) {
  return std::min(end, begin - begin % kBatch + kBatch);
}

}  // namespace rnullfs

#endif  // RNULLFS_STORE_PAGES_H_
