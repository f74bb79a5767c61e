// Which sectors of a disk show something else than they have, and what, in memory that outlives the
// process.
//
//     offset in a page store of its own
//     0                       what a sector shows, at its place on the disk
//     2^61 + page x 256       of each of the page's sectors 32 bytes: what was done to it, by whom
//     2^62 + number x 128     names of rules; at number 0 that by which a flush was lost last
//
// What it shows is stored before it is said that it does: a process that dies in between leaves a
// sector that shows what it has.  One that has been healed by something that a power cut can take
// back is remembered until it cannot.
//
// Thread safety: shared to look, exclusive to change; that is the caller's lock (damage.h).
// Units: sectors of 512 bytes.  Errors: positive errno; ENOSPC when there is no memory.
#ifndef RNULLFS_DAMAGE_DAMAGE_MAP_H_
#define RNULLFS_DAMAGE_DAMAGE_MAP_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rnullfs/fault_rule.h"
#include "rnullfs/page_store.h"
#include "store/page_sectors.h"

namespace rnullfs {

class DamageMap {
 public:
  // Above it a disk can have no damage.
  static constexpr uint64_t kDiskBytesMax = uint64_t{1} << 61;

  static constexpr uint8_t kHealed = 0x80;
  static constexpr uint8_t kCounted = 0x40;  // among what has ever been damaged
  static constexpr uint8_t kCode = 0x0f;

  struct Entry {
    uint64_t sequence;  // of the newest change of the disk when it was made
    uint64_t truth;     // HashOf() what the disk has there
    uint64_t before;  // of what it had, if the same was shown there instead of that; 0: it was not
    uint32_t rule;    // the number of its name
    uint8_t action;   // kCode: a FaultAction, and 1 more; kHealed, kCounted; 0: there is nothing
    uint8_t reserved[3];

    bool is_counted() const { return (action & kCounted) != 0; }
    FaultAction fault_action() const { return static_cast<FaultAction>((action & kCode) - 1); }
    bool IsOf(uint64_t hash) const { return hash == truth || (before != 0 && hash == before); }
  };
  static_assert(sizeof(Entry) == 32);
  static uint64_t HashOf(const char* sector);

  static absl::StatusOr<std::unique_ptr<DamageMap>> Create(std::string_view name,
                                                           MemoryLimit& memory,
                                                           MemfdKeeper& keeper);
  // What a process left that is gone.
  static absl::StatusOr<std::unique_ptr<DamageMap>> Adopt(std::string_view name,
                                                          MemoryLimit& memory, MemfdKeeper& keeper,
                                                          UniqueFd memfd);
  void GiveBack() { store_->GiveBack(); }

  uint64_t count() const { return count_; }
  const SectorMap& sectors() const { return sectors_; }
  bool Has(uint64_t sector) const { return Contains(sectors_, sector * kSectorSize); }
  // The first one from `sector` on that it has; UINT64_MAX for none.
  uint64_t Next(uint64_t sector) const;

  int Show(uint64_t sector, char* to) const {
    return store_->CopyOut(sector * kSectorSize, kSectorSize, to);
  }
  int Get(uint64_t sector, Entry& entry) const;
  // The sector's, in the place of what it has, if any: that stays until this is there.
  int Put(uint64_t sector, const char* shows, const Entry& entry);
  // The same for what it would show if the power went, as if it had been healed; not of one that it
  // has.
  int PutHealed(uint64_t sector, const char* shows, const Entry& entry);
  // Forgets it, whether it is healed or not.
  int Erase(uint64_t sector);
  // It shows what it has, for now; and shows the other again.  ENOMEM.
  int Heal(uint64_t sector) { return Move(sector, sectors_, healed_, kHealed); }
  int Unheal(uint64_t sector) { return Move(sector, healed_, sectors_, 0); }
  uint64_t NextHealed(uint64_t sector) const;
  bool HasHealed(uint64_t sector) const { return Contains(healed_, sector * kSectorSize); }
  // False where it is counted already.
  bool MarkCounted(uint64_t sector);
  int ForgetBefore(uint64_t sector);

  // Has the entry say what was done, by which rule, and the disk's newest change then.
  int Name(FaultAction action, std::string_view rule, uint64_t sequence, Entry& entry);
  std::string_view NameOf(uint32_t number) const;

  // The rule by which a flush was lost last, and the disk's newest change then.
  struct Liar {
    std::string rule;
    uint64_t sequence = 0;
  };
  int SetLiar(const Liar& liar);
  Liar GetLiar() const;

 private:
  static constexpr uint64_t kPageSize = PageStore::kPageSize;
  static constexpr uint64_t kEntries = kDiskBytesMax;
  static constexpr uint64_t kEntriesOfPage = kSectorsPerPage * sizeof(Entry);
  static constexpr uint64_t kNames = uint64_t{1} << 62;
  static constexpr uint64_t kNameBytes = 128;
  static constexpr uint32_t kNamesMax = 1 << 20;
  static constexpr uint64_t kStoreBytes = kNames + kNamesMax * kNameBytes;
  static_assert(kEntriesOfPage == 256);

  explicit DamageMap(std::unique_ptr<PageStore> store) : store_(std::move(store)) {}
  static uint64_t PlaceOf(uint64_t sector) { return kEntries + sector * sizeof(Entry); }
  int Find();
  int FindEntries(uint64_t at);
  int FindNames();
  int WriteAction(uint64_t sector, uint8_t action);
  int NumberOf(std::string_view rule, uint32_t& number);
  int FreeIfEmpty(uint64_t page);
  int Move(uint64_t sector, SectorMap& from, SectorMap& to, uint8_t mark);

  const std::unique_ptr<PageStore> store_;
  SectorMap sectors_;
  SectorMap healed_;
  uint64_t count_ = 0;              // of sectors_
  std::vector<std::string> names_;  // number n is at n - 1
};

}  // namespace rnullfs

#endif  // RNULLFS_DAMAGE_DAMAGE_MAP_H_
