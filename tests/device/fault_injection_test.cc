#include "device/fault_injection.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace rnullfs {
namespace {

constexpr int64_t kUnlimited = FaultAttr::kUnlimited;

FaultAttr Attr(int64_t probability, int64_t interval, int64_t times, int64_t space) {
  return {probability, interval, times, space, 2};
}

// All that outlives a process, and the two that do not.
struct Injected {
  explicit Injected(uint64_t seed) : Injected(FaultAttr(), seed) {}
  Injected(const FaultAttr& attr, uint64_t seed) : injection(attr, counters, random) {
    random.Start(seed, Clock::Real());
  }

  DeviceCounters all;
  FaultCounters& counters = all.timeout;
  Random random{all.random};
  FaultInjection injection;
};

// A letter for each request: does it fail (x) or not (.)?
std::string Outcomes(FaultInjection& injection, int requests) {
  std::string outcomes;
  for (int i = 0; i < requests; ++i) outcomes += injection.ShouldFail() ? 'x' : '.';
  return outcomes;
}

TEST(FaultInjection, DecidesInTheKernelsOrder) {
  // Below 100, seed 42 draws 74 15 27 34 3 86 21 80 33 61 20 49 51 52 66 20 10 49 9 68; seed
  // 1234567 draws one 0, as its 18th.
  const struct {
    FaultAttr attr;
    uint64_t seed;
    std::string_view outcomes;
    int64_t times;  // what is left
    int64_t space;
    uint64_t drawn;
  } cases[] = {
      // No probability, or no times: nothing else is asked, and nothing counted.
      {FaultAttr(), 42, "....................", 1, 0, 0},
      {Attr(0, 3, kUnlimited, 5), 42, "....................", kUnlimited, 5, 0},
      {Attr(100, 3, 0, 5), 42, "....................", 0, 5, 0},
      // All fail, or as many as may.
      {Attr(100, 1, kUnlimited, 0), 42, "xxxxxxxxxxxxxxxxxxxx", kUnlimited, 0, 20},
      {Attr(100, 1, 1, 0), 42, "x...................", 0, 0, 1},
      {Attr(100, 1, 19, 0), 42, "xxxxxxxxxxxxxxxxxxx.", 0, 0, 19},
      {Attr(100, 1, 21, 0), 42, "xxxxxxxxxxxxxxxxxxxx", 1, 0, 20},
      {Attr(101, 1, kUnlimited, 0), 42, "xxxxxxxxxxxxxxxxxxxx", kUnlimited, 0, 20},
      // Space lets one less pass than it says; the last one is never used up.
      {Attr(100, 1, kUnlimited, 1), 42, "xxxxxxxxxxxxxxxxxxxx", kUnlimited, 1, 20},
      {Attr(100, 1, kUnlimited, 2), 42, ".xxxxxxxxxxxxxxxxxxx", kUnlimited, 1, 19},
      {Attr(100, 1, kUnlimited, 3), 42, "..xxxxxxxxxxxxxxxxxx", kUnlimited, 1, 18},
      {Attr(100, 1, kUnlimited, 20), 42, "...................x", kUnlimited, 1, 1},
      {Attr(100, 1, kUnlimited, 100), 42, "....................", kUnlimited, 80, 0},
      {Attr(100, 1, 2, 3), 42, "..xx................", 0, 1, 2},
      // One of so many of those that space has not let pass.
      {Attr(100, 0, kUnlimited, 0), 42, "xxxxxxxxxxxxxxxxxxxx", kUnlimited, 0, 20},
      {Attr(100, 2, kUnlimited, 0), 42, ".x.x.x.x.x.x.x.x.x.x", kUnlimited, 0, 10},
      {Attr(100, 3, kUnlimited, 0), 42, "..x..x..x..x..x..x..", kUnlimited, 0, 6},
      {Attr(100, 20, kUnlimited, 0), 42, "...................x", kUnlimited, 0, 1},
      {Attr(100, 21, kUnlimited, 0), 42, "....................", kUnlimited, 0, 0},
      {Attr(100, 3, kUnlimited, 3), 42, "....x..x..x..x..x..x", kUnlimited, 1, 6},
      {Attr(100, 4, 2, 0), 42, "...x...x............", 0, 0, 2},
      // Less than the probability is drawn: 49 is less than 50, but not than 49.
      {Attr(50, 1, kUnlimited, 0), 42, ".xxxx.x.x.xx...xxxx.", kUnlimited, 0, 20},
      {Attr(49, 1, kUnlimited, 0), 42, ".xxxx.x.x.x....xx.x.", kUnlimited, 0, 20},
      {Attr(1, 1, kUnlimited, 0), 1234567, ".................x..", kUnlimited, 0, 20},
      // Only times that were used count, and only who gets that far draws.
      {Attr(50, 1, 3, 0), 42, ".xxx................", 0, 0, 4},
      {Attr(50, 2, kUnlimited, 0), 42, "...x.x.x.x...x...x..", kUnlimited, 0, 10},
      {Attr(50, 2, 3, 4), 42, "......x.x.x.........", 0, 1, 4},
  };
  for (const auto& expected : cases) {
    Injected injected(expected.attr, expected.seed);
    EXPECT_EQ(Outcomes(injected.injection, 20), expected.outcomes);
    const FaultLeft left = LeftOf(expected.attr, injected.counters);
    EXPECT_EQ(left.times, expected.times) << expected.outcomes;
    EXPECT_EQ(left.space, expected.space) << expected.outcomes;
    EXPECT_EQ(injected.all.random.drawn, expected.drawn) << expected.outcomes;
    EXPECT_EQ(injected.injection.armed(), Armed(expected.attr, left)) << expected.outcomes;
  }
}

TEST(FaultInjection, FailsNothingBeforeItIsSet) {
  Injected injected(42);
  EXPECT_FALSE(injected.injection.armed());
  EXPECT_EQ(Outcomes(injected.injection, 3), "...");
}

TEST(FaultInjection, IsArmedUntilTheLastFailure) {
  Injected injected(Attr(100, 1, 2, 0), 42);
  EXPECT_TRUE(injected.injection.armed());
  EXPECT_TRUE(injected.injection.ShouldFail());
  EXPECT_TRUE(injected.injection.armed());
  EXPECT_TRUE(injected.injection.ShouldFail());
  EXPECT_FALSE(injected.injection.armed());
  injected.injection.Restart(Attr(0, 1, kUnlimited, 0));
  EXPECT_FALSE(injected.injection.armed());
}

TEST(FaultInjection, FailsNoneAfterTheLastThoughItWasSeenArmed) {
  Injected injected(Attr(100, 1, 1, 0), 42);
  injected.counters.failed = 1;  // as by another thread, since this one looked
  EXPECT_TRUE(injected.injection.armed());
  EXPECT_FALSE(injected.injection.ShouldFail());
  EXPECT_EQ(injected.counters.failed, 1);
}

TEST(FaultInjection, RepeatsFromTheSeed) {
  const FaultAttr attr = Attr(30, 2, kUnlimited, 7);
  Injected one(attr, 1);
  Injected same(attr, 1);
  Injected other(attr, 2);
  const std::string outcomes = Outcomes(one.injection, 1000);
  EXPECT_EQ(Outcomes(same.injection, 1000), outcomes);
  EXPECT_NE(Outcomes(other.injection, 1000), outcomes);
}

TEST(FaultInjection, GoesOnInTheNextProcess) {
  const FaultAttr attr = Attr(60, 3, 10, 8);
  Injected injected(42);
  std::string outcomes;
  for (int process = 0; process < 100; ++process) {
    Random random(injected.all.random);
    FaultInjection injection(attr, injected.counters, random);
    outcomes += Outcomes(injection, 1);
  }
  Injected in_one(attr, 42);
  EXPECT_EQ(outcomes, Outcomes(in_one.injection, 100));
  EXPECT_EQ(LeftOf(attr, injected.counters).times, 0);
}

TEST(FaultInjection, GoesOnAsAnotherAttrSays) {
  Injected injected(Attr(100, 1, 1, 3), 42);
  EXPECT_EQ(Outcomes(injected.injection, 5), "..x..");
  FaultInjection other(Attr(100, 1, 3, 5), injected.counters, injected.random);
  EXPECT_EQ(Outcomes(other, 6), "..xx..");
}

TEST(FaultInjection, RestartBeginsAsWritten) {
  const FaultAttr attr = Attr(100, 3, 2, 2);
  Injected injected(attr, 42);
  EXPECT_EQ(Outcomes(injected.injection, 9), "...x..x..");
  EXPECT_EQ(Outcomes(injected.injection, 2), "..") << "times are used up";
  injected.injection.Restart(attr);
  EXPECT_EQ(LeftOf(attr, injected.counters), Whole(attr));
  EXPECT_TRUE(injected.injection.armed());
  EXPECT_EQ(Outcomes(injected.injection, 9), "...x..x..");
}

TEST(FaultInjection, RestartAsTheIntervalIsHalfOver) {
  Injected injected(Attr(100, 3, kUnlimited, 0), 42);
  EXPECT_EQ(Outcomes(injected.injection, 5), "..x..");
  injected.injection.Restart(Attr(100, 3, kUnlimited, 0));
  EXPECT_EQ(Outcomes(injected.injection, 5), "..x..");
}

TEST(Restart, ZeroesEachCounter) {
  DeviceCounters all;
  FaultCounters& counters = all.timeout;
  counters.passed = 1;
  counters.asked = 2;
  counters.failed = 3;
  Restart(counters);
  EXPECT_EQ(counters.passed, 0);
  EXPECT_EQ(counters.asked, 0);
  EXPECT_EQ(counters.failed, 0);
}

TEST(LeftOf, IsWhatTheFilesShow) {
  const struct {
    int64_t times, space;  // as written
    uint64_t failed, passed;
    int64_t times_left, space_left;
  } cases[] = {
      {10, 5, 0, 0, 10, 5},
      {10, 5, 3, 2, 7, 3},
      {10, 5, 10, 5, 0, 0},
      {10, 5, 11, 6, 0, 0},
      {10, 5, UINT64_MAX, UINT64_MAX, 0, 0},
      {0, 0, 1, 1, 0, 0},
      {kUnlimited, 0, 0, 0, kUnlimited, 0},
      {kUnlimited, -7, 1000, 1000, kUnlimited, -7},
      {INT64_MAX, INT64_MAX, 1, 2, INT64_MAX - 1, INT64_MAX - 2},
  };
  for (const auto& given : cases) {
    DeviceCounters all;
    FaultCounters& counters = all.timeout;
    counters.failed = given.failed;
    counters.passed = given.passed;
    counters.asked = 1;
    EXPECT_EQ(LeftOf({33, 4, given.times, given.space, 1}, counters),
              (FaultLeft{given.times_left, given.space_left}))
        << given.times << ' ' << given.failed << ' ' << given.space << ' ' << given.passed;
  }
}

TEST(FaultInjection, IsExactFromManyThreads) {
  constexpr int kThreads = 8;
  constexpr int kRequests = 900;  // of each thread
  constexpr int kAll = kThreads * kRequests;
  const struct {
    FaultAttr attr;
    int fail;
  } cases[] = {
      {Attr(100, 1, 10, 0), 10},
      {Attr(100, 1, kUnlimited, 0), kAll},
      {Attr(100, 1, kUnlimited, 101), kAll - 100},
      {Attr(100, 3, kUnlimited, 0), kAll / 3},
      {Attr(100, 3, 7, 301), 7},
  };
  for (const auto& [attr, fail] : cases) {
    Injected injected(attr, 42);
    std::atomic<int> failed{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        for (int request = 0; request < kRequests; ++request) {
          if (injected.injection.ShouldFail()) ++failed;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(failed, fail);
    EXPECT_EQ(injected.counters.failed, fail);
  }
}

TEST(FaultInjection, IsWrittenWhileItDecides) {
  constexpr int kWrites = 200;
  Injected injected(42);
  std::atomic<bool> done{false};
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      while (!done) {
        if (injected.injection.ShouldFail()) ++failed;
      }
    });
  }
  for (int write = 0; write < kWrites; ++write) {
    injected.injection.Restart(Attr(100, 1, 2, 0));
    while (injected.injection.armed()) std::this_thread::yield();
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed, 2 * kWrites);
}

}  // namespace
}  // namespace rnullfs
