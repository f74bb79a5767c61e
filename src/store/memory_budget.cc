#include "store/memory_budget.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "rnullfs/page_store.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {
namespace {

// The value of a line "Name:     123 kB", in bytes; 0 when there is none.
uint64_t Field(std::string_view meminfo, std::string_view name) {
  size_t begin = meminfo.find(name);
  if (begin != std::string_view::npos) begin = meminfo.find_first_not_of(' ', begin + name.size());
  if (begin == std::string_view::npos) return 0;
  uint64_t kib = 0;
  std::from_chars(meminfo.data() + begin, meminfo.data() + meminfo.size(), kib);
  return kib << 10;
}

}  // namespace

uint64_t AvailableMemory() {
  const UniqueFd file(open("/proc/meminfo", O_RDONLY | O_CLOEXEC));
  std::array<char, 4096> text;
  const ssize_t length = file.valid() ? read(file.get(), text.data(), text.size()) : -1;
  if (length <= 0) return UINT64_MAX;
  const std::string_view meminfo(text.data(), length);
  return Field(meminfo, "MemAvailable:") + Field(meminfo, "SwapFree:");
}

bool MemoryBudget::Has(uint64_t bytes) const {
  if (bytes == 0) return true;
  const uint64_t available = available_();
  return available >= kReserve && available - kReserve >= bytes;
}

bool MemoryBudget::Take(uint64_t bytes) {
  const LockGuard lock(mutex_);
  if (bytes > lease_) {
    const uint64_t available = available_();
    if (available < kReserve || available - kReserve < bytes) return false;
    // Leases shrink with what is left: many disks that hold one each can't overdraw it by much.
    lease_ = bytes + std::min(kLeaseMax, (available - kReserve - bytes) / 64);
  }
  lease_ -= bytes;
  return true;
}

}  // namespace rnullfs
