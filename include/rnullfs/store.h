// A store: what a disk reads as, and can be written.  Stores stand on each other: the pages of a
// disk (PageStore), a cache in front of them (WriteCache), what they were before (Past).
//
// Thread safety: all calls from any thread at once.  A call is atomic as to every 4096-byte page
// that it touches.
// Units: bytes, any alignment; the range lies within the store.  Errors: positive errno; ENOSPC
// when there is no memory.  After an error any part of the range may have been done, whole pages at
// a time.
#ifndef RNULLFS_STORE_H_
#define RNULLFS_STORE_H_

#include <cerrno>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "rnullfs/view.h"

namespace rnullfs {

class Store : public View {
 public:
  virtual int Write(uint64_t offset, uint64_t length, const void* data) = 0;
  // A write with FUA: past what may be lost.
  virtual int WriteThrough(uint64_t offset, uint64_t length, const void* data) {
    return Write(offset, length, data);
  }
  virtual int Discard(uint64_t offset, uint64_t length) = 0;      // whole pages freed, edges zeroed
  virtual int WriteZeroes(uint64_t offset, uint64_t length) = 0;  // stored pages zeroed in place
  virtual int Allocate(uint64_t offset, uint64_t length) = 0;     // vacant pages stored as zeros
  virtual int Flush() { return 0; }                               // nothing may be lost any more
  // Is answered as a flush, and is none: who keeps account of what a power cut would lose keeps it
  // of both, of what has been promised and of what is so.
  virtual int FlushFalsely() { return 0; }
  // What a cache has that has not been flushed, page by page: what the page is without it, and with
  // it.  An errno that `look` returns ends it.
  using Look = absl::FunctionRef<int(uint64_t page, const char* without, const char* with)>;
  virtual int ForEachCached(Look /*look*/) { return 0; }
  // What a range, within a page, was before it became what it is.  ENODATA when it is not known
  // that it ever was anything else.
  virtual int CopyBefore(uint64_t /*offset*/, uint64_t /*length*/, char* /*to*/) { return ENODATA; }
  // Whether the page at `offset` is nobody else's: to change one that is shared takes memory,
  // whatever is stored there.
  virtual bool IsOwn(uint64_t /*offset*/) const { return true; }
};

}  // namespace rnullfs

#endif  // RNULLFS_STORE_H_
