#include "rnullfs/memory_limit.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <thread>
#include <utility>

namespace rnullfs {

uint64_t MemoryLimit::left_bytes() const {
  const uint64_t limit = limit_bytes();
  const uint64_t here = limit == kNone ? kNone : limit - std::min(limit, used_bytes());
  return whole_ == nullptr ? here : std::min(here, whole_->left_bytes());
}

bool MemoryLimit::ReserveHere(uint64_t bytes) {
  const uint64_t limit = limit_bytes();
  uint64_t used = used_bytes();
  do {
    if (used > limit || bytes > limit - used) return false;
  } while (!used_bytes_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
  return true;
}

bool MemoryLimit::Reserve(uint64_t bytes) {
  if (!ReserveHere(bytes)) return false;
  if (whole_ == nullptr || whole_->Reserve(bytes)) return true;
  GiveHere(bytes);
  return false;
}

bool MemoryLimit::Take(uint64_t bytes) {
  if (!ReserveHere(bytes)) return false;
  if (whole_ != nullptr ? whole_->Take(bytes) : TakeOnLease(bytes)) return true;
  GiveHere(bytes);
  return false;
}

bool MemoryLimit::TakeOnLease(uint64_t bytes) {
  const auto wanted = static_cast<int64_t>(bytes);
  if (lease_bytes_.fetch_sub(wanted, std::memory_order_relaxed) >= wanted) return true;
  lease_bytes_.fetch_add(wanted, std::memory_order_relaxed);
  return TakeFromMachine(bytes);
}

bool MemoryLimit::TakeFromMachine(uint64_t bytes) {
  const LockGuard lock(mutex_);
  const uint64_t spare = SpareBytes();
  if (spare < bytes) return false;
  // Leases shrink with what is left, lest those of several mounts overdraw it by much.
  lease_bytes_.store(static_cast<int64_t>(std::min(kLeaseMax, (spare - bytes) / 64)),
                     std::memory_order_relaxed);
  return true;
}

uint64_t MemoryLimit::SpareBytes() const {
  try {
    const uint64_t available = available_ == nullptr ? 0 : available_();
    return available - std::min(available, kSpared);
  } catch (const std::bad_alloc&) {  // there is not even the memory to ask
    return 0;
  }
}

void MemoryLimit::Watch(const void* who, std::function<Look()> look) {
  if (whole_ != nullptr) return whole_->Watch(who, std::move(look));
  const LockGuard lock(watched_mutex_);
  watched_[who] = std::move(look);
}

void MemoryLimit::Unwatch(const void* who) {
  if (whole_ != nullptr) return whole_->Unwatch(who);
  const LockGuard lock(watched_mutex_);
  watched_.erase(who);
}

bool MemoryLimit::LookAgain() {
  if (whole_ != nullptr) return whole_->LookAgain();
  constexpr int kLooks = 20;
  bool over = false;
  for (int i = 0; i < kLooks; ++i) {
    bool soon = false;
    {
      const LockGuard lock(watched_mutex_);
      std::erase_if(watched_, [&](const auto& watched) {
        const Look look = watched.second();
        soon = soon || look == Look::kLookAgainSoon;
        over = over || look == Look::kOver;
        return look == Look::kOver;
      });
    }
    if (!soon) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return over;
}

bool MemoryLimit::Has(uint64_t bytes) const {
  if (whole_ != nullptr && !whole_->Has(bytes)) return false;
  return bytes == 0 || (bytes <= left_bytes() && (whole_ != nullptr || bytes <= SpareBytes()));
}

}  // namespace rnullfs
