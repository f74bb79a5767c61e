#include "store/memory_budget.h"

#include <gtest/gtest.h>
#include <sys/sysinfo.h>

#include "rnullfs/page_store.h"

namespace rnullfs {
namespace {

constexpr uint64_t kReserve = MemoryBudget::kReserve;
constexpr uint64_t kPage = PageStore::kPageSize;

uint64_t available = 0;
int asked = 0;

MemoryBudget NewBudget(uint64_t available_now) {
  available = available_now;
  asked = 0;
  return MemoryBudget(+[] {
    ++asked;
    return available;
  });
}

TEST(MemoryBudget, KeepsTheReserve) {
  MemoryBudget budget = NewBudget(kReserve + 2 * kPage);
  EXPECT_TRUE(budget.Has(2 * kPage));
  EXPECT_FALSE(budget.Has(2 * kPage + 1));
  EXPECT_FALSE(budget.Take(3 * kPage));
  EXPECT_TRUE(budget.Take(2 * kPage));
  available = kReserve;
  EXPECT_FALSE(budget.Take(kPage));
  available = 0;
  EXPECT_FALSE(budget.Take(kPage));
  EXPECT_FALSE(budget.Has(1));
  EXPECT_TRUE(budget.Has(0)) << "nothing to allocate";
}

TEST(MemoryBudget, AsksOnceForALease) {
  MemoryBudget budget = NewBudget(UINT64_MAX);
  const uint64_t pages = MemoryBudget::kLeaseMax / kPage;
  for (uint64_t page = 0; page < pages; ++page) ASSERT_TRUE(budget.Take(kPage));
  EXPECT_EQ(asked, 1);
  ASSERT_TRUE(budget.Take(2 * kPage));
  EXPECT_EQ(asked, 2);
}

TEST(MemoryBudget, LeasesLessAsMemoryGoes) {
  constexpr uint64_t kLeft = 64 * 10 * kPage;
  MemoryBudget budget = NewBudget(kReserve + kLeft);
  ASSERT_TRUE(budget.Take(kPage));
  available = 0;
  int taken = 0;
  while (budget.Take(kPage)) ++taken;
  EXPECT_EQ(taken, 9);
}

TEST(AvailableMemory, IsSomeOfWhatTheMachineHas) {
  struct sysinfo machine = {};
  ASSERT_EQ(sysinfo(&machine), 0);
  const uint64_t all = (machine.totalram + machine.totalswap) * machine.mem_unit;
  EXPECT_GT(AvailableMemory(), 0);
  EXPECT_LE(AvailableMemory(), all);
}

}  // namespace
}  // namespace rnullfs
