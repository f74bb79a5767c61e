// What a device refuses before it does anything, and what a user hears of requests that fail: a
// sentence for the first of a kind since another kind, so that a flood of one costs one.
//
// Thread safety: all calls from any thread.
// Errors: positive errno.
#ifndef RNULLFS_DEVICE_REFUSALS_H_
#define RNULLFS_DEVICE_REFUSALS_H_

#include <atomic>
#include <cstdint>
#include <utility>

#include "device/fault_verdict.h"
#include "device/live_config.h"
#include "rnullfs/command.h"
#include "rnullfs/device.h"

namespace rnullfs {

// Whether a disk takes discards, as null_blk has them.
inline bool TakesDiscards(const DeviceConfig& config) {
  return config.discard && config.memory_backed;
}

// Whether a direct command goes by the disk's blocks.
inline bool IsWhole(const DeviceConfig& config, const Command& command) {
  return ((command.offset | command.length) & (config.blocksize - 1)) == 0;
}

class Refusals {
 public:
  // Both configurations outlive it.
  Refusals(const DeviceConfig& config, const LiveConfig& live, Device::Complain complain)
      : config_(config), live_(live), complain_(std::move(complain)) {}

  // What is refused at once; as Device::Submit().  Cuts at the end what can be cut.
  int Check(Command& command);

  // What the store, and the list of bad blocks, say no to, and who may not wait beside `waiting`
  // that do.
  void ExplainError(int error, const Command& command);
  void ExplainBadSector(const Command& command);
  void ExplainBusy(uint64_t waiting);
  void ExplainFault(const FaultVerdict& verdict, const Command& command);

  // As Device's.
  void Forget() { complaint_.store(Complaint::kNone, std::memory_order_relaxed); }
  bool emulates_sectors() const { return emulates_sectors_.load(std::memory_order_relaxed); }

 private:
  enum class Complaint {
    kNone,
    kMisaligned,
    kNoDiscard,
    kPastEnd,
    kNoMemory,
    kBadSector,
    kBusy,
    kFault
  };
  template <typename Sentence>
  void Explain(Complaint kind, Sentence sentence);

  const DeviceConfig& config_;
  const LiveConfig& live_;
  const Device::Complain complain_;
  std::atomic<bool> emulates_sectors_{false};
  std::atomic<Complaint> complaint_{Complaint::kNone};  // what was said last
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_REFUSALS_H_
