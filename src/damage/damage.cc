#include "damage/damage.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "rnullfs/error.h"
#include "store/io_vector.h"

namespace rnullfs {
namespace {

// What a read was made to bring.
struct Lies {
  uint64_t sector;
  const Harm* harm;
  char shows[kSectorSize];
};

bool IsSame(const char* a, const char* b) { return std::memcmp(a, b, kSectorSize) == 0; }

}  // namespace

// Waits for those who have answered a read and have yet to let go of the lock.
Damage::~Damage() { const LockGuard lock(mutex_); }

absl::Status Damage::Begin() {
  const LockGuard lock(mutex_);
  if (map_ != nullptr) return absl::OkStatus();
  if (contents().size_bytes() > DamageMap::kDiskBytesMax) {
    return Error(EINVAL, absl::StrCat("faults: what a rule does silently takes a disk of at most ",
                                      DamageMap::kDiskBytesMax >> 20, " MiB"));
  }
  absl::StatusOr<std::unique_ptr<DamageMap>> map =
      DamageMap::Create(services_.name, services_.memory, services_.keeper);
  if (!map.ok()) return map.status();
  map_ = *std::move(map);
  return absl::OkStatus();
}

absl::Status Damage::Adopt(UniqueFd memfd) {
  const LockGuard lock(mutex_);
  if (memfd.valid()) {
    absl::StatusOr<std::unique_ptr<DamageMap>> map =
        DamageMap::Adopt(services_.name, services_.memory, services_.keeper, std::move(memfd));
    if (!map.ok()) return map.status();
    map_ = *std::move(map);
  }
  Count();
  return absl::OkStatus();
}

void Damage::GiveBack() {
  const LockGuard lock(mutex_);
  if (map_ != nullptr) map_->GiveBack();
  map_.reset();
  count_ = 0;
}

void Damage::Forget() {
  GiveBack();
  const LockGuard lock(mutex_);
  Count();
}

// --- Reads -------------------------------------------------------------------------------------

bool Damage::IsWhole(uint64_t offset, uint64_t length) const {
  return map_ == nullptr || length == 0 ||
         map_->Next(FirstSector(offset)) > LastSector(offset + length);
}

int Damage::Read(uint64_t offset, uint64_t length, Sink sink) {
  const SharedLockGuard lock(mutex_);
  if (IsWhole(offset, length)) return contents().Read(offset, length, sink);
  IoVector vector;
  char* const copy = vector.AppendNew(length);
  if (copy == nullptr) return ENOMEM;
  if (const int error = Shown(offset, length, copy); error != 0) return error;
  sink(vector.blocks());
  return 0;
}

// The truth, and over it what is shown.
int Damage::Shown(uint64_t offset, uint64_t length, char* to) const {
  if (const int error = contents().CopyOut(offset, length, to); error != 0) return error;
  const uint64_t end = offset + length;
  for (uint64_t sector = map_ == nullptr ? UINT64_MAX : map_->Next(FirstSector(offset));
       sector <= LastSector(end); sector = map_->Next(sector + 1)) {
    char shows[kSectorSize];
    if (const int error = map_->Show(sector, shows); error != 0) return error;
    const SectorPart part(sector, offset, end);
    std::memcpy(to + (part.begin - offset), shows + part.within, part.length);
  }
  return 0;
}

int Damage::CopyOutHarmed(uint64_t offset, uint64_t length, char* to, const Harms& harms) {
  const LockGuard lock(mutex_);
  if (const int error = Shown(offset, length, to); error != 0 || length == 0) return error;
  const uint64_t end = offset + length;
  std::vector<Lies> stay;  // all is read before something is shown that was not
  for (uint64_t sector = FirstSector(offset); sector <= LastSector(end); ++sector) {
    const Harm* const harm = harms.At(sector);
    if (harm != nullptr && harm->stored && Has(sector)) {
      CountInjected(sector);  // who has made it so may have died before that
      continue;
    }
    if (harm == nullptr) continue;
    Lies lies = {.sector = sector, .harm = harm, .shows = {}};
    int error = Shown(sector * kSectorSize, kSectorSize, lies.shows);
    if (error == 0) error = HarmRead(sector, lies.shows, *harm);
    if (error != 0) return error;
    const SectorPart part(sector, offset, end);
    std::memcpy(to + (part.begin - offset), lies.shows + part.within, part.length);
    if (harm->stored) stay.push_back(lies);
  }
  for (const Lies& lies : stay) {
    char truth[kSectorSize];
    const int error = Truth(lies.sector, truth);
    // Without memory it does not stay.
    const bool same = error != 0 || IsSame(lies.shows, truth);
    if (!same && Lie(lies.sector, lies.shows, truth, *lies.harm) == 0) CountInjected(lies.sector);
  }
  return 0;
}

int Damage::HarmRead(uint64_t sector, char (&bytes)[kSectorSize], const Harm& harm) {
  if (harm.action == FaultAction::kCorrupt) {
    harm.Corrupt(sector, bytes);
  } else if (harm.action == FaultAction::kMisdirected) {
    const uint64_t other = harm.Elsewhere(sector);
    return Shown(other * kSectorSize, kSectorSize, bytes);
  } else if (harm.action == FaultAction::kStale) {
    const int error = top().CopyBefore(sector * kSectorSize, kSectorSize, bytes);
    return error == ENODATA ? 0 : error;  // there has been nothing else
  }
  return 0;
}

// --- Where there is data -----------------------------------------------------------------------

uint64_t Damage::NextShown(uint64_t offset) const {
  const uint64_t data = contents().NextData(offset);
  return map_ == nullptr ? data : std::min(data, NextContained(map_->sectors(), offset));
}

uint64_t Damage::NextData(uint64_t offset) const {
  const SharedLockGuard lock(mutex_);
  return NextShown(offset);
}

uint64_t Damage::NextHole(uint64_t offset) const {
  const SharedLockGuard lock(mutex_);
  const uint64_t end = contents().size_bytes();
  for (;;) {
    const uint64_t hole = contents().NextHole(offset);
    if (hole >= end || !Has(FirstSector(hole))) return hole;
    offset = (FirstSector(hole) + 1) * kSectorSize;
    while (offset < end && Has(FirstSector(offset))) offset += kSectorSize;
  }
}

// --- What is damaged ---------------------------------------------------------------------------

std::vector<Damage::Range> Damage::List() const {
  const SharedLockGuard lock(mutex_);
  std::vector<Range> ranges;
  for (uint64_t sector = map_ == nullptr ? UINT64_MAX : map_->Next(0); sector != UINT64_MAX;
       sector = map_->Next(sector + 1)) {
    DamageMap::Entry entry;
    if (map_->Get(sector, entry) != 0) continue;
    const FaultAction action = entry.fault_action();
    const std::string_view rule = map_->NameOf(entry.rule);
    Range* const before = ranges.empty() ? nullptr : &ranges.back();
    if (before != nullptr && before->last + 1 == sector && before->action == action &&
        before->rule == rule && before->sequence == entry.sequence) {
      before->last = sector;
    } else {
      ranges.push_back({sector, sector, action, std::string(rule), entry.sequence});
    }
  }
  return ranges;
}

void Damage::Heal(uint64_t first, uint64_t last) {
  const LockGuard lock(mutex_);
  for (uint64_t sector = map_ == nullptr ? UINT64_MAX : map_->Next(first); sector <= last;
       sector = map_->Next(sector + 1)) {
    static_cast<void>(map_->Erase(sector));  // it has the memory that it needs for that
  }
  // What has been healed already, too, but not what a flush that was lost has cost.
  for (uint64_t sector = map_ == nullptr ? UINT64_MAX : map_->NextHealed(first); sector <= last;
       sector = map_->NextHealed(sector + 1)) {
    DamageMap::Entry entry = {};
    const bool was_damaged = map_->Get(sector, entry) == 0 && entry.is_counted();
    if (was_damaged) static_cast<void>(map_->Erase(sector));
  }
  Count();
}

void Damage::Settle(After after) {
  const LockGuard lock(mutex_);
  if (map_ == nullptr) return;
  for (uint64_t sector = map_->Next(0); sector != UINT64_MAX; sector = map_->Next(sector + 1)) {
    DamageMap::Entry entry = {};
    if (Fits(sector, entry)) {
      // After a death it may be of a request that comes again, and counts then.
      if (after != After::kDeath) CountInjected(sector);
      continue;
    }
    // Who was to be answered has written it.
    const bool healed = after == After::kDeath && entry.is_counted();
    if (healed) services_.healed.fetch_add(1, std::memory_order_relaxed);
    static_cast<void>(map_->Erase(sector));
  }
  SettleHealed(after);
  Count();
}

void Damage::SettleHealed(After after) {
  const bool lost = after == After::kPowerLoss;
  for (uint64_t sector = map_->NextHealed(0); sector != UINT64_MAX;
       sector = map_->NextHealed(sector + 1)) {
    DamageMap::Entry entry = {};
    if (lost && Fits(sector, entry)) {
      static_cast<void>(Unheal(sector));
    } else if (lost || sector >= size_bytes() / kSectorSize) {
      static_cast<void>(map_->Erase(sector));
    }
  }
}

// Whether what is said of a sector is of what it has, also where nobody knows that just now.
bool Damage::Fits(uint64_t sector, DamageMap::Entry& entry) const {
  char truth[kSectorSize];
  if (sector >= size_bytes() / kSectorSize || map_->Get(sector, entry) != 0) return false;
  return Truth(sector, truth) != 0 || entry.IsOf(DamageMap::HashOf(truth));
}

// Once, whoever dies.
void Damage::CountInjected(uint64_t sector) {
  if (map_->MarkCounted(sector)) services_.injected.fetch_add(1, std::memory_order_relaxed);
}

void Damage::ForgetHealed() {
  if (!has_healed_.load(std::memory_order_acquire)) return;
  const LockGuard lock(mutex_);
  ForgetHealedLocked();
}

void Damage::HealForGood() {
  HealAll();
  ForgetHealed();
}

void Damage::ForgetHealedLocked(uint64_t first, uint64_t last) {
  for (uint64_t sector = map_ == nullptr ? UINT64_MAX : map_->NextHealed(first); sector <= last;
       sector = map_->NextHealed(sector + 1)) {
    static_cast<void>(map_->Erase(sector));
  }
  Count();
}

void Damage::Count() {
  count_.store(map_ == nullptr ? 0 : map_->count(), std::memory_order_relaxed);
  services_.sectors.store(count_, std::memory_order_relaxed);
  const bool healed = map_ != nullptr && map_->NextHealed(0) != UINT64_MAX;
  has_healed_.store(healed, std::memory_order_release);
}

// Of a sector that is whole.
int Damage::Lie(uint64_t sector, const char* shows, const char* truth, const Harm& harm) {
  if (map_ == nullptr) return ENOSPC;
  DamageMap::Entry entry = {};
  entry.truth = DamageMap::HashOf(truth);
  int error = map_->Name(harm.action, harm.rule, harm.sequence, entry);
  if (error == 0) error = map_->Put(sector, shows, entry);
  Count();
  return error;
}

}  // namespace rnullfs
