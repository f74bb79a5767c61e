#include "damage/damage_map.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <new>
#include <utility>

#include "base/kill_point.h"
#include "base/mix.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

PageSectors BitOf(uint64_t sector) {
  return static_cast<PageSectors>(1U << sector % kSectorsPerPage);
}

uint64_t NextIn(const SectorMap& map, uint64_t sector) {
  const uint64_t at = NextContained(map, sector * kSectorSize);
  return at == UINT64_MAX ? UINT64_MAX : at / kSectorSize;
}

}  // namespace

// By words: who takes over looks at all that is damaged.
uint64_t DamageMap::HashOf(const char* sector) {
  uint64_t hash = kGoldenGamma;
  for (uint64_t at = 0; at < kSectorSize; at += sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, sector + at, sizeof word);
    hash = Mix(hash ^ word) + kGoldenGamma;
  }
  return hash;
}

int DamageMap::Name(FaultAction action, std::string_view rule, uint64_t sequence, Entry& entry) {
  entry.sequence = sequence;
  entry.action =
      static_cast<uint8_t>((entry.action & kCounted) | (static_cast<uint8_t>(action) + 1));
  return NumberOf(rule, entry.rule);
}

absl::StatusOr<std::unique_ptr<DamageMap>> DamageMap::Create(std::string_view name,
                                                             MemoryLimit& memory,
                                                             MemfdKeeper& keeper) {
  absl::StatusOr<std::unique_ptr<PageStore>> store = PageStore::Create(name, memory, keeper);
  if (!store.ok()) return store.status();
  if (absl::Status sized = (*store)->Resize(kStoreBytes); !sized.ok()) {
    (*store)->GiveBack();
    return sized;
  }
  return std::unique_ptr<DamageMap>(new DamageMap(*std::move(store)));
}

absl::StatusOr<std::unique_ptr<DamageMap>> DamageMap::Adopt(std::string_view name,
                                                            MemoryLimit& memory,
                                                            MemfdKeeper& keeper, UniqueFd memfd) {
  absl::StatusOr<std::unique_ptr<PageStore>> store =
      PageStore::Adopt(name, memory, keeper, std::move(memfd), UniqueFd());
  if (!store.ok()) return store.status();
  if ((*store)->size_bytes() == 0) {  // that process did not come to give it one
    if (absl::Status sized = (*store)->Resize(kStoreBytes); !sized.ok()) return sized;
  }
  if ((*store)->size_bytes() != kStoreBytes) {
    return Error(EINVAL, "what was left as the damage of a disk is none");
  }
  std::unique_ptr<DamageMap> map(new DamageMap(*std::move(store)));
  if (const int error = map->Find(); error != 0) return SystemError(error, "a disk's damage");
  return map;
}

int DamageMap::Find() {
  for (uint64_t at = store_->NextData(kEntries); at < kNames;
       at = store_->NextData(at + kPageSize)) {
    if (const int error = FindEntries(at); error != 0) return error;
  }
  // What had been stored, or erased, when it died.
  for (uint64_t at = store_->NextData(0); at < kEntries; at = store_->NextData(at + kPageSize)) {
    if (sectors_.contains(at / kPageSize) || healed_.contains(at / kPageSize)) continue;
    if (const int error = store_->Discard(at, kPageSize); error != 0) return error;
  }
  return FindNames();
}

// Of the entries that lie there, if there is one; else nobody needs the memory.
int DamageMap::FindEntries(uint64_t at) {
  Entry entries[kPageSize / sizeof(Entry)];
  const int error = store_->CopyOut(at, kPageSize, reinterpret_cast<char*>(entries));
  if (error != 0) return error;
  bool any = false;
  for (uint64_t i = 0; i < std::size(entries); ++i) {
    const uint8_t code = entries[i].action & kCode;
    if (code == 0 || code > kFaultActionCount) continue;
    any = true;
    const uint64_t sector = (at - kEntries) / sizeof(Entry) + i;
    const bool healed = (entries[i].action & kHealed) != 0;
    (healed ? healed_ : sectors_)[sector / kSectorsPerPage] |= BitOf(sector);
    if (!healed) ++count_;
  }
  return any ? 0 : store_->Discard(at, kPageSize);
}

int DamageMap::FindNames() {
  for (uint64_t number = 1; number < kNamesMax; ++number) {
    char name[kNameBytes];
    const int error = store_->CopyOut(kNames + number * kNameBytes, sizeof name, name);
    if (error != 0) return error;
    const size_t length = strnlen(name, sizeof name);
    if (length == 0) break;
    names_.emplace_back(name, length);
  }
  return 0;
}

uint64_t DamageMap::Next(uint64_t sector) const { return NextIn(sectors_, sector); }
uint64_t DamageMap::NextHealed(uint64_t sector) const { return NextIn(healed_, sector); }

int DamageMap::Get(uint64_t sector, Entry& entry) const {
  return store_->CopyOut(PlaceOf(sector), sizeof entry, reinterpret_cast<char*>(&entry));
}

int DamageMap::WriteAction(uint64_t sector, uint8_t action) {
  return store_->Write(PlaceOf(sector) + offsetof(Entry, action), sizeof action, &action);
}

int DamageMap::ForgetBefore(uint64_t sector) {
  constexpr uint64_t kNone = 0;
  return store_->Write(PlaceOf(sector) + offsetof(Entry, before), sizeof kNone, &kNone);
}

bool DamageMap::MarkCounted(uint64_t sector) {
  Entry entry;
  if (!Has(sector) || Get(sector, entry) != 0 || entry.is_counted()) return false;
  return WriteAction(sector, static_cast<uint8_t>(entry.action | kCounted)) == 0;
}

int DamageMap::Put(uint64_t sector, const char* shows, const Entry& entry) {
  if (sector >= kDiskBytesMax / kSectorSize) return ENOSPC;
  const uint64_t page = sector / kSectorsPerPage;
  PageSectors& sectors = sectors_[page];  // first: it may have no memory
  int error = Contains(healed_, sector * kSectorSize) ? WriteAction(sector, 0) : 0;
  if (error == 0) error = store_->Write(sector * kSectorSize, kSectorSize, shows);
  Entry unsaid = entry;
  if ((sectors & BitOf(sector)) == 0) unsaid.action = 0;
  KillPoint("damage-stored");
  if (error == 0) error = store_->Write(PlaceOf(sector), sizeof unsaid, &unsaid);
  KillPoint("damage-entered");
  if (error == 0 && unsaid.action == 0) error = WriteAction(sector, entry.action);
  if (error != 0) {
    static_cast<void>(FreeIfEmpty(page));
    return error;
  }
  if ((sectors & BitOf(sector)) == 0) ++count_;
  sectors |= BitOf(sector);
  if (const auto it = healed_.find(page); it != healed_.end()) {
    it->second &= static_cast<PageSectors>(~BitOf(sector));
    if (it->second == 0) healed_.erase(it);
  }
  return 0;
}

int DamageMap::PutHealed(uint64_t sector, const char* shows, const Entry& entry) {
  if (sector >= kDiskBytesMax / kSectorSize) return ENOSPC;
  const uint64_t page = sector / kSectorsPerPage;
  PageSectors& healed = healed_[page];  // first: it may have no memory
  char there[kSectorSize];
  const bool same = (healed & BitOf(sector)) != 0 && Show(sector, there) == 0 &&
                    std::memcmp(there, shows, kSectorSize) == 0;
  Entry said = entry;
  const auto action = static_cast<uint8_t>(entry.action | kHealed);
  said.action = same ? action : 0;
  int error = same ? 0 : WriteAction(sector, 0);
  if (error == 0 && !same) error = store_->Write(sector * kSectorSize, kSectorSize, shows);
  if (error == 0) error = store_->Write(PlaceOf(sector), sizeof said, &said);
  KillPoint("damage-promised");
  if (error == 0 && !same) error = WriteAction(sector, action);
  if (error == 0) {
    healed |= BitOf(sector);
  } else {
    healed &= static_cast<PageSectors>(~BitOf(sector));
    static_cast<void>(FreeIfEmpty(page));
  }
  return error;
}

int DamageMap::Move(uint64_t sector, SectorMap& from, SectorMap& to, uint8_t mark) try {
  const uint64_t page = sector / kSectorsPerPage;
  const auto it = from.find(page);
  if (it == from.end() || (it->second & BitOf(sector)) == 0) return 0;
  PageSectors& there = to[page];  // first: it may have no memory
  Entry entry = {};
  int error = Get(sector, entry);
  const auto action = static_cast<uint8_t>((entry.action & ~kHealed) | mark);
  if (error == 0) error = WriteAction(sector, action);
  if (error != 0) {
    if (there == 0) to.erase(page);
    return error;
  }
  KillPoint("damage-moved");
  there |= BitOf(sector);
  it->second &= static_cast<PageSectors>(~BitOf(sector));
  if (it->second == 0) from.erase(it);
  count_ += mark == 0 ? 1 : -1;
  return 0;
} catch (const std::bad_alloc&) {
  return ENOMEM;
}

int DamageMap::Erase(uint64_t sector) {
  const uint64_t page = sector / kSectorsPerPage;
  SectorMap& map = Has(sector) ? sectors_ : healed_;
  const auto it = map.find(page);
  if (it == map.end() || (it->second & BitOf(sector)) == 0) return 0;
  if (const int error = WriteAction(sector, 0); error != 0) return error;
  KillPoint("damage-erased");
  it->second &= static_cast<PageSectors>(~BitOf(sector));
  if (&map == &sectors_) --count_;
  return FreeIfEmpty(page);
}

// Gives back what nothing lies in any more, of the page and of the entries that it lies among.
int DamageMap::FreeIfEmpty(uint64_t page) {
  for (SectorMap* const map : {&sectors_, &healed_}) {
    const auto it = map->find(page);
    if (it != map->end() && it->second == 0) map->erase(it);
  }
  if (sectors_.contains(page) || healed_.contains(page)) return 0;
  const int error = store_->Discard(page * kPageSize, kPageSize);
  const uint64_t first = page - page % (kPageSize / kEntriesOfPage);
  const auto has_none = [first](const SectorMap& map) {
    const auto next = map.lower_bound(first);
    return next == map.end() || next->first >= first + kPageSize / kEntriesOfPage;
  };
  const bool alone = has_none(sectors_) && has_none(healed_);
  const int entries = alone ? store_->Discard(kEntries + first * kEntriesOfPage, kPageSize) : 0;
  return error != 0 ? error : entries;
}

int DamageMap::NumberOf(std::string_view rule, uint32_t& number) {
  const auto found = std::find(names_.begin(), names_.end(), rule);
  number = static_cast<uint32_t>(found - names_.begin()) + 1;
  if (found != names_.end()) return 0;
  if (number >= kNamesMax) return ENOSPC;
  names_.emplace_back(rule);
  char name[kNameBytes] = {};
  rule.copy(name, sizeof name - 1);
  const int error = store_->Write(kNames + number * kNameBytes, sizeof name, name);
  if (error != 0) names_.pop_back();
  return error;
}

int DamageMap::SetLiar(const Liar& liar) {
  char place[kNameBytes] = {};
  liar.rule.copy(place, kNameBytes - sizeof liar.sequence - 1);
  std::memcpy(place + kNameBytes - sizeof liar.sequence, &liar.sequence, sizeof liar.sequence);
  return store_->Write(kNames, sizeof place, place);
}

DamageMap::Liar DamageMap::GetLiar() const {
  Liar liar;
  char place[kNameBytes] = {};
  if (store_->CopyOut(kNames, sizeof place, place) != 0) return liar;
  liar.rule = place;
  std::memcpy(&liar.sequence, place + kNameBytes - sizeof liar.sequence, sizeof liar.sequence);
  return liar;
}

std::string_view DamageMap::NameOf(uint32_t number) const {
  return number == 0 || number > names_.size() ? std::string_view() : names_[number - 1];
}

}  // namespace rnullfs
