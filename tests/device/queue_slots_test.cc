#include "device/queue_slots.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>
#include <thread>
#include <tuple>
#include <vector>

namespace rnullfs {
namespace {

struct Step {
  int64_t ready_nsec;
  int64_t duration_nsec;
  int64_t begin_nsec;  // expected
};

void ExpectBegins(QueueSlots& slots, const std::vector<Step>& steps) {
  for (size_t i = 0; i < steps.size(); ++i) {
    EXPECT_EQ(slots.Take(steps[i].ready_nsec, steps[i].duration_nsec), steps[i].begin_nsec)
        << "request " << i;
  }
}

TEST(QueueSlots, BeginWhenOneIsFree) {
  const struct {
    std::string_view what;
    uint32_t count;
    std::vector<Step> steps;
  } cases[] = {
      {"one slot: one after the other", 1, {{0, 10, 0}, {0, 10, 10}, {0, 10, 20}, {5, 10, 30}}},
      {"none is one", 0, {{0, 10, 0}, {0, 10, 10}}},
      {"a slot is free at the end, not before", 1, {{0, 10, 0}, {9, 10, 10}, {20, 10, 20}}},
      {"idle time is not saved up", 1, {{0, 10, 0}, {100, 10, 100}, {100, 10, 110}}},
      {"two slots: pairs", 2, {{0, 10, 0}, {0, 10, 0}, {0, 10, 10}, {0, 10, 10}, {0, 10, 20}}},
      {"an idle gap frees both", 2, {{0, 10, 0}, {0, 10, 0}, {50, 10, 50}, {50, 10, 50}}},
      {"the earliest to end is the next", 2, {{0, 100, 0}, {0, 10, 0}, {0, 10, 10}, {0, 99, 20}}},
      {"a long one does not hold up others",
       2,
       {{0, 1000, 0}, {0, 300, 0}, {0, 300, 300}, {0, 500, 600}, {0, 10, 1000}}},
      {"what takes no time holds nobody up", 1, {{5, 0, 5}, {5, 0, 5}, {5, 10, 5}, {5, 0, 15}}},
      {"in the order of the calls", 1, {{100, 10, 100}, {50, 10, 110}}},
      {"times before 0", 1, {{-50, 10, -50}, {-50, 10, -40}}},
      {"the end of time",
       1,
       {{INT64_MAX - 5, 10, INT64_MAX - 5}, {0, 10, INT64_MAX}, {0, INT64_MAX, INT64_MAX}}},
      {"for ever", 2, {{7, INT64_MAX, 7}, {7, 1, 7}, {7, 1, 8}, {7, 1, 9}}},
  };
  for (const auto& [what, count, steps] : cases) {
    SCOPED_TRACE(what);
    QueueSlots slots(count);
    ExpectBegins(slots, steps);
  }
}

TEST(QueueSlots, WorkOnABurstInRounds) {
  constexpr int kSlots = 64;
  QueueSlots slots(kSlots);
  const struct {
    int64_t ready_nsec;
    int64_t duration_nsec;
    int64_t begin_nsec;  // of the first round of ten
  } bursts[] = {{0, 300, 0}, {1000, 300, 3000}, {5000, 7, 6000}, {9000, 7, 9000}};
  for (const auto& burst : bursts) {
    for (int i = 0; i < 10 * kSlots; ++i) {
      EXPECT_EQ(slots.Take(burst.ready_nsec, burst.duration_nsec),
                burst.begin_nsec + i / kSlots * burst.duration_nsec)
          << "request " << i << " of those ready at " << burst.ready_nsec;
    }
  }
}

TEST(QueueSlots, ResizeUpFreesSlotsAtOnce) {
  QueueSlots slots(1);
  ExpectBegins(slots, {{0, 100, 0}, {0, 100, 100}});
  slots.Resize(3);
  ExpectBegins(slots, {{10, 100, 10}, {10, 100, 10}, {10, 100, 110}});
}

TEST(QueueSlots, ResizeDownWaitsUntilFewerAreAtWork) {
  const struct {
    uint32_t count;
    std::vector<Step> steps;
  } cases[] = {
      // At work until 10, 20, 30 and 40.
      {4, {{0, 100, 10}, {0, 100, 20}}},
      {3, {{0, 100, 20}, {0, 100, 30}}},
      {2, {{0, 100, 30}, {0, 100, 40}, {0, 100, 130}}},
      {1, {{0, 100, 40}, {0, 100, 140}}},
      {0, {{0, 100, 40}, {0, 100, 140}}},
      {2, {{25, 100, 30}}},
      {2, {{35, 100, 35}, {35, 100, 40}}},
      {1, {{1000, 100, 1000}, {1000, 100, 1100}}},
  };
  for (const auto& [count, steps] : cases) {
    SCOPED_TRACE(count);
    QueueSlots slots(4);
    ExpectBegins(slots, {{0, 10, 0}, {0, 20, 0}, {0, 30, 0}, {0, 40, 0}});
    slots.Resize(count);
    ExpectBegins(slots, steps);
  }
}

TEST(QueueSlots, ResizeDownAndUpAgainChangesNothing) {
  QueueSlots slots(3);
  ExpectBegins(slots, {{0, 10, 0}, {0, 20, 0}, {0, 30, 0}});
  slots.Resize(1);
  slots.Resize(3);
  ExpectBegins(slots, {{0, 100, 10}, {0, 100, 20}, {0, 100, 30}});
}

TEST(QueueSlots, DoSlotsByDurationInASecond) {
  constexpr int64_t kSecond = 1'000'000'000;
  for (const uint32_t count : {1, 2, 64, 1000}) {
    for (const int64_t duration_nsec : {10'000'000, 1'000'000}) {
      QueueSlots slots(count);
      int64_t done = 0;
      while (slots.Take(0, duration_nsec) < kSecond) ++done;
      EXPECT_EQ(done, count * (kSecond / duration_nsec)) << count << " of " << duration_nsec;
    }
  }
}

// The same, by who brings the next request only when one of his is done.
TEST(QueueSlots, DoNoMoreThanIsAskedFor) {
  constexpr int64_t kSecond = 1'000'000'000;
  constexpr int64_t kDuration = 1'000'000;
  for (const auto& [count, askers, at_once] :
       {std::tuple{4, 1, 1}, {4, 4, 4}, {4, 5, 4}, {4, 64, 4}, {64, 7, 7}}) {
    QueueSlots slots(count);
    std::vector<int64_t> ready_nsec(askers, 0);
    int64_t done = 0;
    while (true) {
      const auto next = std::min_element(ready_nsec.begin(), ready_nsec.end());
      if (*next >= kSecond) break;
      *next = slots.Take(*next, kDuration) + kDuration;
      if (*next <= kSecond) ++done;
    }
    EXPECT_EQ(done, at_once * (kSecond / kDuration)) << askers << " ask for " << count;
  }
}

TEST(QueueSlots, AreFreeWhereRequestsTakeAnotherTime) {
  constexpr int64_t kHour = 3'600'000'000'000;
  QueueSlots slots(2);
  for (int i = 0; i < 100; ++i) slots.Take(0, kHour);
  EXPECT_EQ(slots.Take(1, 10), 50 * kHour);
  slots.Vacate();
  EXPECT_EQ(slots.Take(2, 10), 2);
  EXPECT_EQ(slots.Take(2, 10), 2);
  EXPECT_EQ(slots.Take(2, 10), 12) << "there are as many as before";
}

TEST(QueueSlots, AreExactFromManyThreads) {
  constexpr int kThreads = 8;
  constexpr int kRequests = 1000;
  constexpr int kSlots = 16;
  QueueSlots slots(kSlots);
  std::vector<std::vector<int64_t>> begins(kThreads);
  std::vector<std::thread> threads;
  for (auto& mine : begins) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRequests; ++i) mine.push_back(slots.Take(0, 10));
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<int64_t> all;
  for (const auto& mine : begins) all.insert(all.end(), mine.begin(), mine.end());
  std::sort(all.begin(), all.end());
  for (int i = 0; i < kThreads * kRequests; ++i) ASSERT_EQ(all[i], i / kSlots * 10) << i;
}

}  // namespace
}  // namespace rnullfs
