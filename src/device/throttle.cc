#include "device/throttle.h"

#include <algorithm>

namespace rnullfs {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kNsecPerSec = 1'000'000'000;

}  // namespace

void TokenBucket::SetRate(uint64_t rate, int64_t now_nsec) {
  if (rate == rate_) return;
  if (rate == 0) {
    paid_nsec_ = kLongAgo;
  } else if (rate > rate_ && paid_nsec_ > now_nsec) {
    const auto owed_nsec = static_cast<unsigned __int128>(paid_nsec_ - now_nsec);
    paid_nsec_ = now_nsec + static_cast<int64_t>(owed_nsec * rate_ / rate);
  }
  rest_ = 0;
  rate_ = rate;
}

int64_t TokenBucket::Take(int64_t now_nsec, uint64_t cost) {
  if (rate_ == 0) return now_nsec;
  if (paid_nsec_ < now_nsec - kCreditNsec) {
    paid_nsec_ = now_nsec - kCreditNsec;
    rest_ = 0;
  }
  const unsigned __int128 owed = static_cast<unsigned __int128>(cost) * kNsecPerSec + rest_;
  const unsigned __int128 nsec = owed / rate_;
  rest_ = static_cast<uint64_t>(owed % rate_);
  const int64_t longest = kNever - std::min(paid_nsec_, kNever);
  paid_nsec_ = nsec < static_cast<unsigned __int128>(longest)
                   ? paid_nsec_ + static_cast<int64_t>(nsec)
                   : kNever;
  return std::max(now_nsec, paid_nsec_);
}

Throttle::Throttle(const RateLimit& mbps, const RateLimit& iops)
    : armed_(mbps.any() || iops.any()), bytes_(mbps, kMiB), requests_(iops, 1) {}

void Throttle::Buckets::Set(const RateLimit& limit, uint64_t unit, int64_t now_nsec) {
  both.SetRate(limit.both * unit, now_nsec);
  read.SetRate(limit.read * unit, now_nsec);
  write.SetRate(limit.write * unit, now_nsec);
}

void Throttle::Set(const RateLimit& mbps, const RateLimit& iops, int64_t now_nsec) {
  const LockGuard lock(mutex_);
  bytes_.Set(mbps, kMiB, now_nsec);
  requests_.Set(iops, 1, now_nsec);
  armed_.store(mbps.any() || iops.any(), std::memory_order_relaxed);
}

int64_t Throttle::Buckets::Take(bool reads, int64_t now_nsec, uint64_t cost) {
  TokenBucket& own = reads ? read : write;
  return std::max(both.Take(now_nsec, cost), own.Take(now_nsec, cost));
}

int64_t Throttle::Start(Op op, uint64_t length, int64_t now_nsec) {
  if (!armed() || op == Op::kFlush || op == Op::kAllocate) return now_nsec;
  const bool reads = op == Op::kRead;
  const LockGuard lock(mutex_);
  int64_t start_nsec = requests_.Take(reads, now_nsec, 1);
  if (reads || op == Op::kWrite) {
    start_nsec = std::max(start_nsec, bytes_.Take(reads, now_nsec, length));
  }
  return start_nsec;
}

}  // namespace rnullfs
