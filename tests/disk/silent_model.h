// A model of a disk whose rules do things silently, of which the power is cut and flushes are lost.
//
// Of a sector it has the truth and what is shown; of both, what the last true flush has covered;
// and which truth others have promised since.  A cut that keeps nothing leaves these.  The program
// remembers a note for each sector (docs/decisions.md): where that is not enough, what is shown
// after a cut is vague, and taken as it is.
#ifndef RNULLFS_TESTS_DISK_SILENT_MODEL_H_
#define RNULLFS_TESTS_DISK_SILENT_MODEL_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "silent_util.h"

namespace rnullfs {

inline constexpr uint64_t kSectors = kMiB / kSectorSize;

// All sectors of a disk, or of what it was.
class Sectors {
 public:
  std::string_view At(uint64_t i) const { return {&bytes[i * kSectorSize], kSectorSize}; }
  void Put(uint64_t i, std::string_view to) { bytes.replace(i * kSectorSize, kSectorSize, to); }
  uint64_t CountOther(const Sectors& than) const {
    uint64_t count = 0;
    for (uint64_t i = 0; i < kSectors; ++i) count += At(i) != than.At(i) ? 1 : 0;
    return count;
  }

  std::string bytes = std::string(kMiB, '\0');
};

// What has been done to a request.
struct Verdict {
  int error = 0;
  bool before = false;
  std::vector<const FaultRule*> harms = {};
  uint64_t detail = 0;  // of the harm, as its rule has noted it

  // What a sector of the request has come to; null: it has been written.
  const FaultRule* At(uint64_t sector, uint64_t first, uint64_t last) const {
    for (const FaultRule* const harm : harms) {
      if (harm->action == FaultAction::kCorrupt && !Concerns(*harm, sector)) continue;
      if (harm->action != FaultAction::kTorn) return harm;
      const bool begins = harm->torn == FaultPart::kFirst;
      return (begins ? sector - first : last - sector) < detail ? nullptr : harm;
    }
    return nullptr;
  }
  static bool Concerns(const FaultRule& rule, uint64_t sector) {
    return rule.sectors.empty() ||
           std::any_of(rule.sectors.begin(), rule.sectors.end(), [=](const auto& range) {
             return range.first <= sector && sector <= range.last;
           });
  }
  bool Is(FaultAction action) const { return !harms.empty() && harms[0]->action == action; }
  bool IsTold() const { return Is(FaultAction::kTorn) && !harms[0]->acknowledged; }
  bool DoesNothing() const { return error != 0 && before; }
};

class Model {
 public:
  bool damaged(uint64_t i) const { return shown.At(i) != truth.At(i); }
  // A sector that is written; `harm` has it not arrive as it is.
  void WriteSector(uint64_t i, std::string_view data, const FaultRule* harm,
                   std::string_view corrupted) {
    const bool was = damaged(i);
    truth.Put(i, data);
    const bool corrupt = harm != nullptr && harm->action == FaultAction::kCorrupt;
    if (harm == nullptr || corrupt) shown.Put(i, corrupt ? corrupted : data);
    if (was && !damaged(i)) ++healed;
    if (!was && damaged(i)) ++injected;
    if (damaged(i) && harm != nullptr) NoteDamage(i, /*lost=*/was && !corrupt);
  }
  // Others, which what was meant for these has gone to; all at once.
  void Misdirect(uint64_t first, uint64_t last, uint64_t away, std::string_view data,
                 const std::vector<bool>& before) {
    for (uint64_t i = first; i <= last; ++i) {
      const uint64_t at = (i + away) % kSectors;
      const bool within = first <= at && at <= last;
      const bool was = damaged(at);
      shown.Put(at, data);
      if (was && !damaged(at)) {
        // What this request would have damaged has never been.
        within && !before[at - first] ? --injected : ++otherwise;
      }
      if (!was && damaged(at)) ++injected;
      NoteDamage(at, /*lost=*/false);
    }
  }
  // A flush, or what counts as one.
  void Cover(uint64_t first = 0, uint64_t last = kSectors - 1) {
    for (uint64_t i = first; i <= last; ++i) {
      flushed.Put(i, truth.At(i));
      promised.Put(i, truth.At(i));
      showed.Put(i, shown.At(i));
      vague_[i] = lost_[i] = noted_[i] = false;
    }
  }
  // A flush that was lost.
  void Promise(bool cached) {
    promised = truth;
    for (uint64_t i = 0; cached && i < kSectors; ++i) {
      // Of a cache that is noted when it happens, as far as there is no other note.
      if (damaged(i)) vague_[i] = true;
      noted_[i] = truth.At(i) != flushed.At(i);
    }
  }
  void Heal(uint64_t first, uint64_t last) {
    for (uint64_t i = first; i <= last; ++i) {
      otherwise += damaged(i) ? 1 : 0;
      // What has been promised stays so, if there is no damage in its note.
      vague_[i] = noted_[i] && (vague_[i] || showed.At(i) != flushed.At(i));
      shown.Put(i, truth.At(i));
      showed.Put(i, flushed.At(i));
      lost_[i] = false;
    }
  }
  // What is vague is as in `is`.
  void Lose(const Sectors& is) {
    for (uint64_t i = 0; i < kSectors; ++i) {
      const bool was = damaged(i);
      truth.Put(i, promised.At(i));
      shown.Put(i, vague_[i] ? is.At(i) : showed.At(i));
      otherwise += was && !damaged(i) ? 1 : 0;
    }
    Cover();
  }

  Sectors truth, shown, flushed, showed, promised;
  uint64_t injected = 0;
  uint64_t healed = 0;
  uint64_t otherwise = 0;  // made whole, but not by being written to

 private:
  // What is damaged while it has what a cut would leave is so after the cut, too; and so is what
  // was damaged before, if writes to it have then been `lost`, but only once.
  void NoteDamage(uint64_t i, bool lost) {
    const bool left = truth.At(i) == flushed.At(i);
    if (noted_[i]) {
      vague_[i] = true;
    } else if (left && promised.At(i) == flushed.At(i)) {
      showed.Put(i, shown.At(i));
      vague_[i] = lost_[i] = noted_[i] = false;
    } else if (left || (showed.At(i) != flushed.At(i) && (!lost || lost_[i]))) {
      vague_[i] = true;
    } else {
      lost_[i] = true;
    }
  }

  std::vector<bool> vague_ = std::vector<bool>(kSectors);
  std::vector<bool> noted_ = std::vector<bool>(kSectors);
  std::vector<bool> lost_ = std::vector<bool>(kSectors);
};

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_DISK_SILENT_MODEL_H_
