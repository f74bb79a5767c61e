#include "rnullfs/clock.h"

#include <ctime>

namespace rnullfs {
namespace {

class RealClock : public Clock {
 public:
  int64_t NowNsec() const override {
    timespec now = {};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
  }
};

}  // namespace

timespec Clock::WallTime() const {
  timespec now = {};
  clock_gettime(CLOCK_REALTIME, &now);
  return now;
}

const Clock& Clock::Real() {
  static const RealClock clock;
  return clock;
}

}  // namespace rnullfs
