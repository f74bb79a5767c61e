// How exactly completion_nsec is kept at the device, without FUSE: from Submit() to the completion,
// less what was asked for.  Beside it a bare clock_nanosleep() of the same time: what the machine
// itself can do.
//
//     latency_bench [completion_nsec] [requests]
//
// One request at a time, then 32 and 128 that are in flight at once.  The submitter sleeps until
// all are answered, so that it doesn't keep a processor busy that the queue's thread might need.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <semaphore>
#include <vector>

#include "device/completion_queue.h"
#include "rnullfs/clock.h"
#include "rnullfs/device.h"

namespace rnullfs {
namespace {

struct Request {
  int64_t submitted_nsec = 0;
  int64_t answered_nsec = 0;
  std::counting_semaphore<>* answered = nullptr;
};

constexpr int kMostInFlight = 128;

void Answered(void* tag, const Answer& /*answer*/) {
  auto* request = static_cast<Request*>(tag);
  request->answered_nsec = Clock::Real().NowNsec();
  request->answered->release();
}

// How late each of `requests` was answered, in ns, with `depth` of them in flight; each was to take
// `completion_nsec`.
std::vector<int64_t> Measure(Device& device, uint64_t completion_nsec, int depth, int requests) {
  std::counting_semaphore<> answered(0);
  std::vector<Request> wave(depth, Request{.answered = &answered});
  std::vector<int64_t> late;
  while (late.size() < static_cast<size_t>(requests)) {
    for (Request& request : wave) {
      request.submitted_nsec = Clock::Real().NowNsec();
      device.Submit({Op::kWrite, 0, 0, nullptr}, {Answered, &request});
    }
    for (int i = 0; i < depth; ++i) answered.acquire();
    for (const Request& request : wave) {
      late.push_back(request.answered_nsec - request.submitted_nsec -
                     static_cast<int64_t>(completion_nsec));
    }
  }
  return late;
}

// How late this thread woke up each time from sleeping `nsec`, in ns.
std::vector<int64_t> MeasureSleep(uint64_t nsec, int times) {
  const timespec time = {.tv_sec = static_cast<time_t>(nsec / 1'000'000'000),
                         .tv_nsec = static_cast<long>(nsec % 1'000'000'000)};
  std::vector<int64_t> late;
  for (int i = 0; i < times; ++i) {
    const int64_t begin = Clock::Real().NowNsec();
    clock_nanosleep(CLOCK_MONOTONIC, 0, &time, nullptr);
    late.push_back(Clock::Real().NowNsec() - begin - static_cast<int64_t>(nsec));
  }
  return late;
}

// bench/latency reads these lines.
void Report(const char* what, int depth, std::vector<int64_t> late) {
  std::sort(late.begin(), late.end());
  const auto usec = [&late](size_t per_mille) {
    return static_cast<double>(late[(late.size() - 1) * per_mille / 1000]) / 1000;
  };
  std::printf(
      "%s, %d in flight: late by p50 %.1f us, p99 %.1f us, p99.9 %.1f us, at most %.1f us\n", what,
      depth, usec(500), usec(990), usec(999), usec(1000));
}

void Run(uint64_t completion_nsec, int requests) {
  CompletionQueue completions(Clock::Real());
  MemoryLimit memory;
  DeviceCounters counters;
  Medium medium{
      {.name = "latency", .cache_name = "latency cache", .memory = memory, .counters = counters}};
  const std::unique_ptr<Device> device =
      *Device::PowerOn({.irqmode = IrqMode::kTimer,
                        .completion_nsec = completion_nsec,
                        .hw_queue_depth = kMostInFlight},
                       medium, counters, {Clock::Real(), completions});
  std::printf("completion_nsec=%llu\n", static_cast<unsigned long long>(completion_nsec));
  Report("clock_nanosleep", 1, MeasureSleep(completion_nsec, requests));
  for (const int depth : {1, 32, kMostInFlight}) {
    Report("device", depth, Measure(*device, completion_nsec, depth, requests));
  }
}

}  // namespace
}  // namespace rnullfs

int main(int argc, char** argv) {
  const uint64_t completion_nsec = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000;
  const int requests = argc > 2 ? std::atoi(argv[2]) : 5'000;
  rnullfs::Run(completion_nsec, std::max(requests, 1));
}
