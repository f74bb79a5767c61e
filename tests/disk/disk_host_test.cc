// What the disks of a process share, and requests without a front end.
#include "rnullfs/disk_host.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <vector>

namespace rnullfs {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

TEST(DiskHostTest, DisksAreNumbered) {
  DiskHost host;
  Disk a(1, "a", host.services());
  Disk b(2, "b", host.services());
  ASSERT_TRUE(a.Write("power", "1").ok());
  ASSERT_TRUE(b.Write("power", "1").ok());
  EXPECT_EQ(a.config().index, 0U);
  EXPECT_EQ(b.config().index, 1U);
}

TEST(DiskHostTest, DisksShareTheirMemory) {
  DiskHost host(8 * kMiB);
  Disk a(1, "a", host.services());
  Disk b(2, "b", host.services());
  const std::vector<char> data(6 * kMiB, 'x');
  for (Disk* const disk : {&a, &b}) {
    ASSERT_TRUE(disk->WriteJson(R"({"memory_backed": true, "discard": true, "power": true})").ok());
  }
  const Command write = {.op = Op::kWrite, .length = data.size(), .data = data.data()};
  EXPECT_EQ(a.Do(write), 0);
  EXPECT_EQ(b.Do(write), ENOSPC);
  EXPECT_EQ(b.Do({.op = Op::kDiscard, .length = data.size()}), 0);
  EXPECT_EQ(a.Do({.op = Op::kDiscard, .length = data.size()}), 0);
  EXPECT_EQ(b.Do(write), 0);
  EXPECT_GE(host.memory().used_bytes(), data.size());
}

TEST(DiskHostTest, AnswersThatAreLateAreWaitedFor) {
  DiskHost host;
  ASSERT_TRUE(host.Start().ok());
  Disk disk(1, "disk", host.services());
  ASSERT_TRUE(disk.WriteJson(R"({"memory_backed": true, "irqmode": 2, "completion_nsec": "2ms",
                                 "power": true})")
                  .ok());
  const int64_t begin_nsec = Clock::Real().NowNsec();
  char back[5] = "????";
  EXPECT_EQ(disk.Do({.op = Op::kWrite, .offset = 7, .length = 5, .data = "late"}), 0);
  EXPECT_EQ(disk.Do({.op = Op::kRead, .offset = 7, .length = 5}, back), 0);
  EXPECT_STREQ(back, "late");
  EXPECT_GE(Clock::Real().NowNsec() - begin_nsec, 4'000'000);
}

TEST(DiskHostTest, ADiskThatIsOffTakesNoRequests) {
  DiskHost host;
  Disk disk(1, "disk", host.services());
  EXPECT_EQ(disk.Do({.op = Op::kFlush}), ENXIO);
  EXPECT_FALSE(disk.Write("no_such_attribute", "1").ok());
  EXPECT_EQ(disk.last_error(), "no_such_attribute: there is no such attribute\n");
}

}  // namespace
}  // namespace rnullfs
