// How exactly completion_nsec is kept: from Submit() to the completion, less what was asked for.
//
//     latency_bench [completion_nsec] [rounds]
//
// One request at a time, then 128 that are in flight at once.  The submitter sleeps until all are
// answered, so that it doesn't keep a processor busy that the queue's thread might need.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
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

void Answered(void* tag, const Answer& /*answer*/) {
  auto* request = static_cast<Request*>(tag);
  request->answered_nsec = Clock::Real().NowNsec();
  request->answered->release();
}

// How late each of `rounds` * `depth` requests was answered, in ns, sorted.
std::vector<int64_t> Measure(Device& device, int depth, int rounds) {
  std::counting_semaphore<> answered(0);
  std::vector<Request> requests(depth, Request{.answered = &answered});
  std::vector<int64_t> late;
  for (int round = 0; round < rounds; ++round) {
    for (Request& request : requests) {
      request.submitted_nsec = Clock::Real().NowNsec();
      device.Submit({Op::kWrite, 0, 0, nullptr}, {Answered, &request});
    }
    for (int i = 0; i < depth; ++i) answered.acquire();
    for (const Request& request : requests) {
      late.push_back(request.answered_nsec - request.submitted_nsec -
                     static_cast<int64_t>(device.config().completion_nsec));
    }
  }
  std::sort(late.begin(), late.end());
  return late;
}

void Report(Device& device, int depth, int rounds) {
  const std::vector<int64_t> late = Measure(device, depth, rounds);
  const auto usec = [&late](size_t percent) {
    return static_cast<double>(late[(late.size() - 1) * percent / 100]) / 1000;
  };
  std::printf("%3d in flight: late by p50 %.1f us, p90 %.1f us, p99 %.1f us, at most %.1f us\n",
              depth, usec(50), usec(90), usec(99), usec(100));
}

void Run(uint64_t completion_nsec, int rounds) {
  CompletionQueue completions(Clock::Real());
  MemoryLimit memory;
  Medium medium("latency", memory);
  Statistics statistics;
  const std::unique_ptr<Device> device =
      *Device::PowerOn({.irqmode = IrqMode::kTimer, .completion_nsec = completion_nsec}, medium,
                       statistics, {Clock::Real(), completions});
  std::printf("completion_nsec=%llu\n", static_cast<unsigned long long>(completion_nsec));
  Report(*device, 1, rounds);
  Report(*device, 128, rounds);
}

}  // namespace
}  // namespace rnullfs

int main(int argc, char** argv) {
  const uint64_t completion_nsec = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 5'000;
  rnullfs::Run(completion_nsec, std::max(rounds, 1));
}
