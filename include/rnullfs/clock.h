// Time, injected: everything that waits or measures asks a Clock, so that tests need no real time.
//
// Thread safety: every Clock may be used from any thread.
// Units: nanoseconds since an arbitrary start (CLOCK_MONOTONIC for the real one).
#ifndef RNULLFS_CLOCK_H_
#define RNULLFS_CLOCK_H_

#include <cstdint>
#include <ctime>

namespace rnullfs {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t NowNsec() const = 0;

  // The time of day, for what stat shows.
  timespec WallTime() const;

  // The machine's clock.  Lives for ever.
  static const Clock& Real();
};

}  // namespace rnullfs

#endif  // RNULLFS_CLOCK_H_
