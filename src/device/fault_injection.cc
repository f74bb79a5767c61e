#include "device/fault_injection.h"

#include <cstdint>
#include <utility>

namespace rnullfs {
namespace {

constexpr int64_t kRequestSize = 1;

}  // namespace

FaultLeft LeftOf(const FaultCounters& counters) {
  return {.times = counters.times.load(std::memory_order_relaxed),
          .space = counters.space.load(std::memory_order_relaxed)};
}

void Restart(FaultCounters& counters, const FaultLeft& left) {
  counters.times.store(left.times, std::memory_order_relaxed);
  counters.space.store(left.space, std::memory_order_relaxed);
  counters.asked.store(0, std::memory_order_relaxed);
  counters.failed.store(0, std::memory_order_relaxed);
}

void FaultInjection::Set(const FaultAttr& attr) {
  const LockGuard<Mutex> lock(mutex_);
  SetLocked(attr);
}

void FaultInjection::Restart(const FaultAttr& attr, const FaultLeft* left) {
  const LockGuard<Mutex> lock(mutex_);
  rnullfs::Restart(counters_, left != nullptr ? *left : LeftOf(counters_));
  SetLocked(attr);
}

void FaultInjection::SetLocked(const FaultAttr& attr) {
  attr_ = attr;
  armed_.store(Armed(attr_, LeftOf(counters_)), std::memory_order_relaxed);
}

bool FaultInjection::ShouldFail() {
  if (!armed()) return false;
  const LockGuard<Mutex> lock(mutex_);
  const FaultLeft left = LeftOf(counters_);
  if (!Armed(attr_, left)) return false;  // another request was the last to fail
  if (left.space > kRequestSize) {
    counters_.space.store(left.space - kRequestSize, std::memory_order_relaxed);
    return false;
  }
  if (attr_.interval > 1) {
    const uint64_t asked = counters_.asked.fetch_add(1, std::memory_order_relaxed) + 1;
    if (asked % static_cast<uint64_t>(attr_.interval) != 0) return false;
  }
  if (std::cmp_less_equal(attr_.probability, random_.Below(100))) return false;
  counters_.failed.fetch_add(1, std::memory_order_relaxed);
  if (left.times > 0) counters_.times.store(left.times - 1, std::memory_order_relaxed);
  if (left.times == 1) armed_.store(false, std::memory_order_relaxed);
  return true;
}

}  // namespace rnullfs
