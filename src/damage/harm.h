// What is silently done to the data of a request: to which of its sectors, and what these become.
//
// Everything is a function of the disk's seed, the rule and the request, so that the same requests
// are harmed alike.  What becomes of a sector that is read depends on its contents, and not on how
// often or with which others it is read: who tries again sees the same.
//
// Thread safety: plain values.
// Units: sectors of 512 bytes.
#ifndef RNULLFS_DAMAGE_HARM_H_
#define RNULLFS_DAMAGE_HARM_H_

#include <cstdint>
#include <string>
#include <vector>

#include "rnullfs/fault_rule.h"
#include "store/page_sectors.h"

namespace rnullfs {

inline bool IsOfAll(FaultAction action, uint8_t op) {
  return op != kFaultRead && action != FaultAction::kCorrupt;
}

struct Harm {
  FaultAction action = FaultAction::kLost;
  std::string rule = {};
  SectorRanges sectors = {};  // that the rule is for; empty: all
  // The request.
  uint8_t op = 0;  // of FaultOps, a bit
  uint64_t first = 0;
  uint64_t last = 0;
  uint64_t sequence = 0;  // of the newest change of the disk
  // Chance: of the rule, and of this request of those that it has seen.
  uint64_t seed = 0;
  uint64_t draw = 0;
  // As the rule has them.
  FaultPart part = FaultPart::kFirst;
  bool acknowledged = true;
  FaultAmount amount = {};
  int64_t shift = 0;
  bool stored = false;
  uint64_t disk_sectors = 0;

  uint64_t count() const { return last - first + 1; }
  // Whether it is done to the request as a whole, and not to some of its sectors.
  bool IsOfAll() const { return rnullfs::IsOfAll(action, op); }
  // Whether the rule is for a sector of the request.
  bool Concerns(uint64_t sector) const;
  // How many sectors arrive of a torn write, and whether this one does; at least one does, and one
  // does not.
  uint64_t ArrivingCount() const;
  bool Arrives(uint64_t sector) const;
  // Where a sector goes, or comes from, that is misdirected.
  uint64_t Elsewhere(uint64_t sector) const;
  // Makes of a sector's contents others.
  void Corrupt(uint64_t sector, char (&bytes)[kSectorSize]) const;
};

// What is done to one request: one thing to all of it, or something to each of some sectors.
struct Harms {
  std::vector<Harm> list = {};

  bool empty() const { return list.empty(); }
  // What is done to a sector, if anything: null.
  const Harm* At(uint64_t sector) const;
  // What is done to all of it; null: nothing is.
  const Harm* OfAll() const {
    return list.empty() || !list.front().IsOfAll() ? nullptr : &list.front();
  }
  // Whether a part of it is lost, and that is told.
  bool IsTold() const {
    return OfAll() != nullptr && OfAll()->action == FaultAction::kTorn && !OfAll()->acknowledged;
  }
};

}  // namespace rnullfs

#endif  // RNULLFS_DAMAGE_HARM_H_
