// null_blk's volatile write-back cache, in front of a page store (copy_to_nullb(),
// null_make_cache_space() and null_flush_cache_page() in drivers/block/null_blk/main.c).
//
// It is cached by the block, told by its sectors.  What is written lies here until a flush, or
// until its room is wanted: then pages are written back in the order of their place, 16 at a time,
// from where the last time ended.  Whoever destroys it loses what has not been written back; that
// is what it is for.
//
// It loses nothing with the process, though: the cached bytes lie in a page store of their own, at
// their offset on the disk, and behind the disk's end there is a byte for each page, with a bit for
// each of its sectors that is cached.  Bytes are stored before their bits are set, and are on the
// disk before their bits are cleared: a process that is killed in between leaves requests that were
// not answered, and these are made again.
//
// Thread safety: all calls from any thread, one after the other: it is for what a cache does to a
// disk's contents, not for speed.
// Units: bytes; ranges lie within the disk.  What is no multiple of a sector is completed from the
// disk, or first written back.  Errors: positive errno; ENOSPC when there is no memory.  What could
// not be written back is still cached.
#ifndef RNULLFS_STORE_WRITE_CACHE_H_
#define RNULLFS_STORE_WRITE_CACHE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rnullfs/mutex.h"
#include "rnullfs/page_store.h"
#include "rnullfs/power_cut.h"
#include "store/page_sectors.h"

namespace rnullfs {

// What a cache needs, all of which outlives it.
struct WriteCacheServices {
  std::string_view name;  // of its memfd
  MemoryLimit& memory;
  MemfdKeeper& keeper;
  Store& disk;
  uint64_t disk_bytes;                  // its size by the time of the first request
  std::atomic<uint64_t>& written_back;  // counts pages
  std::atomic<uint64_t>& unflushed;     // counts writes since the last flush
};

class WriteCache final : public Store {
 public:
  // A cache of `size_bytes`, at least a page: that of a process which is gone, from its memfd, or
  // an empty one without.
  static absl::StatusOr<std::unique_ptr<WriteCache>> Open(const WriteCacheServices& services,
                                                          uint64_t size_bytes, UniqueFd memfd);

  // For who drops it: the keeper holds it no more.
  void GiveBack() { store_->GiveBack(); }

  // As store.h, of the disk with what is cached.
  int Read(uint64_t offset, uint64_t length, Sink sink) override;  // copies
  int CopyOut(uint64_t offset, uint64_t length, char* to) override ABSL_LOCKS_EXCLUDED(mutex_);
  int Write(uint64_t offset, uint64_t length, const void* data) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  int WriteThrough(uint64_t offset, uint64_t length, const void* data) override;
  int Discard(uint64_t offset, uint64_t length) override;
  int WriteZeroes(uint64_t offset, uint64_t length) override;
  int Allocate(uint64_t offset, uint64_t length) override { return disk_.Allocate(offset, length); }
  bool IsOwn(uint64_t offset) const override { return disk_.IsOwn(offset); }
  int Flush() override ABSL_LOCKS_EXCLUDED(mutex_);  // writes all of it back
  int ForEachCached(Look look) override ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t NextData(uint64_t offset) const override ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t NextHole(uint64_t offset) const override ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t size_bytes() const override { return disk_bytes_; }

  // The first page >= `page` that is cached, UINT64_MAX for none; and what makes it be lost.
  uint64_t NextPage(uint64_t page) const ABSL_LOCKS_EXCLUDED(mutex_);
  int Lose(uint64_t page) ABSL_LOCKS_EXCLUDED(mutex_);

  // What it loses if that is how the power goes.
  CutLoss WhatIsLost(const PowerCut& cut) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Writes back what the cut keeps; the rest is to be lost.
  int KeepWhatIsLeft(const PowerCut& cut) ABSL_LOCKS_EXCLUDED(mutex_);

  uint64_t cached_pages() const { return cached_pages_.load(std::memory_order_relaxed); }
  int fd() const { return store_->fd(); }

 private:
  struct PageRange {  // page numbers
    uint64_t begin = 0;
    uint64_t end = 0;
    bool empty() const { return begin == end; }
  };

  WriteCache(const WriteCacheServices& services, uint64_t size_bytes,
             std::unique_ptr<PageStore> store);
  static uint64_t StoreBytes(uint64_t disk_bytes);

  int ChangeDisk(uint64_t offset, uint64_t length, absl::FunctionRef<int()> change)
      ABSL_LOCKS_EXCLUDED(mutex_);
  int Find() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int WriteToPage(uint64_t page, uint64_t begin, uint64_t end, const char* data)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int WriteBackTo(uint64_t pages) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int WriteBackSome() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int CopyBack(SectorMap::iterator page) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return CopyBack(page->first, page->second, page->second);
  }
  int CopyBack(uint64_t page, PageSectors cached, PageSectors wanted)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int FreePages(PageRange& pages) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int FreePage(uint64_t page) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int MarkSectors(uint64_t page, PageSectors sectors) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int CompleteSectors(uint64_t begin, uint64_t end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int WriteBackEdges(uint64_t begin, uint64_t end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int Drop(uint64_t begin, uint64_t end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Store& disk_;
  std::atomic<uint64_t>& written_back_;
  std::atomic<uint64_t>& unflushed_;
  const uint64_t disk_bytes_;
  const uint64_t pages_max_;
  const std::unique_ptr<PageStore> store_;
  std::atomic<uint64_t> cached_pages_{0};  // pages_.size()
  mutable Mutex mutex_;
  SectorMap pages_ ABSL_GUARDED_BY(mutex_);
  uint64_t cursor_ ABSL_GUARDED_BY(mutex_) = 0;  // the page to write back next, or one behind it
};

}  // namespace rnullfs

#endif  // RNULLFS_STORE_WRITE_CACHE_H_
