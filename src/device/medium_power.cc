// What the power takes with it.

#include <memory>
#include <utility>

#include "past/past.h"
#include "rnullfs/medium.h"
#include "store/write_cache.h"

namespace rnullfs {

void Medium::DropCache() {
  if (cache_ == nullptr) return;
  services_.counters.dropped.fetch_add(cache_->cached_pages(), std::memory_order_relaxed);
  // To whoever has the disk this is a change.
  if (past_ != nullptr) static_cast<void>(past_->Lose(*cache_));
  // Whoever looks at a snapshot may still be in it.
  const std::unique_ptr<WriteCache> dropped = std::exchange(cache_, nullptr);
  Stack();
  dropped->GiveBack();
}

CutLoss Medium::WhatIsLost(const PowerCut& cut) const {
  if (cut.keeps == CutKeeps::kAll) return {};
  if (cache_ != nullptr) return cache_->WhatIsLost(cut);
  return past_ == nullptr ? CutLoss() : past_->WhatIsLost(cut);
}

int Medium::Lose(const PowerCut& cut) {
  if (cache_ != nullptr) return LoseCached(cut);
  return past_ == nullptr || cut.keeps == CutKeeps::kAll ? 0 : past_->LoseUnflushed(cut);
}

// The cache stays, empty: whoever reads may still be in it.
int Medium::LoseCached(const PowerCut& cut) {
  if (cut.keeps == CutKeeps::kAll) return cache_->Flush();
  const int kept = cache_->KeepWhatIsLeft(cut);
  services_.counters.dropped.fetch_add(cache_->cached_pages(), std::memory_order_relaxed);
  int lost = past_ == nullptr ? 0 : past_->Lose(*cache_);
  for (uint64_t page = cache_->NextPage(0); lost == 0 && page != UINT64_MAX;
       page = cache_->NextPage(page)) {
    lost = cache_->Lose(page);
  }
  services_.counters.unflushed.store(0, std::memory_order_relaxed);
  return kept != 0 ? kept : lost;
}

}  // namespace rnullfs
