#include "store/stripe_locks.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>
#include <vector>

namespace rnullfs {
namespace {

uint32_t Slowly(uint64_t first, uint64_t last) {
  uint32_t stripes = 0;
  for (uint64_t page = first; page <= last; ++page) stripes |= uint32_t{1} << (page >> 5 & 31);
  return stripes;
}

TEST(StripeLocks, StripesOfARange) {
  EXPECT_EQ(StripeLocks::StripesOf(0, 0), 1);
  EXPECT_EQ(StripeLocks::StripesOf(0, 31), 1);
  EXPECT_EQ(StripeLocks::StripesOf(31, 32), 3);
  EXPECT_EQ(StripeLocks::StripesOf(31 * 32, 32 * 32), uint32_t{1} << 31 | 1);
  EXPECT_EQ(StripeLocks::StripesOf(0, 31 * 32 - 1), ~uint32_t{0} >> 1);
  EXPECT_EQ(StripeLocks::StripesOf(0, 32 * 32 - 1), ~uint32_t{0});
  EXPECT_EQ(StripeLocks::StripesOf(5, uint64_t{1} << 51), ~uint32_t{0});
}

TEST(StripeLocks, StripesOfEveryStartAndLength) {
  for (uint64_t first = 0; first < 35 * 32; first += 5) {
    for (const uint64_t length : {1, 2, 32, 33, 100, 991, 992, 993, 1000, 1024, 1025, 3000}) {
      ASSERT_EQ(StripeLocks::StripesOf(first, first + length - 1),
                Slowly(first, first + length - 1))
          << first << " + " << length;
    }
  }
}

// Ranges of all lengths, in all orders round the ring: a wrong order would end in a deadlock, a
// missing lock in a lost count (and TSan's report).
TEST(StripeLocks, KeepOverlappingRangesApart) {
  constexpr uint64_t kPages = 2048;
  StripeLocks locks;
  std::vector<int> counts(kPages);
  constexpr int kThreads = 4;
  std::vector<std::thread> threads;
  for (int seed = 0; seed < kThreads; ++seed) {
    threads.emplace_back([&locks, &counts, seed] {
      std::mt19937 random(seed);
      for (int step = 0; step < 2000; ++step) {
        const uint64_t middle = kPages / 2;
        const uint64_t first = middle - random() % middle;
        const uint64_t last = middle + random() % middle;
        const StripeLocks::Exclusive lock(locks, first, last);
        ++counts[middle];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counts[kPages / 2], kThreads * 2000);
}

TEST(StripeLocks, ReadersShare) {
  StripeLocks locks;
  const StripeLocks::Shared lock(locks, 0, 100);
  std::thread([&locks] { const StripeLocks::Shared beside(locks, 50, 150); }).join();
}

}  // namespace
}  // namespace rnullfs
