#include "device/faults.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace rnullfs {
namespace {

constexpr int64_t kUnlimited = FaultAttr::kUnlimited;
constexpr int64_t kMsec = 1'000'000;
constexpr int64_t kPatience = 30'000 * kMsec;

FaultAttr Attr(int64_t probability, int64_t times, int64_t interval = 1) {
  return {probability, interval, times, 0, 2};
}

DeviceConfig Config(const FaultAttr& timeout, const FaultAttr& requeue,
                    const FaultAttr& init_hctx = FaultAttr()) {
  DeviceConfig config;
  config.timeout_inject = timeout;
  config.requeue_inject = requeue;
  config.init_hctx_fault_inject = init_hctx;
  return config;
}

// A device's faults, and the counters that outlive them.
struct Injected {
  explicit Injected(const DeviceConfig& config, uint64_t seed = 42) : faults(config, counters) {
    faults.Start(seed, Clock::Real());
  }

  DeviceCounters counters;
  Faults faults;
};

// What becomes of so many requests: "." nothing, "x" lost, with the milliseconds it was held back
// before that.
std::string Fates(Faults& faults, int requests, int64_t patience_nsec = kPatience) {
  std::string fates;
  for (int i = 0; i < requests; ++i) {
    const Faults::Fate fate = faults.Decide(patience_nsec);
    if (fate.delay_nsec != 0) fates += std::to_string(fate.delay_nsec / kMsec);
    fates += fate.lost ? 'x' : '.';
  }
  return fates;
}

TEST(Faults, LeaveRequestsAloneUnlessTold) {
  Injected injected{DeviceConfig()};
  EXPECT_FALSE(injected.faults.armed());
  EXPECT_EQ(Fates(injected.faults, 3), "...");
  EXPECT_FALSE(injected.faults.QueueFails());
  EXPECT_EQ(injected.counters.random.drawn, 0);
}

TEST(Faults, AreArmedByWhatHappensToRequests) {
  const FaultAttr none;
  const FaultAttr one = Attr(100, 1);
  EXPECT_TRUE(Injected(Config(one, none)).faults.armed());
  EXPECT_TRUE(Injected(Config(none, one)).faults.armed());
  EXPECT_FALSE(Injected(Config(none, none, one)).faults.armed());
}

TEST(Faults, DecideInTheKernelsOrder) {
  const FaultAttr none;
  const struct {
    DeviceConfig config;
    std::string fates;
    uint64_t timeouts, requeues;  // that were had
  } cases[] = {
      {Config(Attr(100, 2), none), "xx....", 2, 0},
      {Config(none, Attr(100, 1)), "3.....", 0, 1},
      {Config(Attr(100, 2, 3), none), "..x..x", 2, 0},
      // One that is lost and sent back is tried again, and what it lost by is used up.
      {Config(Attr(100, 1), Attr(100, 1)), "3......", 1, 1},
      {Config(Attr(100, 2), Attr(100, 1)), "3x.....", 2, 1},
      {Config(Attr(100, 3), Attr(100, 2)), "3x.....", 3, 2},
      {Config(Attr(100, kUnlimited), Attr(100, 1)), "3xxxxxx", 7, 1},
      // Each try is a request to the fault's interval.
      {Config(Attr(100, kUnlimited, 2), Attr(100, 1)), "3x.x.x.", 3, 1},
      {Config(none, Attr(100, kUnlimited, 2)), ".3..3..3.", 0, 5},
      // Below 100, the seed draws 74 15 27 34 3 86 21 80 33 61 20 49 51 52, in turn for the
      // timeout and the requeue.
      {Config(Attr(50, kUnlimited), Attr(50, kUnlimited)), "3xxx3.", 5, 3},
  };
  for (const auto& c : cases) {
    Injected injected(c.config);
    const int requests = static_cast<int>(std::count(c.fates.begin(), c.fates.end(), '.') +
                                          std::count(c.fates.begin(), c.fates.end(), 'x'));
    EXPECT_EQ(Fates(injected.faults, requests), c.fates);
    EXPECT_EQ(injected.counters.timeout.failed, c.timeouts) << c.fates;
    EXPECT_EQ(injected.counters.requeue.failed, c.requeues) << c.fates;
  }
}

TEST(Faults, HoldBackEveryOtherRequeue) {
  // Of one request.
  for (const auto& [times, delay_msec] : {std::pair(1, 3), {2, 3}, {3, 6}, {4, 6}, {5, 9}}) {
    Injected injected(Config(FaultAttr(), Attr(100, times)));
    const Faults::Fate fate = injected.faults.Decide(kPatience);
    EXPECT_FALSE(fate.lost);
    EXPECT_EQ(fate.delay_nsec, delay_msec * kMsec) << times;
  }
  // Of several: a requeue, and the try after it that passes.
  Injected injected(Config(FaultAttr(), Attr(100, kUnlimited, 2)));
  EXPECT_EQ(Fates(injected.faults, 9), ".3..3..3..3..");
}

TEST(Faults, LoseWhatIsSentBackForEver) {
  const struct {
    int64_t patience_nsec;
    uint64_t requeues;
  } cases[] = {{0, 1}, {1, 1}, {3 * kMsec, 1}, {3 * kMsec + 1, 3}, {9 * kMsec, 5}, {10 * kMsec, 7}};
  for (const auto& [patience_nsec, requeues] : cases) {
    Injected injected(Config(FaultAttr(), Attr(100, kUnlimited)));
    const Faults::Fate fate = injected.faults.Decide(patience_nsec);
    EXPECT_TRUE(fate.lost) << patience_nsec;
    EXPECT_EQ(fate.delay_nsec, 0) << patience_nsec;
    EXPECT_EQ(injected.counters.requeue.failed, requeues) << patience_nsec;
  }
}

TEST(Faults, FailQueuesAsOftenAsTold) {
  Injected injected(Config(Attr(100, 1), Attr(100, 1), Attr(100, 2, 2)));
  std::string outcomes;
  for (int i = 0; i < 6; ++i) outcomes += injected.faults.QueueFails() ? 'x' : '.';
  EXPECT_EQ(outcomes, ".x.x..");
  EXPECT_EQ(injected.counters.init_hctx.failed, 2);
  EXPECT_EQ(injected.counters.timeout.failed, 0);
  EXPECT_EQ(injected.counters.requeue.failed, 0);
}

TEST(Faults, RestartOneOfThemAlone) {
  const FaultAttr once = Attr(100, 1);
  for (const FaultPoint& point : kFaultPoints) {
    Injected injected(Config(once, once, once));
    EXPECT_EQ(Fates(injected.faults, 2), "3..");
    EXPECT_TRUE(injected.faults.QueueFails());
    injected.faults.Restart(point, once);
    for (const FaultPoint& other : kFaultPoints) {
      EXPECT_EQ((injected.counters.*other.counters).failed, other.attr == point.attr ? 0 : 1);
    }
    const bool timeout = point.attr == kTimeout.attr;
    const bool requeue = point.attr == kRequeue.attr;
    EXPECT_EQ(injected.faults.armed(), timeout || requeue);
    injected.faults.Decide(kPatience);
    EXPECT_EQ(injected.faults.QueueFails(), !timeout && !requeue);
    for (const FaultPoint& each : kFaultPoints) {
      EXPECT_EQ((injected.counters.*each.counters).failed, 1);
    }
  }
}

TEST(Faults, RestartWithWhatIsWritten) {
  Injected injected{DeviceConfig()};
  injected.faults.Restart(kTimeout, Attr(100, 1));
  EXPECT_EQ(Fates(injected.faults, 2), "x.");
  injected.faults.Restart(kRequeue, Attr(100, 1));
  EXPECT_EQ(Fates(injected.faults, 2), "3..");
  injected.faults.Restart(kInitHctx, Attr(100, 1));
  EXPECT_TRUE(injected.faults.QueueFails());
  injected.faults.Restart(kTimeout, Attr(100, kUnlimited));
  injected.faults.Restart(kTimeout, Attr(0, kUnlimited));
  EXPECT_FALSE(injected.faults.armed());
  EXPECT_EQ(Fates(injected.faults, 2), "..");
}

TEST(Faults, RepeatFromTheSeed) {
  const DeviceConfig config = Config(Attr(30, kUnlimited), Attr(20, kUnlimited));
  Injected one(config, 1);
  Injected same(config, 1);
  Injected other(config, 2);
  const std::string fates = Fates(one.faults, 1000);
  EXPECT_EQ(Fates(same.faults, 1000), fates);
  EXPECT_NE(Fates(other.faults, 1000), fates);
}

TEST(Faults, StartKeepsTheCountersAndChanceBeginsAnew) {
  Injected injected(Config(Attr(50, 4), FaultAttr()));
  EXPECT_EQ(Fates(injected.faults, 4), ".xxx");
  injected.faults.Start(42, Clock::Real());
  EXPECT_EQ(Fates(injected.faults, 4), ".x..") << "the fourth of four times";
}

TEST(Faults, GoOnInTheNextProcess) {
  // Draws 74 15 27, 34 for the queue, 3 86 21 80 33.
  const DeviceConfig config = Config(Attr(50, 5), FaultAttr(), Attr(100, 1));
  Injected injected(config);
  EXPECT_EQ(Fates(injected.faults, 3), ".xx");
  EXPECT_TRUE(injected.faults.QueueFails());
  Faults next(config, injected.counters);
  EXPECT_FALSE(next.QueueFails()) << "was had";
  EXPECT_EQ(Fates(next, 6), "x.x.x.");
  Faults last(config, injected.counters);
  EXPECT_FALSE(last.armed());
  last.Restart(kTimeout, config.timeout_inject);
  EXPECT_TRUE(last.armed()) << "written anew";
}

TEST(Faults, AreExactFromManyThreads) {
  constexpr int kThreads = 4;
  constexpr int kRequests = 200'000;  // of each thread
  Injected injected(Config(Attr(100, 500), Attr(50, kUnlimited)));
  std::atomic<int64_t> delay_nsec{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int request = 0; request < kRequests; ++request) {
        delay_nsec += injected.faults.Decide(kPatience).delay_nsec;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(injected.counters.timeout.failed, 500);
  const uint64_t requeues = injected.counters.requeue.failed;
  EXPECT_GT(requeues, kThreads * kRequests / 2);
  EXPECT_EQ(delay_nsec, (requeues + 1) / 2 * Faults::kRequeueNsec) << "every other one";
}

}  // namespace
}  // namespace rnullfs
