// A store that begins as a view of another disk, its origin, and shares with it what has not been
// written since.
//
// A page is shared, and read from the origin, or the clone's own: then it lies in the clone's page
// store, at its offset, or nowhere, and is zeros (what has been discarded).  Which are its own is a
// bit for each page: by stripe, here as a value in an XArray, and in a store of its own, which
// outlives the process.  Contents are stored before the bit is set: who dies in between leaves a
// page that is still shared.
//
// Thread safety: all calls from any thread.  Who changes a page has its stripe of the locks, which
// are others than those of the page store; who reads shares it.
// Units: bytes.  Errors: as store.h; also the origin's.
#ifndef RNULLFS_PAST_CLONE_STORE_H_
#define RNULLFS_PAST_CLONE_STORE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "rnullfs/page_store.h"
#include "rnullfs/store.h"
#include "rnullfs/xarray.h"
#include "store/stripe_locks.h"

namespace rnullfs {

class CloneStore final : public Store {
 public:
  // Of a disk as large as `own`, which outlives it.  `marks` is empty, or what another process
  // left.
  static absl::StatusOr<std::unique_ptr<CloneStore>> Create(PageStore& own,
                                                            std::shared_ptr<View> origin,
                                                            std::unique_ptr<PageStore>&& marks);
  ~CloneStore() override;
  void GiveBack() {
    if (marks_ != nullptr) marks_->GiveBack();
  }

  int Read(uint64_t offset, uint64_t length, Sink sink) override;
  uint64_t NextData(uint64_t offset) const override;
  uint64_t NextHole(uint64_t offset) const override;
  uint64_t size_bytes() const override { return own_.size_bytes(); }

  int Write(uint64_t offset, uint64_t length, const void* data) override;
  int Discard(uint64_t offset, uint64_t length) override;
  int WriteZeroes(uint64_t offset, uint64_t length) override;
  int Allocate(uint64_t offset, uint64_t length) override;
  bool IsOwn(uint64_t offset) const override { return RunAt(offset, offset + 1).own; }

  // Copies what is shared, a stripe at a time, beside whatever else is asked.  Afterwards the
  // origin has been let go of, and all is in `own`.  On an error it is a clone as before.
  // EAGAIN when after `pages_max` there are more.
  int StandAlone(uint64_t pages_max = UINT64_MAX);
  bool stands_alone() const { return shared_pages_.load(std::memory_order_acquire) == 0; }

  // Takes what memory a Discard() from `begin` on to the end needs, so that it has it.
  int PrepareToDiscard(uint64_t begin);
  // For what is added when the disk grows, before it does: zeros, whatever the origin has there.
  int Grow(uint64_t size_bytes);

 private:
  using Mark = uint32_t;  // a bit for each page of a stripe
  struct Run {
    uint64_t end;
    bool own;
  };
  using Change = absl::FunctionRef<int(uint64_t begin, uint64_t length)>;

  CloneStore(PageStore& own, std::shared_ptr<View> origin, std::unique_ptr<PageStore> marks);
  int ReadMarks();
  Run RunAt(uint64_t begin, uint64_t end) const;
  Mark MarkOf(uint64_t stripe) const;
  int ReadOrigin(uint64_t offset, uint64_t length, Sink sink) ABSL_SHARED_LOCKS_REQUIRED(locks_);
  int ReadMixed(uint64_t offset, uint64_t end, absl::Span<const iovec> own, Sink sink);
  uint64_t NextShared(uint64_t offset) const;
  int Make(uint64_t offset, uint64_t length, Change change);
  int CopyIfShared(uint64_t page) ABSL_EXCLUSIVE_LOCKS_REQUIRED(locks_);
  int CopyPage(uint64_t page) ABSL_EXCLUSIVE_LOCKS_REQUIRED(locks_);
  int MakeOwn(uint64_t first, uint64_t last) ABSL_EXCLUSIVE_LOCKS_REQUIRED(locks_);

  PageStore& own_;
  std::shared_ptr<View> origin_;
  std::atomic<uint64_t> shared_pages_;  // the first ones, that may be shared; 0: none
  std::unique_ptr<PageStore> marks_;    // a Mark for each stripe
  mutable StripeLocks locks_;
  XArray stripes_;  // stripe -> its Mark; none: 0
};

}  // namespace rnullfs

#endif  // RNULLFS_PAST_CLONE_STORE_H_
