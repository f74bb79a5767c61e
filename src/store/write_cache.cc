#include "store/write_cache.h"

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/kill_point.h"
#include "rnullfs/error.h"
#include "store/io_vector.h"
#include "store/page_sectors.h"

namespace rnullfs {
namespace {

constexpr uint64_t kPageSize = PageStore::kPageSize;
constexpr int kBatch = 16;  // FREE_BATCH

}  // namespace

uint64_t WriteCache::StoreBytes(uint64_t disk_bytes) {
  const uint64_t map_bytes = (disk_bytes + kPageSize - 1) / kPageSize;
  return disk_bytes + (map_bytes + kPageSize - 1) / kPageSize * kPageSize;
}

absl::StatusOr<std::unique_ptr<WriteCache>> WriteCache::Open(const WriteCacheServices& services,
                                                             uint64_t size_bytes, UniqueFd memfd) {
  absl::StatusOr<std::unique_ptr<PageStore>> store =
      memfd.valid() ? PageStore::Adopt(services.name, services.memory, services.keeper,
                                       std::move(memfd), UniqueFd())
                    : PageStore::Create(services.name, services.memory, services.keeper);
  if (!store.ok()) return store.status();
  const uint64_t store_bytes = StoreBytes(services.disk_bytes);
  if ((*store)->size_bytes() == 0) {  // new, or that process did not come to give it one
    if (absl::Status sized = (*store)->Resize(store_bytes); !sized.ok()) {
      (*store)->GiveBack();
      return sized;
    }
  }
  if ((*store)->size_bytes() != store_bytes) {
    return Error(EINVAL, "the write cache that was left is not of the disk's size");
  }
  std::unique_ptr<WriteCache> cache(new WriteCache(services, size_bytes, *std::move(store)));
  const LockGuard lock(cache->mutex_);
  if (const int error = cache->Find(); error != 0) return SystemError(error, "the write cache");
  return cache;
}

WriteCache::WriteCache(const WriteCacheServices& services, uint64_t size_bytes,
                       std::unique_ptr<PageStore> store)
    : disk_(services.disk),
      written_back_(services.written_back),
      unflushed_(services.unflushed),
      disk_bytes_(services.disk_bytes),
      pages_max_(std::max<uint64_t>(size_bytes / kPageSize, 1)),
      store_(std::move(store)) {}

// Reads the map that a process which is gone has left, if any.
int WriteCache::Find() {
  std::vector<char> map(kPageSize);
  for (uint64_t at = store_->NextData(disk_bytes_); at < store_->size_bytes();
       at = store_->NextData(at + kPageSize)) {
    if (const int error = store_->CopyOut(at, kPageSize, map.data()); error != 0) return error;
    for (uint64_t i = 0; i < kPageSize; ++i) {
      const auto sectors = static_cast<PageSectors>(map[i]);
      if (sectors != 0) pages_.emplace_hint(pages_.end(), at - disk_bytes_ + i, sectors);
    }
  }
  cached_pages_ = pages_.size();
  // What it had stored, or written back, when it died.
  for (uint64_t at = store_->NextData(0); at < disk_bytes_; at = store_->NextData(at + kPageSize)) {
    if (pages_.contains(at / kPageSize)) continue;
    if (const int error = store_->Discard(at, kPageSize); error != 0) return error;
  }
  return 0;
}

int WriteCache::Read(uint64_t offset, uint64_t length, Sink sink) {
  IoVector vector;
  char* const copy = vector.AppendNew(length);
  if (copy == nullptr) return ENOMEM;
  if (const int error = CopyOut(offset, length, copy); error != 0) return error;
  sink(vector.blocks());
  return 0;
}

int WriteCache::CopyOut(uint64_t offset, uint64_t length, char* to) {
  const LockGuard lock(mutex_);
  if (const int error = disk_.CopyOut(offset, length, to); error != 0) return error;
  const uint64_t end = offset + length;
  for (auto it = pages_.lower_bound(offset / kPageSize);
       it != pages_.end() && it->first * kPageSize < end; ++it) {
    const int error = ForEachRun(it->first, it->second, [&](uint64_t begin, uint64_t stop) {
      begin = std::max(begin, offset);
      stop = std::min(stop, end);
      return begin < stop ? store_->CopyOut(begin, stop - begin, to + (begin - offset)) : 0;
    });
    if (error != 0) return error;
  }
  return 0;
}

int WriteCache::Write(uint64_t offset, uint64_t length, const void* data) {
  const LockGuard lock(mutex_);
  unflushed_.fetch_add(1, std::memory_order_relaxed);
  const auto* const bytes = static_cast<const char*>(data);
  const uint64_t end = offset + length;
  for (uint64_t begin = offset; begin < end;) {
    const uint64_t page = begin / kPageSize;
    const uint64_t stop = std::min(end, (page + 1) * kPageSize);
    if (const int error = WriteToPage(page, begin, stop, bytes + (begin - offset)); error != 0) {
      return error;
    }
    begin = stop;
  }
  return 0;
}

int WriteCache::WriteToPage(uint64_t page, uint64_t begin, uint64_t end, const char* data) {
  const auto it = pages_.find(page);
  const PageSectors before = it == pages_.end() ? PageSectors{0} : it->second;
  int error = before == 0 ? WriteBackTo(pages_max_ - 1) : 0;
  if (error == 0) error = CompleteSectors(begin, end);
  if (error == 0) error = store_->Write(begin, end - begin, data);
  KillPoint("cache-stored");
  if (error == 0) error = MarkSectors(page, before | SectorsOf(begin, end));
  // Nobody would find it there.
  if (error != 0 && before == 0) FreePage(page);
  return error;
}

// What `change` does to the disk takes the place of what is cached there.
int WriteCache::ChangeDisk(uint64_t offset, uint64_t length, absl::FunctionRef<int()> change) {
  const LockGuard lock(mutex_);
  int error = WriteBackEdges(offset, offset + length);
  if (error == 0) error = change();
  KillPoint("cache-written-through");
  return error == 0 ? Drop(offset, offset + length) : error;
}

int WriteCache::WriteThrough(uint64_t offset, uint64_t length, const void* data) {
  return ChangeDisk(offset, length, [&] { return disk_.Write(offset, length, data); });
}

int WriteCache::Discard(uint64_t offset, uint64_t length) {
  return ChangeDisk(offset, length, [&] { return disk_.Discard(offset, length); });
}

int WriteCache::WriteZeroes(uint64_t offset, uint64_t length) {
  return ChangeDisk(offset, length, [&] { return disk_.WriteZeroes(offset, length); });
}

int WriteCache::Flush() {
  const LockGuard lock(mutex_);
  const int error = WriteBackTo(0);
  if (error == 0) unflushed_.store(0, std::memory_order_relaxed);
  return error;
}

// Until no more than so many pages are cached.
int WriteCache::WriteBackTo(uint64_t pages) {
  int error = 0;
  while (error == 0 && pages_.size() > pages) error = WriteBackSome();
  return error;
}

// A batch from the cursor on; pages that touch are freed at once.
int WriteCache::WriteBackSome() {
  PageRange written;
  int error = 0;
  for (int i = 0; i < kBatch && !pages_.empty() && error == 0; ++i) {
    auto it = pages_.lower_bound(cursor_);
    if (it == pages_.end()) it = pages_.begin();
    const uint64_t page = it->first;
    cursor_ = page + 1;
    if (page != written.end) error = FreePages(written);
    if (error == 0) error = CopyBack(it);
    if (error == ENOSPC && !written.empty()) {  // what is freed makes room
      error = FreePages(written);
      if (error == 0) error = CopyBack(it);
    }
    if (error != 0) break;
    written = {written.empty() ? page : written.begin, page + 1};
  }
  const int not_freed = FreePages(written);
  return error != 0 ? error : not_freed;
}

// Writes back some of what the page has; that is cached no more, but its bytes are still here.
int WriteCache::CopyBack(uint64_t page, PageSectors cached, PageSectors wanted) {
  const int error = ForEachRun(page, wanted, [&](uint64_t begin, uint64_t end) {
    int written = 0;
    const int unread = store_->Read(begin, end - begin, [&](absl::Span<const iovec> blocks) {
      for (const iovec& block : blocks) {
        if (written == 0) written = disk_.Write(begin, block.iov_len, block.iov_base);
        begin += block.iov_len;
      }
    });
    return unread != 0 ? unread : written;
  });
  if (error != 0) return error;
  KillPoint("cache-written-back");
  written_back_.fetch_add(1, std::memory_order_relaxed);
  return MarkSectors(page, static_cast<PageSectors>(cached & ~wanted));
}

// Leaves an empty range.
int WriteCache::FreePages(PageRange& pages) {
  KillPoint("cache-unmarked");
  const PageRange freed = std::exchange(pages, {});
  if (freed.empty()) return 0;
  return store_->Discard(freed.begin * kPageSize, (freed.end - freed.begin) * kPageSize);
}

int WriteCache::FreePage(uint64_t page) { return store_->Discard(page * kPageSize, kPageSize); }

// In the map that survives and in ours.
int WriteCache::MarkSectors(uint64_t page, PageSectors sectors) {
  const int error = store_->Write(disk_bytes_ + page, sizeof sectors, &sectors);
  if (error != 0) return error;
  if (sectors != 0) {
    pages_[page] = sectors;
  } else {
    pages_.erase(page);
  }
  cached_pages_.store(pages_.size(), std::memory_order_relaxed);
  return 0;
}

// What a write leaves of the sectors at its edges comes from the disk, if it is not cached.
int WriteCache::CompleteSectors(uint64_t begin, uint64_t end) {
  for (const uint64_t edge : {begin, end}) {
    const uint64_t sector = edge / kSectorSize * kSectorSize;
    if (edge == sector || Contains(pages_, sector)) continue;
    char bytes[kSectorSize];
    if (const int error = disk_.CopyOut(sector, kSectorSize, bytes); error != 0) return error;
    if (const int error = store_->Write(sector, kSectorSize, bytes); error != 0) return error;
  }
  return 0;
}

// So that sectors of which a range has a part can be dropped.
int WriteCache::WriteBackEdges(uint64_t begin, uint64_t end) {
  for (const uint64_t edge : {begin, end}) {
    const auto it = pages_.find(edge / kPageSize);
    if (edge % kSectorSize == 0 || it == pages_.end()) continue;
    const uint64_t page = it->first;
    int error = CopyBack(it);
    if (error == 0) error = FreePage(page);
    if (error != 0) return error;
  }
  return 0;
}

// Forgets what is cached of a range.
int WriteCache::Drop(uint64_t begin, uint64_t end) {
  auto it = pages_.lower_bound(begin / kPageSize);
  while (it != pages_.end() && it->first * kPageSize < end) {
    const auto [page, sectors] = *it++;  // the page may go
    const uint64_t first = std::max(begin, page * kPageSize);
    const uint64_t last = std::min(end, (page + 1) * kPageSize);
    const auto left = static_cast<PageSectors>(sectors & ~SectorsOf(first, last));
    if (left == sectors) continue;
    int error = MarkSectors(page, left);
    if (error == 0 && left == 0) error = FreePage(page);
    if (error != 0) return error;
  }
  return 0;
}

uint64_t WriteCache::NextPage(uint64_t page) const {
  const LockGuard lock(mutex_);
  const auto it = pages_.lower_bound(page);
  return it == pages_.end() ? UINT64_MAX : it->first;
}

int WriteCache::Lose(uint64_t page) {
  const LockGuard lock(mutex_);
  if (const int error = MarkSectors(page, 0); error != 0) return error;
  return FreePage(page);
}

uint64_t WriteCache::NextData(uint64_t offset) const {
  const LockGuard lock(mutex_);
  return std::min(disk_.NextData(offset), NextContained(pages_, offset));
}

uint64_t WriteCache::NextHole(uint64_t offset) const {
  const LockGuard lock(mutex_);
  for (;;) {
    const uint64_t hole = disk_.NextHole(offset);
    if (hole >= disk_bytes_ || !Contains(pages_, hole)) return hole;
    offset = (hole / kSectorSize + 1) * kSectorSize;
    while (offset < disk_bytes_ && Contains(pages_, offset)) offset += kSectorSize;
  }
}

}  // namespace rnullfs
