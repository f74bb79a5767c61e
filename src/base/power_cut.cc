#include "rnullfs/power_cut.h"

#include "base/mix.h"

namespace rnullfs {
namespace {

uint64_t Chance(uint64_t seed, uint64_t what) { return Mix(seed + what * kGoldenGamma); }

}  // namespace

bool PowerCut::KeepsChanged(uint64_t change, uint64_t sector) const {
  const uint64_t chance = Chance(seed, change);
  switch (keeps) {
    case CutKeeps::kNone:
      return false;
    case CutKeeps::kAll:
      return true;
    case CutKeeps::kRandom:
      return Scaled(chance, 2) == 0;
    case CutKeeps::kTorn:
      break;
  }
  const uint64_t fate = Scaled(chance, 3);  // kept, lost, or torn
  return fate == 2 ? Scaled(Chance(chance, sector / block_sectors), 2) == 0 : fate == 0;
}

bool PowerCut::KeepsCached(uint64_t sector) const {
  if (keeps == CutKeeps::kNone || keeps == CutKeeps::kAll) return keeps == CutKeeps::kAll;
  return Scaled(Chance(seed, sector / block_sectors), 2) == 0;
}

}  // namespace rnullfs
