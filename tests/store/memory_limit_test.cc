#include "rnullfs/memory_limit.h"

#include <gtest/gtest.h>
#include <sys/sysinfo.h>

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

TEST(AvailableMemory, IsSomeOfWhatTheMachineHas) {
  struct sysinfo machine = {};
  ASSERT_EQ(sysinfo(&machine), 0);
  EXPECT_GT(AvailableMemory(), 0);
  EXPECT_LE(AvailableMemory(), uint64_t{machine.totalram} * machine.mem_unit);
  EXPECT_GE(AvailableMemoryAndSwap() + kSpared, AvailableMemory());
}

}  // namespace
}  // namespace rnullfs
