#include "device/throttle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <queue>
#include <thread>
#include <utility>
#include <vector>

namespace rnullfs {
namespace {

constexpr uint64_t kMib = uint64_t{1} << 20;
constexpr int64_t kUsec = 1'000;
constexpr int64_t kMsec = 1'000'000;
constexpr int64_t kSec = 1'000'000'000;
constexpr int64_t kCredit = TokenBucket::kCreditNsec;

// Units that `rate` makes in `nsec`.
double Made(uint64_t rate, int64_t nsec) {
  return static_cast<double>(rate) * static_cast<double>(nsec) / kSec;
}

// How many requests start within `nsec` when each of `depth` clients asks again 40 us after its
// last request has started.
template <typename StartFunction>
uint64_t Simulate(int depth, int64_t nsec, StartFunction start) {
  std::priority_queue<int64_t, std::vector<int64_t>, std::greater<>> asks;
  for (int client = 0; client < depth; ++client) asks.push(0);
  uint64_t started = 0;
  while (!asks.empty()) {
    const int64_t start_nsec = start(asks.top());
    asks.pop();
    if (start_nsec > nsec) continue;
    ++started;
    asks.push(start_nsec + 40 * kUsec);
  }
  return started;
}

TEST(TokenBucket, WithoutARateNothingWaits) {
  TokenBucket bucket(0);
  for (const uint64_t cost : {uint64_t{0}, uint64_t{1}, UINT64_MAX}) {
    EXPECT_EQ(bucket.Take(7, cost), 7) << cost;
  }
}

TEST(TokenBucket, CreditsAtMostTenMilliseconds) {
  for (const int64_t idle : {int64_t{0}, 9 * kMsec, 10 * kMsec, 11 * kMsec, 3600 * kSec}) {
    TokenBucket bucket(1'000'000);  // one in a microsecond
    EXPECT_EQ(bucket.Take(0, 10'000), 0) << "a new bucket is full";
    EXPECT_EQ(bucket.Take(idle, 10'001), idle + kUsec + std::max<int64_t>(0, kCredit - idle));
  }
}

TEST(TokenBucket, WhatIsLargeDelaysItselfAndTheNext) {
  TokenBucket bucket(1000);  // one in a millisecond; ten are in the bucket
  EXPECT_EQ(bucket.Take(0, 5000), 4990 * kMsec);
  EXPECT_EQ(bucket.Take(0, 1), 4991 * kMsec);
  EXPECT_EQ(bucket.Take(1000 * kMsec, 1), 4992 * kMsec);
}

TEST(TokenBucket, ALateAnswerCostsNoBandwidth) {
  TokenBucket bucket(1000);
  bucket.Take(0, 10);
  EXPECT_EQ(bucket.Take(0, 100), 100 * kMsec);
  EXPECT_EQ(bucket.Take(104 * kMsec, 10), 110 * kMsec) << "4 ms late, and made up for";
}

TEST(TokenBucket, NeverDriftsByANanosecond) {
  for (const uint64_t rate :
       {uint64_t{333}, uint64_t{1009}, 7 * kMib / 3, kMib, 999 * kMib, 4000 * kMib}) {
    for (const uint64_t cost : {uint64_t{1}, uint64_t{512}, uint64_t{4096}, kMib, 3 * kMib + 512}) {
      TokenBucket bucket(rate);
      int64_t last = 0;
      for (int i = 0; i < 10'000; ++i) last = bucket.Take(0, cost);
      const unsigned __int128 total = static_cast<unsigned __int128>(cost) * 10'000 * kSec;
      EXPECT_EQ(last, std::max<int64_t>(0, static_cast<int64_t>(total / rate) - kCredit))
          << cost << " at " << rate;
    }
  }
}

TEST(TokenBucket, SaturatesInsteadOfOverflowing) {
  for (const uint64_t rate : {uint64_t{1}, uint64_t{1000}}) {
    for (const int64_t now : {int64_t{0}, 1000 * kSec, TokenBucket::kNever}) {
      TokenBucket bucket(rate);
      for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(bucket.Take(now, UINT64_MAX), TokenBucket::kNever) << rate << " at " << now;
      }
      EXPECT_EQ(bucket.Take(now, 1), TokenBucket::kNever);
    }
  }
}

// What a bucket owes for 100 units at the old rate, in milliseconds, when it gets another one.
TEST(TokenBucket, AnotherRateCountsAtOnceForWhatItOwes) {
  const struct {
    uint64_t before;
    uint64_t after;
    int64_t paid_msec;
  } cases[] = {{1, 1, 99'990},      {1, 2, 49'995},  {1, 1000, 99},  {1, 0, -10},
               {1000, 1000, 90},    {1000, 1, 90},   {1000, 0, -10}, {0, 1000, -10},
               {1'000'000, 1, -10}, {1000, 3000, 30}};
  for (const auto& [before, after, paid_msec] : cases) {
    TokenBucket bucket(before);
    bucket.Take(0, 100);
    bucket.SetRate(after, 0);
    const int64_t own_msec = after == 0 ? 0 : 1'000'000 / static_cast<int64_t>(after);
    const int64_t expected_msec = after == 0 ? 0 : std::max<int64_t>(0, paid_msec + own_msec);
    EXPECT_EQ(bucket.Take(0, 1000) / kMsec, expected_msec) << before << " then " << after;
  }
}

TEST(TokenBucket, ARateThatStaysChangesNothing) {
  TokenBucket bucket(3);
  TokenBucket other(3);
  for (int i = 0; i < 100; ++i) {
    bucket.SetRate(3, i * kSec);
    EXPECT_EQ(bucket.Take(i * kMsec, 7), other.Take(i * kMsec, 7));
  }
}

TEST(TokenBucket, WithoutALimitItForgetsAndWithOneItBeginsAnew) {
  TokenBucket bucket(1);
  bucket.Take(0, 3600);
  bucket.SetRate(0, 0);
  EXPECT_EQ(bucket.Take(0, 1'000'000), 0);
  bucket.SetRate(1000, 5);
  EXPECT_EQ(bucket.Take(5, 10), 5) << "a new bucket is full";
  EXPECT_EQ(bucket.Take(5, 10), 5 + 10 * kMsec);
}

TEST(TokenBucket, AnotherRateDoesNotOverflow) {
  for (const uint64_t rate : {uint64_t{1}, uint64_t{UINT32_MAX} * kMib}) {
    TokenBucket bucket(1);
    bucket.Take(-kSec, UINT64_MAX);
    bucket.SetRate(rate, -kSec);
    EXPECT_LE(bucket.Take(0, UINT64_MAX), TokenBucket::kNever);
    bucket.SetRate(0, 0);
    EXPECT_EQ(bucket.Take(0, 1), 0);
  }
}

TEST(Throttle, TakesOtherLimits) {
  Throttle throttle({}, {});
  EXPECT_FALSE(throttle.armed());
  EXPECT_EQ(throttle.Start(Op::kWrite, 1000 * kMib, 0), 0);
  throttle.Set({.both = 1}, {}, 0);
  EXPECT_TRUE(throttle.armed());
  EXPECT_EQ(throttle.Start(Op::kWrite, 100 * kMib, 0), 100 * kSec - kCredit);
  // The other kind of limit owes nothing, and the first one is gone.
  throttle.Set({.read = 1, .write = 2}, {.both = 1000}, 0);
  EXPECT_EQ(throttle.Start(Op::kWrite, 2 * kMib, 0), kSec - kCredit);
  EXPECT_EQ(throttle.Start(Op::kRead, 2 * kMib, 0), 2 * kSec - kCredit);
  throttle.Set({}, {}, kMsec);
  EXPECT_FALSE(throttle.armed());
  EXPECT_EQ(throttle.Start(Op::kWrite, 100 * kMib, kMsec), kMsec);
}

TEST(Throttle, KeepsItsRateInBytes) {
  const struct {
    uint32_t mbps;
    uint64_t length;
    int depth;
  } cases[] = {{1, 512, 1},        {1, 4096, 1},      {1, kMib, 1},        {50, 4096, 1},
               {100, 65536, 1},    {4000, kMib, 1},   {1, 512, 32},        {1, kMib, 32},
               {100, 4096, 32},    {1000, 4096, 32},  {4000, 65536, 32},   {4000, kMib, 32},
               {100, 3 * kMib, 1}, {1, 5 * kMib, 32}, {4000, 32 * kMib, 1}};
  for (const auto& [mbps, length, depth] : cases) {
    Throttle throttle({.both = mbps}, {});
    const uint64_t requests = Simulate(depth, 2 * kSec, [&, length = length](int64_t now) {
      return throttle.Start(Op::kWrite, length, now);
    });
    const double expected = Made(mbps * kMib, 2 * kSec + kCredit) / static_cast<double>(length);
    EXPECT_LE(requests, expected + 1e-3) << mbps << " MiB/s, " << length << " x " << depth;
    EXPECT_GT(requests, expected - 1) << mbps << " MiB/s, " << length << " x " << depth;
  }
}

TEST(Throttle, KeepsItsRateInRequests) {
  for (const uint32_t iops : {1U, 99U, 1000U, 20'000U}) {
    for (const int depth : {1, 32}) {
      Throttle throttle({}, {.both = iops});
      const uint64_t requests = Simulate(depth, 2 * kSec, [&](int64_t now) {
        return throttle.Start(Op::kRead, 64 * kMib, now);  // their size does not matter
      });
      const double expected = Made(iops, 2 * kSec + kCredit);
      EXPECT_LE(requests, expected + 1e-3) << iops << " x " << depth;
      EXPECT_GT(requests, expected - 1) << iops << " x " << depth;
    }
  }
}

// When a second request starts after a first one that owes ten seconds, both asked for at 0.
int64_t SecondStart(const RateLimit& mbps, const RateLimit& iops, Op first, Op second) {
  Throttle throttle(mbps, iops);
  // Ten requests in credit at 1000/s; ten seconds more in bytes or in requests.
  for (int i = 0; i < 10'010; ++i) throttle.Start(first, kMib / 1000, 0);
  return throttle.Start(second, kMib / 1000, 0);
}

TEST(Throttle, LimitsWhatCounts) {
  const RateLimit none;
  const RateLimit shared_mbps{.both = 1};
  const RateLimit own_mbps{.read = 1, .write = 1};
  const RateLimit shared_iops{.both = 1000};
  const RateLimit own_iops{.read = 1000, .write = 1000};
  const struct {
    RateLimit mbps;
    RateLimit iops;
    Op first;
    Op second;
    bool waits;
  } cases[] = {
      {none, none, Op::kWrite, Op::kWrite, false},
      {shared_mbps, none, Op::kRead, Op::kWrite, true},
      {shared_mbps, none, Op::kWrite, Op::kRead, true},
      {own_mbps, none, Op::kRead, Op::kRead, true},
      {own_mbps, none, Op::kWrite, Op::kWrite, true},
      {own_mbps, none, Op::kRead, Op::kWrite, false},
      {own_mbps, none, Op::kWrite, Op::kRead, false},
      {{.read = 1}, none, Op::kWrite, Op::kWrite, false},
      {{.write = 1}, none, Op::kRead, Op::kRead, false},
      {shared_mbps, none, Op::kDiscard, Op::kWrite, false},
      {shared_mbps, none, Op::kWriteZeroes, Op::kWrite, false},
      {shared_mbps, none, Op::kFlush, Op::kWrite, false},
      {shared_mbps, none, Op::kAllocate, Op::kWrite, false},
      {shared_mbps, none, Op::kWrite, Op::kDiscard, false},
      {none, shared_iops, Op::kRead, Op::kWrite, true},
      {none, shared_iops, Op::kDiscard, Op::kRead, true},
      {none, shared_iops, Op::kWriteZeroes, Op::kRead, true},
      {none, shared_iops, Op::kFlush, Op::kWrite, false},
      {none, shared_iops, Op::kAllocate, Op::kWrite, false},
      {none, shared_iops, Op::kWrite, Op::kFlush, false},
      {none, shared_iops, Op::kWrite, Op::kAllocate, false},
      {none, own_iops, Op::kDiscard, Op::kWrite, true},
      {none, own_iops, Op::kWriteZeroes, Op::kDiscard, true},
      {none, own_iops, Op::kDiscard, Op::kRead, false},
      {none, own_iops, Op::kRead, Op::kDiscard, false},
      {{.both = 4000}, shared_iops, Op::kWrite, Op::kWrite, true},
      {shared_mbps, {.both = 1'000'000}, Op::kWrite, Op::kWrite, true},
  };
  int row = 0;
  for (const auto& [mbps, iops, first, second, waits] : cases) {
    const int64_t start = SecondStart(mbps, iops, first, second);
    if (!waits) {
      EXPECT_EQ(start, 0) << "row " << row;
    } else {
      EXPECT_NEAR(static_cast<double>(start), 10.0 * kSec, 0.01 * kSec) << "row " << row;
    }
    ++row;
  }
}

TEST(Throttle, IsArmedByAnyLimit) {
  EXPECT_FALSE(Throttle({}, {}).armed());
  for (const RateLimit& limit : {RateLimit{.both = 1}, {.read = 1}, {.write = 1}}) {
    EXPECT_TRUE(Throttle(limit, {}).armed());
    EXPECT_TRUE(Throttle({}, limit).armed());
  }
}

TEST(Throttle, TheLargestRateDoesNotWrap) {
  Throttle throttle({.both = UINT32_MAX}, {});
  EXPECT_EQ(throttle.Start(Op::kRead, kMib * (UINT32_MAX / 100), 0), 0) << "the credit";
  EXPECT_EQ(throttle.Start(Op::kRead, kMib * UINT32_MAX, 0) / kMsec, 999);
}

TEST(Throttle, TwoClientsGetEqualShares) {
  Throttle throttle({.both = 100}, {});
  int64_t asks[2] = {0, 0};
  uint64_t started[2] = {0, 0};
  for (;;) {
    const int client = asks[0] <= asks[1] ? 0 : 1;
    const int64_t start = throttle.Start(client == 0 ? Op::kRead : Op::kWrite, 65536, asks[client]);
    if (start > 2 * kSec) break;
    ++started[client];
    asks[client] = start + 40 * kUsec;
  }
  EXPECT_GT(started[0], 1500);
  EXPECT_NEAR(static_cast<double>(started[0]), static_cast<double>(started[1]), 1);
}

TEST(Throttle, ThreadsNeverGetTheSameTime) {
  constexpr int kThreads = 4;
  constexpr int kRequests = 2000;
  Throttle throttle({}, {.both = 1000});
  std::vector<int64_t> starts[kThreads];
  std::vector<std::thread> threads;
  for (auto& mine : starts) {
    threads.emplace_back([&throttle, &mine] {
      for (int i = 0; i < kRequests; ++i) mine.push_back(throttle.Start(Op::kRead, 1, -kCredit));
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<int64_t> all;
  for (const auto& mine : starts) {
    EXPECT_TRUE(std::is_sorted(mine.begin(), mine.end()));
    all.insert(all.end(), mine.begin(), mine.end());
  }
  std::sort(all.begin(), all.end());
  for (int i = 10; i < kThreads * kRequests; ++i) {  // the first ten are the credit
    ASSERT_EQ(all[i], (i + 1) * kMsec - 2 * kCredit);
  }
}

}  // namespace
}  // namespace rnullfs
