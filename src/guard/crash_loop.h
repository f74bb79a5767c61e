// Whether workers die so often that another one would not help.
//
// Thread safety: as of a plain value.  Units: nanoseconds of any one clock.
#ifndef RNULLFS_GUARD_CRASH_LOOP_H_
#define RNULLFS_GUARD_CRASH_LOOP_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace rnullfs {

class CrashLoop {
 public:
  static constexpr size_t kDeaths = 5;
  static constexpr int64_t kWithinNsec = 10'000'000'000;

  // Notes a death; true when it is the last of kDeaths within kWithinNsec.
  bool Add(int64_t now_nsec) {
    const int64_t oldest = times_[next_];  // kDeaths - 1 deaths ago
    times_[next_] = now_nsec;
    next_ = (next_ + 1) % times_.size();
    if (deaths_ < kDeaths) ++deaths_;
    return deaths_ == kDeaths && now_nsec - oldest <= kWithinNsec;
  }

 private:
  std::array<int64_t, kDeaths - 1> times_ = {};
  size_t next_ = 0;
  size_t deaths_ = 0;
};

}  // namespace rnullfs

#endif  // RNULLFS_GUARD_CRASH_LOOP_H_
