// When a device answers: never early, all at their own time, counted before they are told.
//
// Nothing here says how late an answer may be: that is measured by bench/latency_bench.cc.

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "disk.h"

namespace rnullfs {
namespace {

DeviceConfig Delayed(uint64_t completion_nsec) {
  return {.size = 1,
          .irqmode = IrqMode::kTimer,
          .completion_nsec = completion_nsec,
          .memory_backed = true};
}

TEST(DeviceLatency, SoftAnswersOnAnotherThread) {
  TestDisk disk({.size = 1, .irqmode = IrqMode::kSoft, .completion_nsec = UINT64_MAX});
  EXPECT_NE(disk.Read(0, 1).thread, std::this_thread::get_id());
}

TEST(DeviceLatency, TimerIsNeverEarly) {
  for (const uint64_t nsec : {0, 1'000, 100'000, 3'000'000}) {
    TestDisk disk(Delayed(nsec));
    for (int i = 0; i < 5; ++i) {
      const int64_t submitted_nsec = Clock::Real().NowNsec();
      const Outcome read = disk.Read(0, 512);
      EXPECT_GE(read.answered_nsec - submitted_nsec, static_cast<int64_t>(nsec));
      EXPECT_NE(read.thread, std::this_thread::get_id());
    }
  }
}

TEST(DeviceLatency, ErrorsAndFlushesWaitToo) {
  constexpr int64_t kNsec = 2'000'000;
  TestDisk disk(Delayed(kNsec));
  for (const Command& command : {Command{Op::kFlush}, Command{Op::kWrite, 2 * kMiB, 1, "x"}}) {
    const int64_t submitted_nsec = Clock::Real().NowNsec();
    EXPECT_GE(disk.Do(command).answered_nsec - submitted_nsec, kNsec);
  }
}

// One after the other they would take 128 x 200 ms = 25.6 s.
TEST(DeviceLatency, WaitsForAllAtOnce) {
  TestDisk disk(Delayed(200'000'000));
  std::vector<Request> requests(128);
  const int64_t submitted_nsec = Clock::Real().NowNsec();
  for (Request& request : requests) {
    disk.device().Submit({Op::kRead, 0, 512}, request.completion());
  }
  EXPECT_EQ(disk.statistics().in_flight, 128);
  for (Request& request : requests) {
    const Outcome read = request.Wait();
    EXPECT_EQ(read.data, std::string(512, '\0'));
    EXPECT_LT(read.answered_nsec - submitted_nsec, 10'000'000'000);
  }
  EXPECT_EQ(disk.statistics().in_flight, 0);
}

TEST(DeviceLatency, ReadsWhatWasThereAtSubmission) {
  TestDisk disk(Delayed(20'000'000));
  disk.Write(0, "old");
  Request read;
  disk.device().Submit({Op::kRead, 0, 3}, read.completion());
  Request write;
  disk.device().Submit({Op::kWrite, 0, 3, "new"}, write.completion());
  EXPECT_EQ(read.Wait().data, "old");
  EXPECT_EQ(write.Wait().error, 0);
  EXPECT_EQ(disk.Read(0, 3).data, "new");
}

TEST(DeviceLatency, CountsBeforeItTells) {
  for (const IrqMode irqmode : {IrqMode::kNone, IrqMode::kSoft, IrqMode::kTimer}) {
    struct Told {
      TestDisk disk;
      Request request = {};
      StatisticsSnapshot counted = {};
    };
    Told told{.disk = TestDisk({.size = 1, .irqmode = irqmode, .memory_backed = true})};
    const auto look = [](void* tag, const Answer& answer) {
      auto* const self = static_cast<Told*>(tag);
      self->counted = self->disk.statistics();
      self->request.completion()(answer);
    };
    told.disk.device().Submit({Op::kRead, 0, 512}, {look, &told});
    told.request.Wait();
    EXPECT_EQ(told.counted[Op::kRead].requests, 1);
    EXPECT_EQ(told.counted[Op::kRead].bytes, 512);
    EXPECT_EQ(told.counted.in_flight, 0);
  }
}

TEST(DeviceLatency, TheLongestDelayIsNotAnOverflow) {
  auto completions = std::make_unique<CompletionQueue>(Clock::Real());
  MemoryLimit memory;
  DeviceCounters counters;
  Medium medium{
      {.name = "test", .cache_name = "test cache", .memory = memory, .counters = counters}};
  const auto device =
      *Device::PowerOn(Delayed(UINT64_MAX), medium, counters, {Clock::Real(), *completions});
  Request request;
  device->Submit({Op::kRead, 0, 512}, request.completion());
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(request.IsAnswered());
  completions.reset();
  EXPECT_EQ(request.Wait().bytes, 512);
}

TEST(DeviceLatency, DelayedRequestsFromManyThreads) {
  TestDisk disk(Delayed(100'000));
  std::vector<std::thread> threads;
  for (uint64_t own = 0; own < 4; ++own) {
    threads.emplace_back([&disk, own] {
      for (int step = 0; step < 100; ++step) {
        const std::string data = std::to_string(own * 1000 + step);
        EXPECT_EQ(disk.Write(own * 4096, data).error, 0);
        EXPECT_EQ(disk.Read(own * 4096, data.size()).data, data);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(disk.statistics().in_flight, 0);
}

}  // namespace
}  // namespace rnullfs
