// The bytes of a disk: 4096-byte pages in a sparse memfd, found through an XArray.
//
// A page lies in the memfd at its offset on the disk, so that the kernel or a second process can
// serve the same bytes.  The XArray (page index -> address of the page in our mapping) says which
// pages exist; a hole is read without allocating, a page is allocated only when its slot is vacant,
// and a discarded page goes back to the system.  This is the memory backing of rnull
// (drivers/block/rnull/rnull.rs, "block: rnull: add memory backing") and null_blk.
//
// One memory, two doors: after Share() others may read and write the memfd as they like.  What they
// store is found when it is asked for; pages are given back and the length is changed through this
// class alone.
//
// Invariants:
//   - a page in the XArray is allocated in the memfd, except within a call that holds its stripe's
//     lock; until Share() the reverse holds, too, but for what huge pages bring along as zeros;
//   - no call allocates a page by reading.
//
// Thread safety: all calls may come from any thread at once, except Resize(), which must be alone;
// but what grows in place may do so beside other calls, and go back when nobody has used it.
// Each call is atomic as to every 4096-byte page it touches: calls that overlap never mix their
// bytes within a page, and so never within a logical block.  Between the two doors that is the
// kernel's affair, as with any file that two programs write.
// Units: bytes, any alignment.  Errors: positive errno; ENOSPC when there is no memory.
#ifndef RNULLFS_PAGE_STORE_H_
#define RNULLFS_PAGE_STORE_H_

#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rnullfs/memfd_keeper.h"
#include "rnullfs/memory_limit.h"
#include "rnullfs/store.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {

class MemoryAccount;
class Pages;
class Sharing;

class PageStore final : public Store {
 public:
  static constexpr uint64_t kPageSize = 4096;

  // An empty store of 0 bytes.  `name` is what /proc/PID/maps shows.  Pages are allocated only
  // while `memory` leaves some; `keeper` holds the memfd, too.  Both outlive the store.
  static absl::StatusOr<std::unique_ptr<PageStore>> Create(
      std::string_view name, MemoryLimit& memory, MemfdKeeper& keeper = MemfdKeeper::None());

  // The store of a process that is gone, from its memfd.  `moving_to` is a second one of the same
  // store that it left when it died in Resize(); what lies there is taken back.
  static absl::StatusOr<std::unique_ptr<PageStore>> Adopt(std::string_view name,
                                                          MemoryLimit& memory, MemfdKeeper& keeper,
                                                          UniqueFd memfd, UniqueFd moving_to);
  ~PageStore() override;

  // For who removes the disk: the keeper holds it no more.  (A process that ends, for whatever
  // reason, leaves it to the next.)
  void GiveBack();
  // The half of it that counts: who comes after this process does not find the store.
  void Disown() { keeper_.Drop(fd()); }

  // Truncates or grows to a multiple of kPageSize; what is cut off is freed and reads as zeros when
  // it grows again.  EINVAL when no file can be that large; ENOSPC when there is no memory to move
  // what has been shared, whose file cannot grow.  Nothing has changed then.
  absl::Status Resize(uint64_t size_bytes);
  // Whether it becomes larger in place: not once it has been shared.
  bool grows_in_place() const;
  uint64_t size_bytes() const override;

  // As a View's, without copying: contiguous pages in one iovec, holes as iovecs of zeros; the
  // range is locked against writers while `sink` runs.  ENOMEM when a part cannot be mapped and
  // there is no memory to copy it to.
  int Read(uint64_t offset, uint64_t length, Sink sink) override;
  int Write(uint64_t offset, uint64_t length, const void* data) override;
  int Discard(uint64_t offset, uint64_t length) override;
  int WriteZeroes(uint64_t offset, uint64_t length) override;
  int Allocate(uint64_t offset, uint64_t length) override;

  uint64_t NextData(uint64_t offset) const override;
  uint64_t NextHole(uint64_t offset) const override;

  // Opens the other door: until as many calls of Unshare(), the whole disk is charged to the memory
  // limit, and others may use fd() for reading and writing (beyond the end they get EPERM).  ENOSPC
  // when it does not fit.
  absl::Status Share();
  // The same after Adopt(), for who had shared it before: the limit has no say any more.
  absl::Status ShareAgain();
  void Unshare();

  // Whether somebody whom the other door let in is still there: a mapping outlives the open that it
  // was made of.  As long as that is so, or cannot be known, the disk is charged as if it were
  // shared.
  bool Held();
  // For who switches the disk off: what cannot be known is not charged any more.
  void EndHolding();

  // Puts what is stored into huge pages of 2 MiB, where a whole one is stored or, with `sparse`,
  // any part of one; from `offset` on; kHugeBatch of them are looked at.  Returns where to go on,
  // size_bytes() at the end.  Only between Share() and Unshare().  EINVAL when the kernel has no
  // huge pages for shared memory; what it could not do just now is passed over.
  static constexpr uint64_t kHugePageSize = uint64_t{2} << 20;
  static constexpr int kHugeBatch = 2;
  absl::StatusOr<uint64_t> Collapse(uint64_t offset, bool sparse);

  // For a store that was adopted, and never shared: learns what is stored, kRecallBatch stripes of
  // 128 KiB at a time, so that requests needn't.  True when there is more to learn; false at the
  // end, or where there is no memory to know more.  By one thread at a time.
  static constexpr int kRecallBatch = 64;
  bool RecallSome();

  // Whether a disk of that size would fit into what the memory limit leaves to it.
  bool CouldShare(uint64_t size_bytes) const;

  uint64_t stored_pages() const;  // by the kernel's count; a huge page is 512
  timespec modified() const;      // when something last wrote to the memfd
  int fd() const;                 // the memfd; owned by the store

 private:
  PageStore(std::string_view name, MemoryLimit& memory, MemfdKeeper& keeper, UniqueFd memfd,
            bool found);
  absl::Status MoveAndGrow(uint64_t size_bytes);

  const std::string name_;
  MemfdKeeper& keeper_;
  const std::unique_ptr<MemoryAccount> account_;
  std::unique_ptr<Pages> pages_;
  const std::unique_ptr<Sharing> sharing_;
};

}  // namespace rnullfs

#endif  // RNULLFS_PAGE_STORE_H_
