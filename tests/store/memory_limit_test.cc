#include "rnullfs/memory_limit.h"

#include <gtest/gtest.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "rnullfs/page_store.h"

namespace rnullfs {
namespace {

constexpr uint64_t kSpared = MemoryLimit::kSpared;
constexpr uint64_t kPage = PageStore::kPageSize;

uint64_t available = 0;
int asked = 0;

uint64_t Ask() {
  ++asked;
  return available;
}

// What the machine says from now on.
void MachineHas(uint64_t bytes) {
  available = bytes;
  asked = 0;
}

TEST(MemoryLimit, SparesSomeOfTheMachine) {
  MachineHas(kSpared + 2 * kPage);
  MemoryLimit memory(MemoryLimit::kNone, Ask);
  EXPECT_TRUE(memory.Has(2 * kPage));
  EXPECT_FALSE(memory.Has(2 * kPage + 1));
  EXPECT_FALSE(memory.Take(3 * kPage));
  EXPECT_EQ(memory.used_bytes(), 0);
  EXPECT_TRUE(memory.Take(2 * kPage));
  available = kSpared;
  EXPECT_FALSE(memory.Take(kPage));
  available = 0;
  EXPECT_FALSE(memory.Take(kPage));
  EXPECT_FALSE(memory.Has(1));
  EXPECT_TRUE(memory.Has(0)) << "nothing to allocate";
}

TEST(MemoryLimit, HasNothingWhereItCannotEvenAsk) {
  MemoryLimit memory(100 * kPage, []() -> uint64_t { throw std::bad_alloc(); });
  EXPECT_FALSE(memory.Take(kPage));
  EXPECT_EQ(memory.used_bytes(), 0);
}

TEST(MemoryLimit, AsksTheMachineOnceForALease) {
  MachineHas(UINT64_MAX);
  MemoryLimit memory(MemoryLimit::kNone, Ask);
  const uint64_t pages = MemoryLimit::kLeaseMax / kPage;
  for (uint64_t page = 0; page <= pages; ++page) ASSERT_TRUE(memory.Take(kPage));
  EXPECT_EQ(asked, 1);
  ASSERT_TRUE(memory.Take(kPage));
  EXPECT_EQ(asked, 2);
}

TEST(MemoryLimit, LeasesLessAsMemoryGoes) {
  MachineHas(kSpared + 64 * 10 * kPage);
  MemoryLimit memory(MemoryLimit::kNone, Ask);
  ASSERT_TRUE(memory.Take(kPage));
  available = 0;
  int taken = 0;
  while (memory.Take(kPage)) ++taken;
  EXPECT_EQ(taken, 9);
}

TEST(MemoryLimit, IsForWhatIsTakenAndReserved) {
  MachineHas(UINT64_MAX);
  MemoryLimit memory(10 * kPage, Ask);
  EXPECT_TRUE(memory.Take(4 * kPage));
  EXPECT_TRUE(memory.Reserve(5 * kPage));
  EXPECT_EQ(memory.left_bytes(), kPage);
  EXPECT_FALSE(memory.Has(2 * kPage));
  EXPECT_FALSE(memory.Take(2 * kPage));
  EXPECT_FALSE(memory.Reserve(2 * kPage));
  EXPECT_FALSE(memory.Reserve(UINT64_MAX));
  memory.Give(kPage);
  EXPECT_TRUE(memory.Take(2 * kPage));
  memory.Add(kPage);
  EXPECT_EQ(memory.left_bytes(), 0) << "over the limit";
  EXPECT_FALSE(memory.Take(1));
}

TEST(MemoryLimit, IsNeverOverdrawnByThreads) {
  MachineHas(UINT64_MAX);
  constexpr int kThreads = 4;
  MemoryLimit memory(
      1000 * kPage, +[] { return UINT64_MAX; });
  std::vector<int> taken(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&memory, &mine = taken[i]] {
      while (memory.Take(kPage)) ++mine;
    });
  }
  for (std::thread& thread : threads) thread.join();
  int sum = 0;
  for (const int mine : taken) sum += mine;
  EXPECT_EQ(sum, 1000);
}

// --- A part of it --------------------------------------------------------------------------------

TEST(MemoryLimitPart, TakesOfBothOrOfNeither) {
  MachineHas(UINT64_MAX);
  MemoryLimit whole(10 * kPage, Ask);
  MemoryLimit one(whole);
  MemoryLimit other(whole);
  EXPECT_EQ(one.left_bytes(), 10 * kPage);
  one.SetLimit(4 * kPage);
  EXPECT_EQ(one.left_bytes(), 4 * kPage);
  EXPECT_FALSE(one.Take(5 * kPage));
  EXPECT_FALSE(one.Reserve(5 * kPage));
  EXPECT_FALSE(one.Has(5 * kPage));
  EXPECT_TRUE(one.Has(4 * kPage));
  EXPECT_EQ(whole.used_bytes(), 0);
  EXPECT_TRUE(other.Take(8 * kPage));
  EXPECT_EQ(one.left_bytes(), 2 * kPage);
  for (const bool take : {false, true}) {
    EXPECT_FALSE(take ? one.Take(3 * kPage) : one.Reserve(3 * kPage)) << "the whole is full";
    EXPECT_EQ(one.used_bytes(), 0);
    EXPECT_EQ(whole.used_bytes(), 8 * kPage);
  }
  EXPECT_TRUE(one.Take(kPage));
  EXPECT_TRUE(one.Reserve(kPage));
  EXPECT_FALSE(other.Take(kPage));
  one.Give(2 * kPage);
  other.Give(8 * kPage);
  EXPECT_EQ(one.used_bytes() + other.used_bytes() + whole.used_bytes(), 0);
}

TEST(MemoryLimitPart, OfAMachineThatHasNoneTakesNothing) {
  MachineHas(kSpared);
  MemoryLimit whole(MemoryLimit::kNone, Ask);
  MemoryLimit part(whole);
  EXPECT_FALSE(part.Take(kPage));
  EXPECT_FALSE(part.Has(kPage));
  EXPECT_EQ(part.used_bytes(), 0);
  EXPECT_EQ(whole.used_bytes(), 0);
}

TEST(MemoryLimitPart, HasNothingLeftWhereItsLimitIsLessThanWhatItHas) {
  MachineHas(UINT64_MAX);
  MemoryLimit whole(MemoryLimit::kNone, Ask);
  MemoryLimit part(whole);
  part.Add(3 * kPage);
  part.SetLimit(kPage);
  EXPECT_EQ(part.left_bytes(), 0);
  EXPECT_FALSE(part.Take(1));
  EXPECT_TRUE(part.Has(0));
  part.Give(3 * kPage);
  EXPECT_TRUE(part.Take(kPage));
  part.SetLimit(MemoryLimit::kNone);
  EXPECT_TRUE(part.Take(100 * kPage));
  EXPECT_EQ(whole.used_bytes(), 101 * kPage);
}

TEST(MemoryLimitPart, WhoWatchesWatchesTheWhole) {
  MachineHas(UINT64_MAX);
  MemoryLimit whole(kPage, Ask);
  MemoryLimit one(whole);
  MemoryLimit other(whole);
  ASSERT_TRUE(one.Take(kPage));
  int looks = 0;
  one.Watch(&one, [&] {
    ++looks;
    one.Give(kPage);
    return MemoryLimit::Look::kOver;
  });
  EXPECT_TRUE(other.Insist([&] { return other.Take(kPage); }));
  EXPECT_EQ(looks, 1);
  other.Watch(&other, [&] {
    ++looks;
    return MemoryLimit::Look::kGoesOn;
  });
  other.Unwatch(&other);
  EXPECT_FALSE(one.LookAgain());
  EXPECT_EQ(looks, 1);
}

TEST(MemoryLimitPart, ThreadsOverdrawNeitherNorTheWhole) {
  MachineHas(UINT64_MAX);
  MemoryLimit whole(30 * kPage, [] { return uint64_t{UINT64_MAX}; });
  MemoryLimit parts[2] = {MemoryLimit(whole), MemoryLimit(whole)};
  for (MemoryLimit& part : parts) part.SetLimit(20 * kPage);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      MemoryLimit& part = parts[i % 2];
      for (int times = 0; times < 5000; ++times) {
        if (times % 2 == 0 ? !part.Take(11 * kPage) : !part.Reserve(11 * kPage)) continue;
        EXPECT_LE(part.used_bytes(), 20 * kPage);
        EXPECT_LE(whole.used_bytes(), 30 * kPage);
        part.Give(11 * kPage);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(parts[0].used_bytes() + parts[1].used_bytes() + whole.used_bytes(), 0);
}

TEST(AvailableMemory, IsSomeOfWhatTheMachineHas) {
  struct sysinfo machine = {};
  ASSERT_EQ(sysinfo(&machine), 0);
  EXPECT_GT(AvailableMemory(), 0);
  EXPECT_LE(AvailableMemory(), uint64_t{machine.totalram} * machine.mem_unit);
  EXPECT_GE(AvailableMemoryAndSwap() + kSpared, AvailableMemory());
}

// Control groups made of plain files.
class MemoryGroupsTest : public testing::Test {
 protected:
  void Write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = mounts_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  uint64_t Left(const std::string& groups) const {
    return LeftInMemoryGroups(groups, mounts_.string());
  }
  void TearDown() override { std::filesystem::remove_all(mounts_); }

 private:
  const std::filesystem::path mounts_ =
      std::filesystem::path(testing::TempDir()) / ("groups" + std::to_string(getpid()));
};

TEST_F(MemoryGroupsTest, LeaveNoLimitWhereThereIsNone) {
  EXPECT_EQ(Left(""), UINT64_MAX);
  EXPECT_EQ(Left("0::/\n"), UINT64_MAX);
  EXPECT_EQ(Left("nonsense\n1:memory\n"), UINT64_MAX);
  Write("a/memory.max", "max\n");
  EXPECT_EQ(Left("0::/a\n"), UINT64_MAX);
}

TEST_F(MemoryGroupsTest, OfVersion2LeaveTheLeastOfAllAbove) {
  Write("a/b/memory.max", "1000\n");
  Write("a/b/memory.current", "700\n");
  Write("a/b/memory.stat", "anon 1\ninactive_file 100\nactive_file 50\n");
  EXPECT_EQ(Left("0::/a/b\n"), 450);
  Write("a/memory.max", "800\n");
  Write("a/memory.current", "700\n");
  EXPECT_EQ(Left("1:name=systemd:/x\n0::/a/b\n"), 100);
  Write("memory.max", "10\n");
  EXPECT_EQ(Left("0::/not/seen\n"), 10) << "a container's own group is the root";
}

TEST_F(MemoryGroupsTest, OfVersion1LeaveTheLeastOfAllAbove) {
  const std::string unlimited = "9223372036854771712\n";
  Write("memory/memory.limit_in_bytes", unlimited);
  Write("memory/a/memory.limit_in_bytes", "1000\n");
  Write("memory/a/memory.usage_in_bytes", "700\n");
  Write("memory/a/memory.stat",
        "cache 1\ninactive_file 9\ntotal_inactive_file 100\ntotal_active_file 50\n");
  Write("memory/a/b/memory.limit_in_bytes", unlimited);
  EXPECT_EQ(Left("4:memory:/a/b\n0::/\n"), 450);
  EXPECT_EQ(Left("4:cpu,memory:/a:b\n"), 9223372036854771712U);
  EXPECT_EQ(Left("4:cpu,memory:/a\n"), 450);
  EXPECT_EQ(Left("4:name=memory:/a\n"), UINT64_MAX);
  Write("memory/a/memory.usage_in_bytes", "2000\n");
  EXPECT_EQ(Left("4:memory:/a\n"), 0);
}

}  // namespace
}  // namespace rnullfs
