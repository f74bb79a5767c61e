// What a device is told to be: one value per attribute of null_blk and rnull, but for what requests
// change (settings.h).
//
// Names and defaults are rnull's (drivers/block/rnull/configfs.rs); attributes.h says what each
// accepts.  Thread safety: plain values.
#ifndef RNULLFS_DEVICE_CONFIG_H_
#define RNULLFS_DEVICE_CONFIG_H_

#include <cstdint>

#include "rnullfs/power_cut.h"

namespace rnullfs {

// When a request completes (the kernel's irqmode).
enum class IrqMode : uint8_t {
  kNone = 0,   // inline, by the thread that brought it
  kSoft = 1,   // at once, from another context
  kTimer = 2,  // completion_nsec after it was submitted
};

// Who serves reads and writes of the disk (ours; the kernel's drivers have nothing like it).
enum class DataPath : uint8_t {
  kAuto = 0,         // passthrough where it is possible, else the daemon
  kPassthrough = 1,  // the kernel, by itself, from the disk's memfd
  kDaemon = 2,       // this process
};

// How much a disk does in a second at most: MiB of `mbps`, requests of `iops`.  0 is no limit.
// Either `both` is set, which reads and writes share as in null_blk, or each of them has its own.
struct RateLimit {
  uint32_t both = 0;
  uint32_t read = 0;
  uint32_t write = 0;

  bool any() const { return both != 0 || read != 0 || write != 0; }
  bool operator==(const RateLimit&) const = default;
};

// What decides whether a request fails on purpose: the kernel's fault_attr (include/linux/
// fault-inject.h), with its defaults.
struct FaultAttr {
  static constexpr int64_t kUnlimited = -1;

  int64_t probability = 0;  // percent
  int64_t interval = 1;     // of the requests that get so far, every how-manieth may fail
  int64_t times = 1;        // how many may fail; kUnlimited
  int64_t space = 0;        // how many pass before the first may fail
  int64_t verbose = 2;      // how much the kernel would log

  bool operator==(const FaultAttr&) const = default;
};

// What is left of it, which is what the files show (settings.h).
struct FaultLeft {
  int64_t times = 1;
  int64_t space = 0;

  bool operator==(const FaultLeft&) const = default;
};

// Of what nothing has been used.
inline FaultLeft Whole(const FaultAttr& attr) { return {.times = attr.times, .space = attr.space}; }

// Whether any request can fail.
inline bool Armed(const FaultAttr& attr, const FaultLeft& left) {
  return attr.probability != 0 && left.times != 0;
}

struct DeviceConfig {
  bool power = false;
  uint32_t blocksize = 4096;  // bytes, a power of two in 512..4096
  uint64_t size = 4096;       // MiB
  bool rotational = false;
  IrqMode irqmode = IrqMode::kNone;
  uint64_t completion_nsec = 10'000;
  bool memory_backed = false;
  DataPath datapath = DataPath::kAuto;
  uint32_t submit_queues = 1;
  bool use_per_node_hctx = false;
  bool discard = false;
  bool blocking = false;
  bool shared_tags = false;
  bool shared_tag_bitmap = false;
  bool no_sched = false;
  bool virt_boundary = false;
  uint32_t poll_queues = 0;
  int32_t home_node = -1;
  uint32_t hw_queue_depth = 64;
  uint32_t max_sectors = 0;  // 0: no limit
  bool badblocks_once = false;
  bool badblocks_partial_io = false;
  uint64_t cache_size = 0;  // MiB; 0: no cache
  bool fua = true;
  RateLimit mbps = {};  // MiB/s
  bool zoned = false;
  uint32_t index = 0;
  uint32_t queue_mode = 2;
  FaultAttr timeout_inject = {};
  FaultAttr requeue_inject = {};
  FaultAttr init_hctx_fault_inject = {};
  RateLimit iops = {};           // requests/s
  uint64_t history = 0;          // MiB of old contents
  uint64_t store_limit = 0;      // MiB; 0: none
  uint64_t seed = 0;             // 0: another one at each power-on
  uint64_t io_timeout = 30'000;  // ms
  CutKeeps cut_keeps = CutKeeps::kNone;
  bool log_reads = false;
  bool log_fua = false;
  uint32_t atomic = 0;  // bytes; 0: blocksize

  uint32_t atomic_bytes() const { return atomic == 0 ? blocksize : atomic; }
  bool wants_cache() const { return memory_backed && cache_size != 0; }
  // UINT64_MAX for no limit.
  uint64_t store_limit_bytes() const {
    return store_limit == 0 || store_limit > UINT64_MAX >> 20 ? UINT64_MAX : store_limit << 20;
  }

  bool operator==(const DeviceConfig&) const = default;
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_CONFIG_H_
