#include "store/memory_account.h"

#include <algorithm>

namespace rnullfs {

bool MemoryAccount::Take(uint64_t bytes) {
  return limit_.Insist([&] {
    const LockGuard lock(mutex_);
    if (reserved_ == 0) {
      if (!limit_.Take(bytes)) return false;
      charged_ += bytes;
    }
    pending_ += bytes;
    return true;
  });
}

void MemoryAccount::Settle(uint64_t taken, Measure stored) {
  const LockGuard lock(mutex_);
  pending_ -= taken;
  Charge(std::max(reserved_, stored() + pending_));
}

bool MemoryAccount::Reserve(uint64_t bytes) {
  return limit_.Insist([&] {
    const LockGuard lock(mutex_);
    if (bytes > charged_) {
      if (!limit_.Reserve(bytes - charged_)) return false;
      charged_ = bytes;
    }
    reserved_ = bytes;
    return true;
  });
}

void MemoryAccount::ReserveAnyway(uint64_t bytes) {
  const LockGuard lock(mutex_);
  reserved_ = bytes;
  Charge(std::max(charged_, bytes));
}

void MemoryAccount::EndReservation(Measure stored) {
  const LockGuard lock(mutex_);
  reserved_ = 0;
  Charge(stored() + pending_);
}

bool MemoryAccount::Has(uint64_t bytes) const {
  return limit_.Insist([&] {
    const LockGuard lock(mutex_);
    return reserved_ != 0 || limit_.Has(bytes);
  });
}

bool MemoryAccount::CouldReserve(uint64_t bytes) const {
  return limit_.Insist([&] {
    const LockGuard lock(mutex_);
    return bytes <= charged_ || bytes - charged_ <= limit_.left_bytes();
  });
}

void MemoryAccount::Charge(uint64_t bytes) {
  if (bytes > charged_) limit_.Add(bytes - charged_);
  if (bytes < charged_) limit_.Give(charged_ - bytes);
  charged_ = bytes;
}

}  // namespace rnullfs
