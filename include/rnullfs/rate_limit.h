// How much a disk does in a second at most: the value of `mbps` (MiB/s) and `iops` (requests/s).
//
// Thread safety: a plain value.
#ifndef RNULLFS_RATE_LIMIT_H_
#define RNULLFS_RATE_LIMIT_H_

#include <cstdint>

namespace rnullfs {

// 0 is no limit.  Either `both` is set, which reads and writes share as in null_blk, or each of
// them has its own.
struct RateLimit {
  uint32_t both = 0;
  uint32_t read = 0;
  uint32_t write = 0;

  bool any() const { return both != 0 || read != 0 || write != 0; }
  bool operator==(const RateLimit&) const = default;
};

}  // namespace rnullfs

#endif  // RNULLFS_RATE_LIMIT_H_
