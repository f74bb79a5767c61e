// What the fault rules of a disk say of a request.
//
// Thread safety: plain values, but for what is said.  Units: nanoseconds.
#ifndef RNULLFS_DEVICE_FAULT_VERDICT_H_
#define RNULLFS_DEVICE_FAULT_VERDICT_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "rnullfs/fault_rule.h"

namespace rnullfs {

// Where requests are held until a rule is off; the completion queue, which holds them, opens it.
struct HangGate {
  std::atomic<bool> open{false};
};

// A rule has fired for a request that is not answered yet.  Who takes over a disk takes back what
// was counted of such requests: they come again.
class PendingFault {
 public:
  // `pending` counts those of the rule; `owner` keeps it in place.
  PendingFault(std::atomic<uint64_t>& pending, std::shared_ptr<void> owner)
      : pending_(&pending), owner_(std::move(owner)) {
    pending_->fetch_add(1, std::memory_order_relaxed);
  }
  PendingFault(PendingFault&& other) noexcept
      : pending_(std::exchange(other.pending_, nullptr)), owner_(std::move(other.owner_)) {}
  PendingFault& operator=(PendingFault&& other) noexcept {
    std::swap(pending_, other.pending_);
    owner_.swap(other.owner_);
    return *this;
  }
  PendingFault(const PendingFault&) = delete;
  PendingFault& operator=(const PendingFault&) = delete;
  ~PendingFault() {
    if (pending_ != nullptr) pending_->fetch_sub(1, std::memory_order_relaxed);
  }

 private:
  std::atomic<uint64_t>* pending_;
  std::shared_ptr<void> owner_;
};

struct FaultVerdict {
  int error = 0;  // 0: it does not fail
  FaultMoment when = FaultMoment::kBefore;
  std::string rule = {};  // that makes it fail
  int64_t delay_nsec = 0;
  std::vector<std::shared_ptr<HangGate>> gates = {};  // all of them have to open
  std::vector<PendingFault> pending = {};

  bool fired() const { return !pending.empty(); }
  bool waits() const { return delay_nsec > 0 || !gates.empty(); }
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_FAULT_VERDICT_H_
