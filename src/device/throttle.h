// When may it start?  The limits of bandwidth and of requests: mbps, as null_blk has it
// (null_handle_throttled() in drivers/block/null_blk/main.c), and iops.
//
// null_blk spends a budget of bytes in each tick of 20 ms: what a tick does not use is lost, and a
// request that is larger than a tick's budget never passes.  Here each limit is a bucket with debt:
// every request passes, and is paid for at the rate before it, and what comes after it, starts.
//
//     paid   |---A---|---B---|------C------|                |-D-|
//            ^       ^       ^             ^    idle        ^   ^
//      A, B, C come  A       B starts      C starts   D comes   D starts
//                    starts
//
// At most 10 ms of idle time are credited, so that a client which asks a little late each time
// still gets its rate, and no burst is worth mentioning.
//
// Rates may change meanwhile; what has been taken keeps the time that it got.  At a higher rate the
// rest of the debt is paid sooner, and without a limit there is none; at a lower rate it is paid
// when it would have been, as it was taken at the old one.
//
// Nobody waits here: a request gets its time in the order of arrival, which is fair, and the
// completion queue waits.
//
// Thread safety: all calls from any thread.
// Units: nanoseconds of the caller's clock; bytes.
#ifndef RNULLFS_DEVICE_THROTTLE_H_
#define RNULLFS_DEVICE_THROTTLE_H_

#include <atomic>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "rnullfs/command.h"
#include "rnullfs/device_config.h"
#include "rnullfs/mutex.h"

namespace rnullfs {

// One limit.  Thread safety: as of a plain value.
class TokenBucket {
 public:
  static constexpr int64_t kCreditNsec = 10'000'000;
  static constexpr int64_t kNever = INT64_MAX / 2;  // something can still be added to it

  // `rate` units in a second; 0 is no limit.
  explicit TokenBucket(uint64_t rate) : rate_(rate) {}

  // Another rate for what comes from `now_nsec` on.
  void SetRate(uint64_t rate, int64_t now_nsec);

  // When `cost` units that are asked for at `now_nsec` have been paid for.
  int64_t Take(int64_t now_nsec, uint64_t cost);

 private:
  static constexpr int64_t kLongAgo = INT64_MIN / 2;

  uint64_t rate_;
  int64_t paid_nsec_ = kLongAgo;  // all that was taken is paid for then,
  uint64_t rest_ = 0;             // but for this part of a nanosecond, in 1 / rate
};

class Throttle {
 public:
  // `mbps` in MiB/s, of what reads and writes move; `iops` in requests/s: reads, writes, discards
  // and write-zeroes, the last two as writes.
  Throttle(const RateLimit& mbps, const RateLimit& iops);

  bool armed() const { return armed_.load(std::memory_order_relaxed); }

  // Other limits for what comes from `now_nsec` on.
  void Set(const RateLimit& mbps, const RateLimit& iops, int64_t now_nsec)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // When a request that comes at `now_nsec` may start.
  int64_t Start(Op op, uint64_t length, int64_t now_nsec) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // What reads and writes share, or has one for each.
  struct Buckets {
    Buckets(const RateLimit& limit, uint64_t unit)
        : both(limit.both * unit), read(limit.read * unit), write(limit.write * unit) {}
    void Set(const RateLimit& limit, uint64_t unit, int64_t now_nsec);
    int64_t Take(bool reads, int64_t now_nsec, uint64_t cost);
    TokenBucket both;
    TokenBucket read;
    TokenBucket write;
  };

  std::atomic<bool> armed_;
  Mutex mutex_;
  Buckets bytes_ ABSL_GUARDED_BY(mutex_);
  Buckets requests_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_THROTTLE_H_
