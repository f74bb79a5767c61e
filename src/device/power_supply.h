// Whether there is power: until it is cut for the disk, or for all of its mount at one moment.
//
// Thread safety: all calls from any thread.
#ifndef RNULLFS_DEVICE_POWER_SUPPLY_H_
#define RNULLFS_DEVICE_POWER_SUPPLY_H_

#include <atomic>

namespace rnullfs {

class PowerSupply {
 public:
  // `blackout`: all disks', which outlives it; null for none.
  explicit PowerSupply(const std::atomic<bool>* blackout)
      : blackout_(blackout == nullptr ? cut_ : *blackout) {}
  PowerSupply(const PowerSupply&) = delete;
  PowerSupply& operator=(const PowerSupply&) = delete;

  bool gone() const {
    return cut_.load(std::memory_order_acquire) || blackout_.load(std::memory_order_acquire);
  }
  void Cut() { cut_.store(true, std::memory_order_seq_cst); }

 private:
  std::atomic<bool> cut_{false};
  const std::atomic<bool>& blackout_;
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_POWER_SUPPLY_H_
