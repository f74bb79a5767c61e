// What of a device's configuration may change while requests come.
//
// Each value is read where a request needs it: one that comes while several are changed may meet
// any of them before or after.  What comes when Set() has returned meets them all.
//
// Thread safety: all calls from any thread, Set() one at a time.
#ifndef RNULLFS_DEVICE_LIVE_CONFIG_H_
#define RNULLFS_DEVICE_LIVE_CONFIG_H_

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "rnullfs/device_config.h"

namespace rnullfs {

class LiveConfig {
 public:
  explicit LiveConfig(const DeviceConfig& config) { Set(config); }

  void Set(const DeviceConfig& config) {
    completion_.store(CompletionOf(config), std::memory_order_relaxed);
    io_timeout_msec_.store(static_cast<int64_t>(config.io_timeout), std::memory_order_relaxed);
    badblocks_once_.store(config.badblocks_once, std::memory_order_relaxed);
    badblocks_partial_io_.store(config.badblocks_partial_io, std::memory_order_relaxed);
    log_reads_.store(config.log_reads, std::memory_order_relaxed);
    shaped_.store(config.irqmode != IrqMode::kNone || config.mbps.any() || config.iops.any(),
                  std::memory_order_relaxed);
    // What is larger is there: whoever sees this may use it.
    size_bytes_.store(config.size << 20, std::memory_order_release);
  }

  // Whether irqmode, mbps or iops have something to say about a request.
  bool shaped() const { return shaped_.load(std::memory_order_relaxed); }
  uint64_t size_bytes() const { return size_bytes_.load(std::memory_order_acquire); }

  bool answers_inline() const { return completion_.load(std::memory_order_relaxed) == kInline; }
  // How long the disk works on a request; negative where it does not (irqmode).
  int64_t completion_nsec() const { return completion_.load(std::memory_order_relaxed); }

  int64_t io_timeout_nsec() const {
    return io_timeout_msec_.load(std::memory_order_relaxed) * 1'000'000;
  }
  bool badblocks_once() const { return badblocks_once_.load(std::memory_order_relaxed); }
  bool badblocks_partial_io() const {
    return badblocks_partial_io_.load(std::memory_order_relaxed);
  }
  bool log_reads() const { return log_reads_.load(std::memory_order_relaxed); }

 private:
  static constexpr int64_t kInline = -2;
  static constexpr int64_t kSoft = -1;
  static constexpr uint64_t kLongestNsec = INT64_MAX / 2;  // a time can still be added to it

  // In one, so that no request meets the mode of one change with the time of another.
  static int64_t CompletionOf(const DeviceConfig& config) {
    if (config.irqmode == IrqMode::kNone) return kInline;
    if (config.irqmode == IrqMode::kSoft) return kSoft;
    return static_cast<int64_t>(std::min(config.completion_nsec, kLongestNsec));
  }

  std::atomic<uint64_t> size_bytes_;
  std::atomic<int64_t> completion_;
  std::atomic<int64_t> io_timeout_msec_;
  std::atomic<bool> shaped_;
  std::atomic<bool> badblocks_once_;
  std::atomic<bool> badblocks_partial_io_;
  std::atomic<bool> log_reads_;
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_LIVE_CONFIG_H_
