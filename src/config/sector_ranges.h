// Sets of ranges of sectors.
//
// Thread safety: pure functions.  Units: sectors of 512 bytes.
#ifndef RNULLFS_CONFIG_SECTOR_RANGES_H_
#define RNULLFS_CONFIG_SECTOR_RANGES_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "rnullfs/fault_rule.h"

namespace rnullfs {

// Makes a set of any ranges: in order, those that touch as one.
inline void Merge(SectorRanges& ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  size_t merged = 0;
  for (const BadBlocks::Range& range : ranges) {
    // The last sector that there could be has none behind it.
    const bool touches = merged > 0 && (range.first <= ranges[merged - 1].last ||
                                        range.first - ranges[merged - 1].last == 1);
    if (touches) {
      ranges[merged - 1].last = std::max(ranges[merged - 1].last, range.last);
    } else {
      ranges[merged++] = range;
    }
  }
  ranges.resize(merged);
}

// Whether one of the sectors is in the set.
inline bool Touch(const SectorRanges& ranges, uint64_t first, uint64_t last) {
  const auto at =
      std::partition_point(ranges.begin(), ranges.end(),
                           [&](const BadBlocks::Range& range) { return range.last < first; });
  return at != ranges.end() && at->first <= last;
}

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_SECTOR_RANGES_H_
