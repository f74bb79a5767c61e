#include "device/completion_queue.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <filesystem>
#include <iterator>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace rnullfs {
namespace {

constexpr int64_t kMsec = 1'000'000;

int64_t Now() { return Clock::Real().NowNsec(); }

// Notes which reply came when.
class Log {
 public:
  Reply NewReply(int number) {
    tags_.push_back(std::make_unique<Tag>(Tag{this, number}));
    statistics_.Started();
    return {.done = {&Log::Note, tags_.back().get()}, .statistics = &statistics_, .op = Op::kFlush};
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
  }

  std::vector<std::unique_ptr<Tag>> tags_;
  Statistics statistics_;
  std::mutex mutex_;
  std::vector<int> numbers_;
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
        queue.Post(Now() + delay_nsec, log.NewReply(number));
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
    Statistics statistics;
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
