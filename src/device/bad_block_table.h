// How much of it works?  The bad blocks of a medium, which requests run into and which are written
// meanwhile (null_handle_badblocks() in drivers/block/null_blk/main.c).
//
// Thread safety: all calls from any thread.  A disk without bad blocks pays one load for them.
// Units: bytes on the disk; a sector that a request touches is 512 of them.
#ifndef RNULLFS_DEVICE_BAD_BLOCK_TABLE_H_
#define RNULLFS_DEVICE_BAD_BLOCK_TABLE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "rnullfs/bad_blocks.h"
#include "rnullfs/mutex.h"

namespace rnullfs {

class BadBlockTable {
 public:
  // `spent` is called, without a lock, after an entry has become good because it has failed once.
  explicit BadBlockTable(std::function<void()> spent = nullptr) : spent_(std::move(spent)) {}

  bool armed() const { return armed_.load(std::memory_order_relaxed); }
  BadBlocks Get() const ABSL_LOCKS_EXCLUDED(mutex_);

  // False, and nothing has changed, when they are no longer the `expected` ones.
  bool Replace(const BadBlocks& expected, const BadBlocks& wanted) ABSL_LOCKS_EXCLUDED(mutex_);

  struct Rules {
    bool once = false;        // the entry that fails a request is good afterwards
    bool partial_io = false;  // what lies before it works
    uint32_t blocksize = 512;
  };
  struct Verdict {
    int error = 0;            // 0 or EIO
    uint64_t good_bytes = 0;  // how much of the request, from its beginning, is to be done
  };
  // Whether Check() would find something.
  bool Touches(uint64_t offset, uint64_t length) const ABSL_LOCKS_EXCLUDED(mutex_);
  Verdict Check(uint64_t offset, uint64_t length, const Rules& rules) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Set(const BadBlocks& bad_blocks) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::function<void()> spent_;
  std::atomic<bool> armed_{false};
  mutable Mutex mutex_;
  BadBlocks bad_blocks_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_BAD_BLOCK_TABLE_H_
