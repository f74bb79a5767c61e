// Parts of pages as a bit for each sector.
//
// Thread safety: no state; a map is the caller's.
// Units: bytes on the disk.
#ifndef RNULLFS_STORE_PAGE_SECTORS_H_
#define RNULLFS_STORE_PAGE_SECTORS_H_

#include <algorithm>
#include <cstdint>
#include <map>

#include "absl/functional/function_ref.h"

namespace rnullfs {

// Sectors of one page, the first in bit 0.
using PageSectors = uint8_t;

inline constexpr uint64_t kSectorSize = 512;
inline constexpr int kSectorsPerPage = 8;

inline uint64_t FirstSector(uint64_t offset) { return offset / kSectorSize; }
inline uint64_t LastSector(uint64_t end) { return (end - 1) / kSectorSize; }

// The part of a range that lies in a sector of which it has one.
struct SectorPart {
  SectorPart(uint64_t sector, uint64_t offset, uint64_t end)
      : begin(std::max(offset, sector * kSectorSize)),
        length(std::min(end, (sector + 1) * kSectorSize) - begin),
        within(begin % kSectorSize) {}
  uint64_t begin;
  uint64_t length;
  uint64_t within;  // the sector
};

// The sectors of which a range, within one page and not empty, has a part.
PageSectors SectorsOf(uint64_t begin, uint64_t end);

// Calls `run` with each run of sectors, as a range, until one returns an errno; which is returned,
// or 0.
int ForEachRun(uint64_t page, PageSectors sectors,
               absl::FunctionRef<int(uint64_t begin, uint64_t end)> run);

// Which sectors of a disk's pages there are, by the page's number; none of them 0.
using SectorMap = std::map<uint64_t, PageSectors>;

bool Contains(const SectorMap& map, uint64_t offset);
// The first byte from `offset` on that it contains; UINT64_MAX if there is none.
uint64_t NextContained(const SectorMap& map, uint64_t offset);

}  // namespace rnullfs

#endif  // RNULLFS_STORE_PAGE_SECTORS_H_
