// What the power takes with it.

#include <memory>
#include <utility>

#include "base/kill_point.h"
#include "damage/damage.h"
#include "past/past.h"
#include "rnullfs/medium.h"
#include "store/write_cache.h"

namespace rnullfs {

void Medium::DropCache() {
  if (cache_ == nullptr) return;
  services_.counters.cache.dropped.fetch_add(cache_->cached_pages(), std::memory_order_relaxed);
  // To whoever has the disk this is a change.
  if (past_ != nullptr) static_cast<void>(past_->Lose(*cache_));
  // Whoever looks at a snapshot may still be in it.
  const std::unique_ptr<WriteCache> dropped = std::exchange(cache_, nullptr);
  Stack();
  damage_->Settle(Damage::After::kPowerLoss);
  dropped->GiveBack();
}

CutLoss Medium::WhatIsLost(const PowerCut& cut) const {
  if (cut.keeps == CutKeeps::kAll) return {};
  if (cache_ != nullptr) return cache_->WhatIsLost(cut);
  return past_ == nullptr ? CutLoss() : past_->WhatIsLost(cut);
}

// What lies over the truth goes with that under it; and what a flush should have covered that was
// lost shows as lost.
int Medium::Lose(const PowerCut& cut) {
  const bool by_past = cache_ == nullptr && past_ != nullptr;
  const int noted =
      !by_past || cut.keeps == CutKeeps::kAll
          ? 0
          : past_->ForEachBroken(cut, [this](uint64_t page, const char* is, const char* promised) {
              return damage_->ShowLost(page, is, promised);
            });
  KillPoint("broken-noted");
  const int lost = LoseAll(cut);
  if (cut.keeps == CutKeeps::kAll) damage_->ForgetHealed();
  damage_->Settle(Damage::After::kPowerLoss);
  return noted != 0 ? noted : lost;
}

int Medium::LoseAll(const PowerCut& cut) {
  if (cache_ != nullptr) return LoseCached(cut);
  return past_ == nullptr || cut.keeps == CutKeeps::kAll ? 0 : past_->LoseUnflushed(cut);
}

// The cache stays, empty: whoever reads may still be in it.
int Medium::LoseCached(const PowerCut& cut) {
  if (cut.keeps == CutKeeps::kAll) return cache_->Flush();
  const int kept = cache_->KeepWhatIsLeft(cut);
  services_.counters.cache.dropped.fetch_add(cache_->cached_pages(), std::memory_order_relaxed);
  int lost = past_ == nullptr ? 0 : past_->Lose(*cache_);
  for (uint64_t page = cache_->NextPage(0); lost == 0 && page != UINT64_MAX;
       page = cache_->NextPage(page)) {
    lost = cache_->Lose(page);
  }
  services_.counters.cache.unflushed.store(0, std::memory_order_relaxed);
  return kept != 0 ? kept : lost;
}

}  // namespace rnullfs
