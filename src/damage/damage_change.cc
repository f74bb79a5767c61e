// Changes of a disk that something lies over, harmed or not.
//
// What will be damaged is noted before the truth changes, and what is damaged no more afterwards;
// so a death in between leaves what says of another truth than there is, and is dropped
// (damage.h).

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "base/kill_point.h"
#include "damage/damage.h"

namespace rnullfs {
namespace {

// What does something to that sector of a write; null: nothing does.
const Harm* HarmAt(const Harms* harms, uint64_t sector) {
  const Harm* const harm = harms == nullptr ? nullptr : harms->At(sector);
  if (harm == nullptr) return nullptr;
  const bool arrives =
      (harm->action == FaultAction::kTorn && harm->Arrives(sector)) ||
      (harm->action == FaultAction::kMisdirected && harm->Elsewhere(sector) == sector);
  return arrives ? nullptr : harm;
}

}  // namespace

// --- Kinds of changes --------------------------------------------------------------------------

int Damage::Write(uint64_t offset, uint64_t length, const void* data, const Harms* harms) {
  const auto* const bytes = static_cast<const char*>(data);
  return Apply({offset, length, bytes, harms}, [&](uint64_t begin, uint64_t count) {
    return top().Write(begin, count, bytes + (begin - offset));
  });
}

int Damage::WriteThrough(uint64_t offset, uint64_t length, const void* data, const Harms* harms) {
  const auto* const bytes = static_cast<const char*>(data);
  return Apply({offset, length, bytes, harms, true}, [&](uint64_t begin, uint64_t count) {
    return top().WriteThrough(begin, count, bytes + (begin - offset));
  });
}

int Damage::Discard(uint64_t offset, uint64_t length, const Harms* harms) {
  return Apply({offset, length, nullptr, harms, PassesCache()},
               [&](uint64_t begin, uint64_t count) { return top().Discard(begin, count); });
}

int Damage::WriteZeroes(uint64_t offset, uint64_t length, const Harms* harms) {
  return Apply({offset, length, nullptr, harms, PassesCache()},
               [&](uint64_t begin, uint64_t count) { return top().WriteZeroes(begin, count); });
}

// With nothing beside it that it does not cover.
int Damage::Flush() {
  if (!has_healed_.load(std::memory_order_acquire)) return top().Flush();
  const LockGuard lock(mutex_);
  const int error = top().Flush();
  if (error == 0) ForgetHealedLocked();
  return error;
}

// --- How they are made -------------------------------------------------------------------------

void Damage::Edit::Patch(uint64_t sector, char* bytes) const {
  const SectorPart part(sector, offset, end());
  if (data == nullptr) {
    std::memset(bytes + part.within, 0, part.length);
  } else {
    std::memcpy(bytes + part.within, data + (part.begin - offset), part.length);
  }
}

int Damage::Apply(const Edit& edit, Make make) {
  // What had healed some of it before cannot be taken back any more; or all cannot.
  const bool covers = edit.through && has_healed_.load(std::memory_order_acquire);
  const bool all = may_lose_.load(std::memory_order_acquire) == MayLose::kUncovered;
  if (edit.harms == nullptr && !covers) {
    const SharedLockGuard lock(mutex_);
    if (IsWhole(edit.offset, edit.length)) return make(edit.offset, edit.length);
  }
  const LockGuard lock(mutex_);
  if (map_ == nullptr || edit.length == 0) return make(edit.offset, edit.length);
  const bool told = edit.harms != nullptr && edit.harms->IsTold();
  const int error = told ? ApplyTorn(edit, make) : ApplyLocked(edit, make);
  if (covers && all && (error == 0 || told)) ForgetHealedLocked();
  return error;
}

int Damage::ApplyLocked(const Edit& edit, Make make) {
  Put put;
  bool made = false;
  absl::Cleanup undo = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { made ? SettlePut(put) : Undo(put); };
  const Harm* const harm = edit.OfAll();
  const bool goes_astray = harm != nullptr && harm->action == FaultAction::kMisdirected;
  int error = LieAhead(edit, put);
  if (error == 0 && goes_astray) error = Misdirect(edit, *harm, /*within=*/false, put);
  KillPoint("damage-noted");
  if (error == 0) error = make(edit.offset, edit.length);
  if (error != 0) return error;
  made = true;
  KillPoint("damage-made");
  error = HealWritten(edit, put);
  if (error == 0 && goes_astray) error = Misdirect(edit, *harm, /*within=*/true, put);
  for (const uint64_t sector : put.right) {
    if (error == 0) error = map_->Erase(sector);
  }
  if (error != 0) return error;
  std::move(undo).Cancel();
  return Confirm(put);
}

// What has been put is damage, and shows it of nothing else than of what there is.
int Damage::Confirm(const Put& put) {
  for (const Put::Was& was : put.over) {
    const int error = was.changed && map_->Has(was.sector) ? map_->ForgetBefore(was.sector) : 0;
    if (error != 0) return error;
  }
  for (const Put::Was& was : put.over) CountInjected(was.sector);
  for (const uint64_t sector : put.anew) CountInjected(sector);
  Count();
  return 0;
}

// The truth is as it was.  What was damaged before has its memory still.
void Damage::Undo(const Put& put) {
  for (const uint64_t sector : put.anew) static_cast<void>(map_->Erase(sector));
  for (const Put::Was& was : put.over) {
    static_cast<void>(map_->Put(was.sector, was.shows, was.entry));
  }
  Count();
}

// The truth is another, but not all of what was to be shown instead.
void Damage::SettlePut(const Put& put) {
  const auto settle = [this](uint64_t sector) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    DamageMap::Entry entry = {};
    if (map_->Has(sector) && !Fits(sector, entry)) static_cast<void>(map_->Erase(sector));
  };
  for (const uint64_t sector : put.anew) settle(sector);
  for (const Put::Was& was : put.over) settle(was.sector);
  Count();
}

// What arrives is written, and that it is not all is no secret: that is the truth.
int Damage::ApplyTorn(const Edit& edit, Make make) {
  const uint64_t last = LastSector(edit.end());
  for (uint64_t sector = FirstSector(edit.offset); sector <= last; ++sector) {
    if (!edit.OfAll()->Arrives(sector)) continue;
    uint64_t behind = sector + 1;
    while (behind <= last && edit.OfAll()->Arrives(behind)) ++behind;
    const uint64_t begin = std::max(edit.offset, sector * kSectorSize);
    const uint64_t stop = std::min(edit.end(), behind * kSectorSize);
    const Edit part = {begin, stop - begin,
                       edit.data == nullptr ? nullptr : edit.data + (begin - edit.offset), nullptr,
                       edit.through};
    if (const int error = ApplyLocked(part, make); error != 0) return error;
    sector = behind;
  }
  return EIO;
}

// Notes what will not show what it has.  Unharmed, that is what has been damaged before and is
// written in part.
int Damage::LieAhead(const Edit& edit, Put& put) {
  const uint64_t last = LastSector(edit.end());
  if (edit.harms == nullptr) {
    const uint64_t first = FirstSector(edit.offset);
    int error = 0;
    if (edit.offset % kSectorSize != 0) error = LieAt(first, edit, put);
    const bool another = last != first || edit.offset % kSectorSize == 0;
    if (error == 0 && edit.end() % kSectorSize != 0 && another) error = LieAt(last, edit, put);
    return error;
  }
  for (uint64_t sector = FirstSector(edit.offset); sector <= last; ++sector) {
    // What is a hole loses nothing when it becomes one.
    if (edit.data == nullptr) {
      sector = std::max(sector, NextShown(sector * kSectorSize) / kSectorSize);
    }
    const int error = sector <= last ? LieAt(sector, edit, put) : 0;
    if (error != 0) return error;
  }
  return 0;
}

int Damage::LieAt(uint64_t sector, const Edit& edit, Put& put) {
  const Harm* const harm = HarmAt(edit.harms, sector);
  const bool had = map_->Has(sector);
  if (harm == nullptr && !had) return 0;
  char truth[kSectorSize];
  char shows[kSectorSize];
  int error = Truth(sector, truth);
  if (error == 0) error = Shown(sector * kSectorSize, kSectorSize, shows);
  if (error != 0) return error;
  DamageMap::Entry entry = {};
  if (had) error = map_->Get(sector, entry);
  const Put::Was was(sector, entry, shows);
  entry.before = had ? DamageMap::HashOf(truth) : 0;
  edit.Patch(sector, truth);
  if (harm == nullptr) {
    edit.Patch(sector, shows);
  } else if (harm->action == FaultAction::kCorrupt) {
    // Of what it is to be: the same also when it is done again, after a death.
    std::memcpy(shows, truth, kSectorSize);
    harm->Corrupt(sector, shows);
  }
  if (error != 0 || std::memcmp(shows, truth, kSectorSize) == 0) return error;
  put.kept[sector / kSectorsPerPage] |= static_cast<PageSectors>(1U << sector % kSectorsPerPage);
  entry.truth = DamageMap::HashOf(truth);
  if (harm != nullptr) error = map_->Name(harm->action, harm->rule, harm->sequence, entry);
  return error != 0 ? error : PutOver(was, had, shows, entry, put);
}

// Notes what was there before, for Undo().
int Damage::PutOver(Put::Was was, bool had, const char* shows, const DamageMap::Entry& entry,
                    Put& put) {
  was.changed = std::memcmp(was.shows, shows, kSectorSize) != 0;
  if (had) {
    put.over.push_back(was);
  } else {
    put.anew.push_back(was.sector);
  }
  return map_->Put(was.sector, shows, entry);
}

// What was meant for the edit's place is shown elsewhere.
int Damage::Misdirect(const Edit& edit, const Harm& harm, bool within, Put& put) {
  const uint64_t first = FirstSector(edit.offset);
  const uint64_t last = LastSector(edit.end());
  for (uint64_t sector = first; sector <= last; ++sector) {
    const uint64_t other = harm.Elsewhere(sector);
    if (other == sector || (first <= other && other <= last) != within) continue;
    const bool had = map_->Has(other);
    char truth[kSectorSize];
    char shows[kSectorSize];
    DamageMap::Entry entry = {};
    int error = Truth(other, truth);
    if (error == 0) error = Shown(other * kSectorSize, kSectorSize, shows);
    if (error == 0 && had) error = map_->Get(other, entry);
    if (error == 0) error = map_->Name(harm.action, harm.rule, harm.sequence, entry);
    if (error != 0) return error;
    const Put::Was was(other, entry, shows);
    const SectorPart part(sector, edit.offset, edit.end());
    std::memcpy(shows + part.within, edit.data + (part.begin - edit.offset), part.length);
    if (std::memcmp(shows, truth, kSectorSize) == 0) {
      put.right.push_back(other);
    } else {
      entry.truth = DamageMap::HashOf(truth);
      entry.before = 0;
      error = PutOver(was, had, shows, entry, put);
    }
    if (error != 0) return error;
    KillPoint("damage-misdirected");
  }
  return 0;
}

// What has been written shows what it has, but for what is to stay damaged.
int Damage::HealWritten(const Edit& edit, const Put& but) {
  const bool for_now =
      !edit.through && may_lose_.load(std::memory_order_acquire) != MayLose::kNothing;
  for (uint64_t sector = map_->Next(FirstSector(edit.offset)); sector <= LastSector(edit.end());
       sector = map_->Next(sector + 1)) {
    if (Contains(but.kept, sector * kSectorSize)) continue;
    services_.healed.fetch_add(1, std::memory_order_relaxed);
    // Without memory it is healed for good.
    const bool remembered = for_now && map_->Heal(sector) == 0;
    const int error = remembered ? 0 : map_->Erase(sector);
    if (error != 0) return error;
  }
  if (edit.through) ForgetHealedLocked(FirstSector(edit.offset), LastSector(edit.end()));
  return 0;
}

}  // namespace rnullfs
