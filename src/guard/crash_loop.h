// Whether workers die of what they take over, so that another one would not help, and how long the
// next one is to wait.  What tells is progress: a worker that has answered something, or that was
// asked for nothing, may die as often as somebody kills it.  How quickly they die says nothing:
// one may be killed each second, and another may take five to find what it dies of.
//
// Thread safety: as of a plain value.  Units: nanoseconds.
#ifndef RNULLFS_GUARD_CRASH_LOOP_H_
#define RNULLFS_GUARD_CRASH_LOOP_H_

#include <algorithm>
#include <cstdint>
#include <optional>

namespace rnullfs {

class CrashLoop {
 public:
  // With these pauses it is given up after a quarter of a minute, if workers die at once.
  static constexpr unsigned kDeathsMax = 64;
  static constexpr int64_t kFirstPauseNsec = 10'000'000;
  static constexpr int64_t kPauseMaxNsec = 250'000'000;

  explicit CrashLoop(unsigned deaths_max = kDeathsMax) : deaths_max_(deaths_max) {}

  // Notes a death: how long to wait before another worker; nothing when it is the last of
  // deaths_max in a row without progress.
  std::optional<int64_t> Died(bool progress) {
    deaths_ = progress ? 0 : deaths_ + 1;
    if (deaths_ >= deaths_max_) return std::nullopt;
    if (deaths_ < 2) return 0;
    return std::min(kFirstPauseNsec << std::min(deaths_ - 2, 30U), kPauseMaxNsec);
  }

 private:
  unsigned deaths_max_;
  unsigned deaths_ = 0;  // in a row, without progress
};

}  // namespace rnullfs

#endif  // RNULLFS_GUARD_CRASH_LOOP_H_
