// The log of a disk that several threads write to, flush and mark, while others read it.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "from_environment.h"
#include "log_util.h"
#include "past/log_files.h"

namespace rnullfs {
namespace {

using Kind = LogEntry::Kind;

constexpr uint64_t kPages = 16;
constexpr int kWriters = 4;

class LogThreads : public testing::Test {
 protected:
  LogThreads() { disk_.past().SetHistory(64 * kMiB); }
  ~LogThreads() override { Stop(); }

  Past& past() { return disk_.past(); }

  void Start(uint64_t requests) {
    for (int i = 0; i < kWriters; ++i) {
      writers_.emplace_back([this, i, requests] { Run(i, requests); });
    }
  }
  void Wait() {
    for (std::thread& writer : writers_) writer.join();
    writers_.clear();
  }
  // What is read meanwhile.
  void Read(std::unique_ptr<View> view, uint64_t from) {
    readers_.emplace_back([this, from, view = std::move(view)] {
      std::string before;
      while (!stop_) {
        const uint64_t size = view->size_bytes();
        const std::string now = rnullfs::Read(*view, from, size - from);
        if (now.compare(0, before.size(), before) != 0) ADD_FAILURE() << "it has changed";
        before = now;
      }
    });
  }
  void Stop() {
    Wait();
    stop_ = true;
    for (std::thread& reader : readers_) reader.join();
    readers_.clear();
  }

  DiskWithPast disk_{kPages};

 private:
  void Run(int writer, uint64_t requests) {
    for (uint64_t i = 1; i <= requests; ++i) {
      CountedRequest request(static_cast<int64_t>(i));
      {
        const CountedRequest::Scope scope(&request);
        uint64_t number = 0;
        const uint64_t page = i * (writer + 1) % kPages;
        const int error = i % 3 == 0 ? past().Flush()
                          : i % 16 == 1
                              ? past().SetMark("m", 0, number)
                              : disk_.Write(page, std::string(1, static_cast<char>('a' + i % 8)));
        if (error != 0) ADD_FAILURE() << error;
      }
      past().log().End(request, 0, static_cast<int64_t>(i));
    }
  }

  std::vector<std::thread> writers_;
  std::vector<std::thread> readers_;
  std::atomic<bool> stop_ = false;
};

TEST_F(LogThreads, HasEachOnceAndStaysAsItIs) {
  const uint64_t requests = Repetitions(1500);
  Read(LogAsWrites(past(), {}), 512);
  Read(LogAsWrites(past(), {.finds_fua = true}), 512);
  Start(requests);
  Stop();
  EXPECT_EQ(past().log().first(), 1);
  EXPECT_EQ(past().log().last(), kWriters * requests);
  ASSERT_EQ(past().Flush(), 0);  // whether the last write is one with FUA is known now
  for (const bool finds_fua : {false, true}) {
    std::string image(kPages * kPage, '\0');
    for (const WritesRecord& record : RecordsOf(*LogAsWrites(past(), {.finds_fua = finds_fua}))) {
      record.Replay(image);
    }
    EXPECT_EQ(Letters(image), disk_.Now());
  }
}

// Flushes may find what they cover in another order than that in which they were counted.
TEST_F(LogThreads, AFlushCoversNothingThatIsAnsweredLater) {
  Start(Repetitions(20'000));
  Wait();
  const RequestLog& log = past().log();
  for (uint64_t number = log.first(); number <= log.last(); ++number) {
    const LogEntry flush = *log.At(number);
    if (!flush.is_flush()) continue;
    // What is wrong is so for the last ones.
    const uint64_t end = flush.unanswered;
    for (uint64_t before = end - std::min<uint64_t>(end - 1, 200); before < end; ++before) {
      ASSERT_LE(log.At(before)->answered, number) << before << " of " << end;
    }
  }
  ASSERT_EQ(past().Flush(), 0);
  EXPECT_EQ(log.At(log.last())->unanswered, log.last()) << "now it covers all";
}

// Whoever reads what is being overwritten is told so, or has what it was.
TEST_F(LogThreads, WhatItForgetsIsWholeOrStale) {
  past().SetHistory(1);  // 4096 lines
  std::atomic<bool> stop = false;
  std::thread reader([&] {
    while (!stop) {
      const RequestLog& log = past().log();
      const uint64_t number = log.first();
      if (const std::optional<LogEntry> entry = log.At(number)) {
        EXPECT_EQ(entry->number, number);
        EXPECT_LE(entry->kind, Kind::kMark);
      }
      const auto view = LogAsWrites(past(), {});
      const int error = TryRead(*view, 512, std::min<uint64_t>(view->size_bytes() - 512, 8192));
      EXPECT_TRUE(error == 0 || error == ESTALE) << error;
    }
  });
  Start(8000);
  Wait();
  stop = true;
  reader.join();
  EXPECT_GT(past().log().first(), 1);
}

}  // namespace
}  // namespace rnullfs
