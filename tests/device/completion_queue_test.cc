#include "device/completion_queue.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "rnullfs/device_counters.h"

namespace rnullfs {
namespace {

constexpr int64_t kMsec = 1'000'000;

int64_t Now() { return Clock::Real().NowNsec(); }

// Notes which reply came when.
class Log {
 public:
  Reply NewReply(int number, bool exact = true) {
    tags_.push_back(std::make_unique<Tag>(Tag{this, number}));
    statistics_.Started();
    return {.done = {&Log::Note, tags_.back().get()},
            .statistics = &statistics_,
            .op = Op::kFlush,
            .exact = exact};
  }
  int64_t SentNsec(int number) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return sent_nsec_.at(number);
  }
  std::vector<int> numbers() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return numbers_;
  }
  void WaitFor(size_t count) {
    while (numbers().size() < count) std::this_thread::sleep_for(std::chrono::microseconds(100));
  }

 private:
  struct Tag {
    Log* log;
    int number;
  };
  static void Note(void* tag, const Answer& /*answer*/) {
    const auto& [log, number] = *static_cast<Tag*>(tag);
    const std::lock_guard<std::mutex> lock(log->mutex_);
    log->numbers_.push_back(number);
    log->sent_nsec_[number] = Now();
  }

  std::vector<std::unique_ptr<Tag>> tags_;
  DeviceCounters counters_;
  Statistics& statistics_ = counters_.statistics;
  std::mutex mutex_;
  std::vector<int> numbers_;
  std::map<int, int64_t> sent_nsec_;
};

TEST(CompletionQueue, EarlierRepliesOvertake) {
  Log log;
  CompletionQueue queue(Clock::Real());
  const int64_t now = Now();
  queue.Post(now + 3'600'000 * kMsec, log.NewReply(4));
  queue.Post(now + 30 * kMsec, log.NewReply(2));
  queue.Post(now + 40 * kMsec, log.NewReply(3));
  queue.Post(now, log.NewReply(1));
  log.WaitFor(3);
  EXPECT_EQ(log.numbers(), (std::vector<int>{1, 2, 3}));
}

TEST(CompletionQueue, EqualsKeepTheirOrder) {
  Log log;
  std::vector<int> expected;
  {
    CompletionQueue queue(Clock::Real());
    const int64_t due = Now() + 5 * kMsec;
    for (int number = 0; number < 50; ++number) {
      queue.Post(due, log.NewReply(number));
      expected.push_back(number);
    }
    log.WaitFor(50);
  }
  EXPECT_EQ(log.numbers(), expected);
}

TEST(CompletionQueue, DestructionSendsWhatWaits) {
  Log log;
  {
    CompletionQueue queue(Clock::Real());
    queue.Post(Now() + 7'200'000 * kMsec, log.NewReply(2));
    queue.Post(Now() + 3'600'000 * kMsec, log.NewReply(1));
  }
  EXPECT_EQ(log.numbers(), (std::vector<int>{1, 2}));
}

TEST(CompletionQueue, StartsItsThreadWithTheFirstPost) {
  const auto threads = [] {
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    return std::distance(begin(tasks), end(tasks));
  };
  const auto before = threads();
  Log log;
  CompletionQueue queue(Clock::Real());
  EXPECT_EQ(threads(), before);
  queue.Post(0, log.NewReply(1));
  log.WaitFor(1);
  EXPECT_EQ(threads(), before + 1);
}

TEST(CompletionQueue, SendsAtOnceWhenStopped) {
  Log log;
  CompletionQueue queue(Clock::Real());
  queue.Post(Now() + 3'600'000 * kMsec, log.NewReply(1));
  queue.Stop();
  EXPECT_EQ(log.numbers(), std::vector<int>{1});
  queue.Post(Now() + 3'600'000 * kMsec, log.NewReply(2));
  EXPECT_EQ(log.numbers(), (std::vector<int>{1, 2}));
  queue.Stop();
}

// Whether the thread sleeps, polls or sends when it is told to stop.
TEST(CompletionQueue, LosesNothingThatIsPostedWhileItStops) {
  constexpr int kReplies = 50;
  for (int round = 0; round < 100; ++round) {
    Log log;
    CompletionQueue queue(Clock::Real());
    std::thread poster([&] {
      for (int number = 0; number < kReplies; ++number) {
        const int64_t delay_nsec = number % 2 == 0 ? 40'000 : 3'600'000 * kMsec;
        queue.Post(Now() + delay_nsec, log.NewReply(number, number % 3 != 0));
      }
    });
    log.WaitFor(round % kReplies / 2);
    queue.Stop();
    poster.join();
    EXPECT_EQ(log.numbers().size(), kReplies);
  }
}

TEST(CompletionQueue, MayPostFromACompletion) {
  struct Again {
    Log log;
    DeviceCounters counters;
    Statistics& statistics = counters.statistics;
    CompletionQueue queue{Clock::Real()};
  } again;
  again.statistics.Started();
  const auto post_again = [](void* tag, const Answer& /*answer*/) {
    auto* const self = static_cast<Again*>(tag);
    self->queue.Post(0, self->log.NewReply(1));
  };
  Reply first{.done = {post_again, &again}, .statistics = &again.statistics, .op = Op::kFlush};
  again.queue.Post(0, std::move(first));
  again.log.WaitFor(1);
}

// In all mixtures; no upper bound but the test's time-out, for a machine may be busy.
TEST(CompletionQueue, SendsNothingBeforeItsTime) {
  Log log;
  CompletionQueue queue(Clock::Real());
  std::vector<int64_t> due;
  const int64_t now = Now();
  for (int number = 0; number < 200; ++number) {
    due.push_back(now + (number * 37 % 200) * 200'000);
    queue.Post(due.back(), log.NewReply(number, number % 3 == 0));
  }
  log.WaitFor(200);
  for (int number = 0; number < 200; ++number) EXPECT_GE(log.SentNsec(number), due[number]);
}

// A thread that sleeps for an hour must hear of what is due sooner, whichever of them is lax.
TEST(CompletionQueue, LaxAndExactRepliesOvertakeEachOther) {
  for (const bool first : {false, true}) {
    for (const bool second : {false, true}) {
      Log log;
      CompletionQueue queue(Clock::Real());
      queue.Post(Now() + 3'600'000 * kMsec, log.NewReply(1, first));
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      queue.Post(Now() + 10 * kMsec, log.NewReply(2, second));
      log.WaitFor(1);
      EXPECT_EQ(log.numbers(), std::vector<int>{2}) << first << second;
    }
  }
}

// What one turn of the thread finds due, here all of it, goes in the order of its time.
TEST(CompletionQueue, LaxAndExactRepliesAreSentInOrder) {
  Log log;
  CompletionQueue queue(Clock::Real());
  std::vector<int> expected;
  const int64_t hour = Now() + 3'600'000 * kMsec;
  for (int number = 99; number >= 0; --number) {
    queue.Post(hour + number, log.NewReply(number, number % 3 == 0));
  }
  for (int number = 0; number < 100; ++number) expected.push_back(number);
  queue.Stop();
  EXPECT_EQ(log.numbers(), expected);
}

// To poll is to read the clock, thousands of times for each reply.  That can be counted, however
// busy the machine is.
TEST(CompletionQueue, DoesNotPollForLaxReplies) {
  struct CountingClock : Clock {
    int64_t NowNsec() const override {
      reads.fetch_add(1, std::memory_order_relaxed);
      return Now();
    }
    mutable std::atomic<int> reads{0};
  } clock;
  Log log;
  CompletionQueue queue(clock);
  const int64_t now = Now();
  for (int number = 0; number < 200; ++number) {
    queue.Post(now + number * kMsec, log.NewReply(number, /*exact=*/false));
  }
  log.WaitFor(200);
  EXPECT_LT(clock.reads, 200 * 10);
}

// Processor time, not time: how busy the machine is doesn't matter.
TEST(CompletionQueue, UsesNoProcessorWhileItWaits) {
  const auto used = [] {
    rusage usage = {};
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
  };
  Log log;
  CompletionQueue queue(Clock::Real());
  queue.Post(0, log.NewReply(1));
  log.WaitFor(1);
  const int64_t before_empty = used();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_LT(used() - before_empty, 100) << "nothing waits";
  queue.Post(Now() + 3'600'000 * kMsec, log.NewReply(2));
  const int64_t before_due = used();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_LT(used() - before_due, 100) << "nothing is due for an hour";
}

}  // namespace
}  // namespace rnullfs
