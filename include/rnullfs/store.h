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

#include <cstdint>

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
  // Whether the page at `offset` is nobody else's: to change one that is shared takes memory,
  // whatever is stored there.
  virtual bool IsOwn(uint64_t /*offset*/) const { return true; }
};

}  // namespace rnullfs

#endif  // RNULLFS_STORE_H_
