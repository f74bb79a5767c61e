// How much may wait for its time: requests, and the memory of what they have read.
//
// The kernel has so many requests of a mount under way and no more; a disk whose requests take an
// hour must not have them all.  So one may have a quarter of what is free of those that are shared:
// alone it gets a fifth, n that want everything at once get 1/(n + 4) each (a dynamic threshold, as
// switches share their buffers).  And each may have a few whatever the others do, for which the
// rest is kept.
//
// Thread safety: all calls from any thread.  To ask and to add are two steps, so that as many
// requests as there are threads may come on top.
#ifndef RNULLFS_DEVICE_WAITING_H_
#define RNULLFS_DEVICE_WAITING_H_

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace rnullfs {

class Waiting {
 public:
  static constexpr uint64_t kRequestsMax = 65535;  // FUSE counts in 16 bits (max_background)
  static constexpr uint64_t kRequestsShared = 49152;
  static constexpr uint64_t kRequestsOwn = 256;
  static constexpr uint64_t kBytesShared = uint64_t{2} << 30;
  static constexpr uint64_t kBytesOwn = uint64_t{16} << 20;

  void Add(uint64_t bytes) {
    requests_.fetch_add(1, std::memory_order_relaxed);
    bytes_.fetch_add(bytes, std::memory_order_relaxed);
  }
  void Remove(uint64_t bytes) {
    requests_.fetch_sub(1, std::memory_order_relaxed);
    bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  }

  uint64_t requests() const { return requests_.load(std::memory_order_relaxed); }
  uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

  // The disk's wait no more: those that come end at once, with the error.
  void End(int error) { error_.store(error, std::memory_order_relaxed); }
  int error() const { return error_.load(std::memory_order_relaxed); }  // 0: they do wait

  // This is a mount's: whether a disk with `disk` may have one more, which holds `bytes`.
  bool LeavesRoomTo(const Waiting& disk, uint64_t bytes) const {
    return disk.requests() < std::max(kRequestsOwn, ShareOf(kRequestsShared, requests())) &&
           disk.bytes() + bytes <= std::max(kBytesOwn, ShareOf(kBytesShared, this->bytes()));
  }

 private:
  static uint64_t ShareOf(uint64_t most, uint64_t used) {
    return (most - std::min(most, used)) / 4;
  }

  std::atomic<uint64_t> requests_{0};
  std::atomic<uint64_t> bytes_{0};
  std::atomic<int> error_{0};
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_WAITING_H_
