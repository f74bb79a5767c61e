#include "device/fault_injection.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace rnullfs {
namespace {

constexpr int64_t kRequestSize = 1;

// Never below 0; what is below 0 from the start, kUnlimited above all, stays.
int64_t Left(int64_t written, const std::atomic<uint64_t>& used) {
  const uint64_t count = used.load(std::memory_order_relaxed);
  if (std::cmp_less(count, written)) return written - static_cast<int64_t>(count);
  return std::min(written, int64_t{0});
}

uint64_t Count(std::atomic<uint64_t>& counter) {
  return counter.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

FaultLeft LeftOf(const FaultAttr& written, const FaultCounters& counters) {
  return {.times = Left(written.times, counters.failed),
          .space = Left(written.space, counters.passed)};
}

void Restart(FaultCounters& counters) {
  counters.passed.store(0, std::memory_order_relaxed);
  counters.asked.store(0, std::memory_order_relaxed);
  counters.failed.store(0, std::memory_order_relaxed);
}

void FaultInjection::Restart(const FaultAttr& written) {
  const LockGuard<Mutex> lock(mutex_);
  rnullfs::Restart(counters_);
  written_ = written;
  armed_.store(Armed(written, Whole(written)), std::memory_order_relaxed);
}

bool FaultInjection::ShouldFail() {
  if (!armed()) return false;
  const LockGuard<Mutex> lock(mutex_);
  const FaultLeft left = LeftOf(written_, counters_);
  if (!Armed(written_, left)) return false;  // another request was the last to fail
  if (left.space > kRequestSize) {
    Count(counters_.passed);
    return false;
  }
  if (written_.interval > 1 &&
      Count(counters_.asked) % static_cast<uint64_t>(written_.interval) != 0) {
    return false;
  }
  if (std::cmp_less_equal(written_.probability, random_.Below(100))) return false;
  Count(counters_.failed);
  if (left.times == 1) armed_.store(false, std::memory_order_relaxed);
  return true;
}

}  // namespace rnullfs
