// A moment that is waited for, beside what poll(2) waits for.
//
// Thread safety: none; the guard has one thread.  Units: nanoseconds of Clock::Real().
#ifndef RNULLFS_GUARD_TIMER_H_
#define RNULLFS_GUARD_TIMER_H_

#include <algorithm>
#include <climits>
#include <cstdint>
#include <initializer_list>

#include "rnullfs/clock.h"

namespace rnullfs {

class Timer {
 public:
  void Set(int64_t after_nsec) { at_ = Clock::Real().NowNsec() + after_nsec; }
  void Clear() { at_ = kNever; }

  // Whether it has come; true once.
  bool Expired() {
    if (at_ == kNever || Clock::Real().NowNsec() < at_) return false;
    Clear();
    return true;
  }

  // For poll(): milliseconds until the first of them, -1 when none is set.
  static int MsecToFirst(std::initializer_list<const Timer*> timers) {
    int64_t first = kNever;
    for (const Timer* timer : timers) first = std::min(first, timer->at_);
    if (first == kNever) return -1;
    const int64_t left = std::max<int64_t>(first - Clock::Real().NowNsec(), 0);
    return static_cast<int>(std::min<int64_t>((left + 999'999) / 1'000'000, INT_MAX));
  }

 private:
  static constexpr int64_t kNever = INT64_MAX;
  int64_t at_ = kNever;
};

}  // namespace rnullfs

#endif  // RNULLFS_GUARD_TIMER_H_
