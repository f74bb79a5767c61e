// When a disk answers: irqmode and completion_nsec, seen by the kernel.

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <future>
#include <string>
#include <string_view>
#include <vector>

#include "fuse/fuse_test.h"

namespace rnullfs {
namespace {

class CompletionTest : public FuseTest {
 protected:
  using Clock = std::chrono::steady_clock;

  OpenFile MakeDisk(std::string_view name, std::string_view json) {
    return kernel_.OpenOf(kernel_.MakeDevice(name, json), "disk", O_RDWR);
  }
};

TEST_F(CompletionTest, AnswersInTheOrderOfCompletion) {
  const OpenFile slow = MakeDisk("slow", R"({"irqmode": 2, "completion_nsec": 1000000000,
                                             "memory_backed": true, "power": true})");
  const OpenFile inline_disk =
      MakeDisk("inline", R"({"irqmode": 0, "memory_backed": true, "power": true})");
  const OpenFile soft = MakeDisk("soft", R"({"irqmode": 1, "memory_backed": true, "power": true})");
  std::future<FuseReply> first = kernel_.SendWrite(slow, 0, "slow");
  std::vector<std::future<FuseReply>> later;
  for (const OpenFile disk : {inline_disk, soft}) {
    later.push_back(kernel_.SendWrite(disk, 0, "quick"));
  }
  const FuseReply slow_reply = FakeKernel::Await(std::move(first));
  EXPECT_EQ(slow_reply.error, 0);
  EXPECT_EQ(slow_reply.As<fuse_write_out>().size, 4U);
  for (std::future<FuseReply>& reply : later) {
    const FuseReply quick = FakeKernel::Await(std::move(reply));
    EXPECT_EQ(quick.As<fuse_write_out>().size, 5U);
    EXPECT_LT(quick.number, slow_reply.number);
  }
  for (const OpenFile disk : {inline_disk, soft}) {
    EXPECT_EQ(kernel_.Read(disk, 0, 5).data, "quick");
  }
  for (const OpenFile disk : {slow, inline_disk, soft}) kernel_.Close(disk);
}

TEST_F(CompletionTest, ManyRequestsWaitAtTheSameTime) {
  constexpr int kRequests = 128;
  constexpr std::chrono::milliseconds kDelay(200);
  const OpenFile disk = MakeDisk("d", R"({"irqmode": 2, "completion_nsec": 200000000,
                                          "power": true})");
  const Clock::time_point start = Clock::now();
  std::vector<std::future<FuseReply>> replies;
  replies.reserve(kRequests);
  for (int i = 0; i < kRequests; ++i) replies.push_back(kernel_.SendRead(disk, 4096 * i, 4096));
  for (std::future<FuseReply>& reply : replies) {
    EXPECT_EQ(FakeKernel::Await(std::move(reply)).data, std::string(4096, '\0'));
  }
  const Clock::duration took = Clock::now() - start;
  EXPECT_GE(took, kDelay);
  EXPECT_LT(took, kDelay * kRequests / 4);  // far from one after the other
  kernel_.Close(disk);
}

TEST_F(CompletionTest, ErrorsAndFlushesWaitAsWell) {
  const OpenFile disk = MakeDisk("d", R"({"size": 1, "irqmode": 2, "completion_nsec": 50000000,
                                          "power": true})");
  const Clock::time_point start = Clock::now();
  EXPECT_EQ(kernel_.Write(disk, 1 << 20, "beyond").error, ENOSPC);
  EXPECT_EQ(kernel_.Sync(disk).error, 0);
  EXPECT_GE(Clock::now() - start, std::chrono::milliseconds(100));
  kernel_.Close(disk);
}

}  // namespace
}  // namespace rnullfs
