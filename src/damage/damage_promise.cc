// Flushes that are lost, and what comes back when the power has gone.
//
// What a sector will show then is kept as what it showed before it was healed is (damage_map.h).  A
// past knows by itself what it was (Past::ForEachBroken()); of a cache it is what lies below that,
// noted before the truth is flushed.

#include <cstdint>
#include <cstring>

#include "damage/damage.h"

namespace rnullfs {

int Damage::Flush(const Harm& harm) {
  const LockGuard lock(mutex_);
  // Without memory nobody knows its name.
  const DamageMap::Liar liar = {.rule = harm.rule, .sequence = harm.sequence};
  if (map_ != nullptr) static_cast<void>(map_->SetLiar(liar));
  if (may_lose_.load(std::memory_order_acquire) != MayLose::kCached) return top().FlushFalsely();
  NotePromised(harm);
  return top().Flush();
}

// What there is no memory for has arrived, which it may have.
void Damage::NotePromised(const Harm& harm) {
  if (map_ == nullptr) return;
  static_cast<void>(contents().ForEachCached(
      [&](uint64_t page, const char* without, const char* with) ABSL_NO_THREAD_SAFETY_ANALYSIS {
        int error = 0;
        for (int i = 0; i < kSectorsPerPage && error == 0; ++i) {
          const uint64_t at = i * kSectorSize;
          const uint64_t sector = page * kSectorsPerPage + i;
          const bool same = std::memcmp(without + at, with + at, kSectorSize) == 0;
          // What shows something else already goes on with that.
          if (!same && !Has(sector)) {
            error = ShowWithoutPower(sector, without + at, with + at, harm);
          }
        }
        return error;
      }));
  Count();
}

int Damage::ShowLost(uint64_t page, const char* shown, const char* truth) {
  const LockGuard lock(mutex_);
  if (map_ == nullptr) return 0;
  const DamageMap::Liar liar = map_->GetLiar();
  const Harm harm = {.action = FaultAction::kLost, .rule = liar.rule, .sequence = liar.sequence};
  for (int i = 0; i < kSectorsPerPage; ++i) {
    const uint64_t at = i * kSectorSize;
    if (std::memcmp(shown + at, truth + at, kSectorSize) == 0) continue;
    const uint64_t sector = page * kSectorsPerPage + i;
    // It counts when that is the truth: who dies before does all of this again.
    int error = ShowWithoutPower(sector, shown + at, truth + at, harm);
    if (error == 0) error = map_->Unheal(sector);
    if (error != 0) return error;
  }
  return 0;
}

// That a sector whose truth is `truth` by then shows what has been there before, `was`, or what was
// shown instead of that.
int Damage::ShowWithoutPower(uint64_t sector, const char* was, const char* truth,
                             const Harm& harm) {
  DamageMap::Entry entry = {};
  char showed[kSectorSize];
  const bool known = Has(sector) || map_->HasHealed(sector);
  const bool instead = known && map_->Get(sector, entry) == 0 &&
                       entry.IsOf(DamageMap::HashOf(was)) && map_->Show(sector, showed) == 0;
  if (!instead && !Has(sector)) entry = {};  // it has not been damaged, nor counted
  const int error = instead ? 0 : map_->Name(harm.action, harm.rule, harm.sequence, entry);
  entry.truth = DamageMap::HashOf(truth);
  entry.before = instead ? DamageMap::HashOf(was) : 0;  // for who does this again
  if (error != 0) return error;
  entry.action &= static_cast<uint8_t>(~DamageMap::kHealed);
  const char* const shows = instead ? showed : was;
  if (std::memcmp(shows, truth, kSectorSize) == 0) return map_->Erase(sector);
  return Has(sector) ? map_->Put(sector, shows, entry) : map_->PutHealed(sector, shows, entry);
}

// What has not been counted has never been healed.
int Damage::Unheal(uint64_t sector) {
  DamageMap::Entry entry = {};
  if (!map_->HasHealed(sector)) return 0;
  if (const int error = map_->Get(sector, entry); error != 0) return error;
  if (entry.is_counted()) services_.healed.fetch_sub(1, std::memory_order_relaxed);
  const int error = map_->Unheal(sector);
  if (error == 0) CountInjected(sector);
  return error;
}

}  // namespace rnullfs
