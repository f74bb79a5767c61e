#include "damage/harm.h"

#include <algorithm>
#include <bitset>

#include "base/fnv.h"
#include "base/mix.h"
#include "rnullfs/fault_rule.h"

namespace rnullfs {

bool Harm::Concerns(uint64_t sector) const {
  if (sectors.empty()) return true;
  return std::any_of(sectors.begin(), sectors.end(), [sector](const BadBlocks::Range& range) {
    return range.first <= sector && sector <= range.last;
  });
}

const Harm* Harms::At(uint64_t sector) const {
  const auto at = std::find_if(list.begin(), list.end(), [sector](const Harm& harm) {
    return harm.IsOfAll() || harm.Concerns(sector);
  });
  return at == list.end() ? nullptr : &*at;
}

uint64_t Harm::ArrivingCount() const {
  if (part != FaultPart::kRandom) return 1 + Scaled(draw, count() - 1);
  uint64_t arriving = 0;
  for (uint64_t sector = first; sector <= last; ++sector) arriving += Arrives(sector) ? 1 : 0;
  return arriving;
}

bool Harm::Arrives(uint64_t sector) const {
  const uint64_t at = sector - first;
  if (part == FaultPart::kFirst) return at < ArrivingCount();
  if (part == FaultPart::kLast) return at >= count() - ArrivingCount();
  const uint64_t does = Scaled(draw, count());
  const uint64_t does_not = (does + 1 + Scaled(Mix(draw), count() - 1)) % count();
  if (at == does || at == does_not) return at == does;
  return (Mix(draw + (at + 1) * kGoldenGamma) & 1) != 0;
}

// By whole pages, where chance has it: what file systems put to the wrong place is a block.
uint64_t Harm::Elsewhere(uint64_t sector) const {
  const uint64_t chance = op == kFaultRead ? seed : draw;
  const uint64_t pages = disk_sectors / kSectorsPerPage;
  uint64_t away = pages < 2 ? 0 : (1 + Scaled(Mix(chance), pages - 1)) * kSectorsPerPage;
  if (shift > 0) away = static_cast<uint64_t>(shift) % disk_sectors;
  if (shift < 0) away = disk_sectors - static_cast<uint64_t>(-shift) % disk_sectors;
  return (sector + away) % disk_sectors;
}

void Harm::Corrupt(uint64_t sector, char (&bytes)[kSectorSize]) const {
  uint64_t state = Mix(seed ^ Fnv1a(kFnvBasis, bytes, sizeof bytes)) + Mix(sector * kGoldenGamma);
  std::bitset<8 * kSectorSize> used;
  for (uint32_t made = 0; made < amount.count;) {
    state += kGoldenGamma;
    const uint64_t place = Scaled(Mix(state), amount.Most());
    if (used.test(place)) continue;
    used.set(place);
    ++made;
    const uint64_t other = amount.bytes ? 1 + Scaled(Mix(~state), 255) : uint64_t{1} << place % 8;
    char& byte = bytes[amount.bytes ? place : place / 8];
    byte = static_cast<char>(static_cast<unsigned char>(byte) ^ other);
  }
}

}  // namespace rnullfs
