// Fault rules that have requests wait: delays and hangs.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "device/fault_rules_util.h"

namespace rnullfs {
namespace {

constexpr int64_t kMsec = 1'000'000;

TEST_F(FaultRulesTest, DelaysAddUpAndErrorsAreDelayed) {
  disk_.SetRules("a: read delay 20ms\nb: read error\nc: read delay 10ms");
  const int64_t begin_nsec = Clock::Real().NowNsec();
  const Outcome read = disk_.Read(0, 512);
  EXPECT_EQ(read.error, EIO);
  EXPECT_GE(read.answered_nsec - begin_nsec, 30 * kMsec);
}

TEST_F(FaultRulesTest, LanesDelaySoManyAtOnce) {
  disk_.SetRules("a: read delay 20ms lanes 2");
  const int64_t begin_nsec = Clock::Real().NowNsec();
  Request requests[6];
  for (Request& request : requests) {
    disk_.device().Submit({Op::kRead, 0, 512}, request.completion());
  }
  for (int i = 0; i < 6; ++i) {
    EXPECT_GE(requests[i].Wait().answered_nsec - begin_nsec, 20 * kMsec * (1 + i / 2)) << i;
  }
}

// By what `last` has noted.
std::vector<uint64_t> DelaysOf(TestDisk& disk, const std::string& delay) {
  std::vector<uint64_t> delays;
  disk.SetRules("x: off read delay " + delay);
  disk.SetRules("x: read delay " + delay);
  for (int i = 0; i < 40; ++i) {
    for (int j = 0; j < 50; ++j) disk.Read(0, 512);
    for (const FaultFile::Event& event : disk.rules().EventsOf("x")) {
      if (delays.size() < static_cast<size_t>(i + 1) * 50) delays.push_back(event.detail);
    }
  }
  std::sort(delays.begin(), delays.end());
  return delays;
}

TEST_F(FaultRulesTest, DelaysAreDistributedAsSaid) {
  const std::vector<uint64_t> uniform = DelaysOf(disk_, "10us-50us");
  EXPECT_GE(uniform.front(), 10'000U);
  EXPECT_LE(uniform.back(), 50'000U);
  EXPECT_NEAR(static_cast<double>(uniform[uniform.size() / 2]), 30'000, 3'000);
  const std::vector<uint64_t> skewed = DelaysOf(disk_, "5us/50us");
  EXPECT_NEAR(static_cast<double>(skewed[skewed.size() / 2]), 5'000, 500);
  const auto above =
      std::count_if(skewed.begin(), skewed.end(), [](uint64_t nsec) { return nsec > 50'000; });
  EXPECT_GT(above, 4);
  EXPECT_LT(above, 50);
}

size_t Threads() {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/task"),
                                           std::filesystem::directory_iterator()));
}

TEST_F(FaultRulesTest, WhatHangsIsHeldUntilTheRuleIsOff) {
  Write(0, 'a');
  disk_.SetRules("x: read hang");
  const size_t threads = Threads();
  std::vector<std::unique_ptr<Request>> requests;
  for (int i = 0; i < 1000; ++i) {
    requests.push_back(std::make_unique<Request>());
    disk_.device().Submit({Op::kRead, 0, 512}, requests.back()->completion());
  }
  EXPECT_EQ(Write(1, 'b'), 0);
  EXPECT_LE(Threads(), threads + 1);  // the queue's own
  EXPECT_EQ(disk_.statistics().in_flight, 1000U);
  EXPECT_EQ(disk_.rules().CountsOf("x")->pending, 1000U);
  for (const auto& request : requests) EXPECT_FALSE(request->IsAnswered());
  disk_.SetRules("x: off read hang");
  for (const auto& request : requests) {
    const Outcome outcome = request->Wait();
    EXPECT_EQ(outcome.error, 0);
    EXPECT_EQ(outcome.data.at(0), 'a');
  }
  EXPECT_EQ(Hits("x"), 1000U);
  EXPECT_EQ(disk_.rules().CountsOf("x")->pending, 0U);
}

TEST_F(FaultRulesTest, WhoMayNotWaitIsBusyAndHasNotBeenCounted) {
  disk_.SetRules("a: read error EPERM probability 0\nx: read hang");
  std::vector<std::unique_ptr<Request>> requests;
  do {
    requests.push_back(std::make_unique<Request>());
    disk_.device().Submit({Op::kRead, 0, 512}, requests.back()->completion());
  } while (!requests.back()->IsAnswered());
  EXPECT_EQ(requests.back()->Wait().error, EBUSY);
  const uint64_t held = requests.size() - 1;
  EXPECT_GT(held, 5000U);
  EXPECT_EQ(Hits("x"), held);
  EXPECT_EQ(disk_.rules().CountsOf("x")->pending, held);
  EXPECT_EQ(Write(0, 'a'), 0);
  Request again;
  disk_.device().Submit({.op = Op::kRead, .offset = 0, .length = 512, .again = true},
                        again.completion());
  EXPECT_FALSE(again.IsAnswered()) << "it has waited before";
  disk_.SetRules("");
  for (const auto& request : requests) request->Wait();
  EXPECT_EQ(again.Wait().error, 0);
}

// Who is above gives up more than the request after a while.
TEST_F(FaultRulesTest, NobodyWaitsLongerThanThereIsPatience) {
  Medium& medium = disk_.mutable_medium();
  auto device = Device::PowerOn(
      Config(), medium, disk_.counters(),
      {.clock = Clock::Real(), .completions = disk_.completions(), .patience_nsec = 20 * kMsec});
  ASSERT_TRUE(device.ok());
  for (const char* const rule : {"x: read hang", "x: read delay 1s"}) {
    disk_.SetRules(rule);
    Request request;
    (*device)->Submit({Op::kRead, 0, 512}, request.completion());
    EXPECT_EQ(request.Wait().error, ETIMEDOUT) << rule;
  }
  disk_.SetRules("x: read delay 10ms");
  Request request;
  (*device)->Submit({Op::kRead, 0, 512}, request.completion());
  EXPECT_EQ(request.Wait().error, 0);
}

TEST_F(FaultRulesTest, WhatTwoRulesHoldWaitsForBoth) {
  disk_.SetRules("a: read hang\nb: read hang");
  Request request;
  disk_.device().Submit({Op::kRead, 0, 512}, request.completion());
  disk_.SetRules("a: read hang");
  EXPECT_FALSE(request.IsAnswered());
  disk_.SetRules("");
  EXPECT_EQ(request.Wait().error, 0);
  Request other;
  disk_.SetRules("a: read hang\nb: read hang");
  disk_.device().Submit({Op::kRead, 0, 512}, other.completion());
  disk_.SetRules("b: read hang");
  disk_.SetRules("");
  EXPECT_EQ(other.Wait().error, 0);
}

TEST_F(FaultRulesTest, WhatHangsIsAnsweredWhenTheQueueStops) {
  disk_.SetRules("x: read hang");
  Request request;
  disk_.device().Submit({Op::kRead, 0, 512}, request.completion());
  disk_.completions().Stop();
  EXPECT_EQ(request.Wait().error, 0);
  Request next;
  disk_.device().Submit({Op::kRead, 0, 512}, next.completion());
  EXPECT_EQ(next.Wait().error, 0);
}

TEST_F(FaultRulesTest, ARuleThatGoesLeavesWhatItDelays) {
  disk_.SetRules("x: read delay 30ms");
  Request request;
  disk_.device().Submit({Op::kRead, 0, 512}, request.completion());
  disk_.SetRules("");
  EXPECT_FALSE(request.IsAnswered());
  EXPECT_EQ(request.Wait().error, 0);
  EXPECT_FALSE(disk_.rules().CountsOf("x").has_value());
}

}  // namespace
}  // namespace rnullfs
