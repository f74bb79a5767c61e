// The time of day as one number.
//
// Units: nanoseconds since 1970.
#ifndef RNULLFS_DISK_WALL_TIME_H_
#define RNULLFS_DISK_WALL_TIME_H_

#include <cstdint>
#include <ctime>

#include "rnullfs/clock.h"

namespace rnullfs {

inline int64_t WallNsec(const Clock& clock) {
  const timespec time = clock.WallTime();
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

}  // namespace rnullfs

#endif  // RNULLFS_DISK_WALL_TIME_H_
