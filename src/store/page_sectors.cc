#include "store/page_sectors.h"

#include <bit>

#include "rnullfs/page_store.h"

namespace rnullfs {
namespace {

constexpr uint64_t kPageSize = PageStore::kPageSize;
static_assert(kSectorSize * kSectorsPerPage == kPageSize);

}  // namespace

PageSectors SectorsOf(uint64_t begin, uint64_t end) {
  const auto first = static_cast<int>(begin % kPageSize / kSectorSize);
  const auto last = static_cast<int>((end - 1) % kPageSize / kSectorSize);
  return static_cast<PageSectors>((1U << (last + 1)) - (1U << first));
}

int ForEachRun(uint64_t page, PageSectors sectors,
               absl::FunctionRef<int(uint64_t begin, uint64_t end)> run) {
  while (sectors != 0) {
    const int first = std::countr_zero(sectors);
    const int length = std::countr_one(static_cast<PageSectors>(sectors >> first));
    const uint64_t begin = page * kPageSize + first * kSectorSize;
    if (const int error = run(begin, begin + length * kSectorSize); error != 0) return error;
    sectors &= static_cast<PageSectors>(~(((1U << length) - 1) << first));
  }
  return 0;
}

bool Contains(const SectorMap& map, uint64_t offset) {
  const auto it = map.find(offset / kPageSize);
  return it != map.end() && (it->second & SectorsOf(offset, offset + 1)) != 0;
}

uint64_t NextContained(const SectorMap& map, uint64_t offset) {
  if (Contains(map, offset)) return offset;
  for (auto it = map.lower_bound(offset / kPageSize); it != map.end(); ++it) {
    for (int i = 0; i < kSectorsPerPage; ++i) {
      const uint64_t at = it->first * kPageSize + i * kSectorSize;
      if (at >= offset && (it->second >> i & 1) != 0) return at;
    }
  }
  return UINT64_MAX;
}

}  // namespace rnullfs
