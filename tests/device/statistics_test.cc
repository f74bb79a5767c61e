#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <thread>
#include <vector>

#include "rnullfs/device_counters.h"

namespace rnullfs {
namespace {

TEST(Statistics, StartAtZero) {
  const StatisticsSnapshot snapshot = DeviceCounters().statistics.Snapshot();
  EXPECT_EQ(snapshot.in_flight, 0);
  for (const OpStatistics& op : snapshot.ops) {
    EXPECT_EQ(op.requests, 0);
    EXPECT_EQ(op.bytes, 0);
    EXPECT_EQ(op.errors, 0);
  }
}

TEST(Statistics, CountEachOperationApart) {
  DeviceCounters counters;
  Statistics& statistics = counters.statistics;
  for (int i = 0; i < 5; ++i) statistics.Started();
  statistics.Finished(Op::kRead, 100, 0);
  statistics.Finished(Op::kRead, 50, 0);
  statistics.Finished(Op::kWrite, 100, EIO);
  statistics.Finished(Op::kAllocate, 7, 0);
  const StatisticsSnapshot snapshot = statistics.Snapshot();
  EXPECT_EQ(snapshot[Op::kRead].requests, 2);
  EXPECT_EQ(snapshot[Op::kRead].bytes, 150);
  EXPECT_EQ(snapshot[Op::kRead].errors, 0);
  EXPECT_EQ(snapshot[Op::kWrite].requests, 1);
  EXPECT_EQ(snapshot[Op::kWrite].bytes, 0) << "a failed request's bytes do not count";
  EXPECT_EQ(snapshot[Op::kWrite].errors, 1);
  EXPECT_EQ(snapshot[Op::kAllocate].bytes, 7);
  EXPECT_EQ(snapshot[Op::kFlush].requests, 0);
  EXPECT_EQ(snapshot.in_flight, 1);
}

TEST(Statistics, AreExactFromManyThreads) {
  constexpr uint64_t kThreads = 20;  // more than there are shards
  constexpr uint64_t kRequests = 2000;
  DeviceCounters counters;
  Statistics& statistics = counters.statistics;
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&statistics] {
      for (uint64_t request = 0; request < kRequests; ++request) {
        statistics.Started();
        statistics.Finished(Op::kWrite, 512, 0);
      }
    });
  }
  std::thread observer([&] {
    while (!done) EXPECT_LE(statistics.Snapshot().in_flight, kThreads * kRequests);
  });
  for (std::thread& thread : threads) thread.join();
  done = true;
  observer.join();
  const StatisticsSnapshot snapshot = statistics.Snapshot();
  EXPECT_EQ(snapshot[Op::kWrite].requests, kThreads * kRequests);
  EXPECT_EQ(snapshot[Op::kWrite].bytes, kThreads * kRequests * 512);
  EXPECT_EQ(snapshot.in_flight, 0);
}

}  // namespace
}  // namespace rnullfs
