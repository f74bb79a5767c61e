// What a power cut leaves of a write cache.

#include <bit>
#include <cstring>

#include "store/page_sectors.h"
#include "store/write_cache.h"

namespace rnullfs {
namespace {

// The sectors of a page that a power cut keeps.
PageSectors KeptOf(const PowerCut& cut, uint64_t page) {
  PageSectors kept = 0;
  for (int i = 0; i < kSectorsPerPage; ++i) {
    if (cut.KeepsCached(page * kSectorsPerPage + i)) kept |= PageSectors{1} << i;
  }
  return kept;
}

}  // namespace

CutLoss WriteCache::WhatIsLost(const PowerCut& cut) const {
  const LockGuard lock(mutex_);
  CutLoss loss;
  for (const auto& [page, sectors] : pages_) {
    loss.sectors += std::popcount(static_cast<unsigned>(sectors & ~KeptOf(cut, page)));
  }
  if (loss.sectors > 0) loss.requests = unflushed_.load(std::memory_order_relaxed);
  return loss;
}

int WriteCache::KeepWhatIsLeft(const PowerCut& cut) {
  const LockGuard lock(mutex_);
  for (auto it = pages_.begin(); it != pages_.end();) {
    const auto [page, sectors] = *it++;  // the page may go
    const auto kept = static_cast<PageSectors>(sectors & KeptOf(cut, page));
    if (kept == 0) continue;
    int error = CopyBack(page, sectors, kept);
    if (error == 0 && kept == sectors) error = FreePage(page);
    if (error != 0) return error;
  }
  return 0;
}

int WriteCache::ForEachCached(Look look) {
  const LockGuard lock(mutex_);
  for (const auto& [page, sectors] : pages_) {
    char without[PageStore::kPageSize];
    const uint64_t place = page * sizeof without;
    if (const int error = disk_.CopyOut(place, sizeof without, without); error != 0) return error;
    char with[sizeof without];
    std::memcpy(with, without, sizeof with);
    int error = ForEachRun(page, sectors, [&](uint64_t begin, uint64_t end) {
      return store_->CopyOut(begin, end - begin, with + (begin - place));
    });
    if (error == 0) error = look(page, without, with);
    if (error != 0) return error;
  }
  return 0;
}

}  // namespace rnullfs
