// XArray: running out of memory, and giving it back.
//
// The linker gives this program our own functions for the allocations of nodes (--wrap in
// meson.build), which fail when told to and count.  The other forms of new and delete stay as they
// are, and so do sanitizers.

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdint>
#include <future>
#include <memory>
#include <new>
#include <set>
#include <thread>

#include "rnullfs/rcu.h"
#include "rnullfs/xarray.h"
#include "xarray_test_util.h"

namespace {

std::atomic<int> allocations_until_failure{INT_MAX};
std::atomic<int> live_blocks{0};

}  // namespace

// The operators new and delete for memory aligned beyond the default, which nothing has here but
// arrays, and nodes of small fan-outs.  Nodes alone come from the form that may return null.
// NOLINTBEGIN(bugprone-reserved-identifier): the names are the linker's.
extern "C" {
void* __real__ZnwmSt11align_val_t(size_t size, size_t alignment);
void* __real__ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment,
                                                const std::nothrow_t& nothrow);
void __real__ZdlPvSt11align_val_t(void* memory, size_t alignment);

void* __wrap__ZnwmSt11align_val_t(size_t size, size_t alignment) {
  ++live_blocks;
  return __real__ZnwmSt11align_val_t(size, alignment);
}
void* __wrap__ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment,
                                                const std::nothrow_t& nothrow) {
  if (allocations_until_failure.fetch_sub(1) <= 0) return nullptr;
  ++live_blocks;
  return __real__ZnwmSt11align_val_tRKSt9nothrow_t(size, alignment, nothrow);
}
void __wrap__ZdlPvSt11align_val_t(void* memory, size_t alignment) {
  --live_blocks;
  __real__ZdlPvSt11align_val_t(memory, alignment);
}
void __wrap__ZdlPvmSt11align_val_t(void* memory, size_t, size_t alignment) {
  __wrap__ZdlPvSt11align_val_t(memory, alignment);
}
}
// NOLINTEND(bugprone-reserved-identifier)

namespace rnullfs {
namespace {

constexpr uint64_t kMax = UINT64_MAX;

using SmallFanOuts = testing::Types<FanOut<1>, FanOut<2>, FanOut<3>>;

template <typename FanOutType>
class XArrayEnomemTest : public XArrayTest<FanOutType> {
 protected:
  // Has store() fail at its first allocation, then its second and so on, until it succeeds.
  // Return: how often it failed.
  template <typename Store>
  uint64_t FailEveryAllocationOf(Store store, const std::set<uint64_t>& before) {
    for (int allocations = 0;; ++allocations) {
      allocations_until_failure = allocations;
      const auto [old, error] = store();
      allocations_until_failure = INT_MAX;
      EXPECT_EQ(old, nullptr);
      if (error == 0) return allocations;
      EXPECT_EQ(error, ENOMEM);
      this->ExpectExactly(before);
    }
  }
};
TYPED_TEST_SUITE(XArrayEnomemTest, SmallFanOuts, FanOutName);

TYPED_TEST(XArrayEnomemTest, StoreInAnEmptyArrayChangesNothing) {
  for (const uint64_t index : {uint64_t{0}, uint64_t{1} << 40, kMax}) {
    const auto store = [&] { return this->array_.Store(index, EntryOf(index)); };
    const uint64_t failures = this->FailEveryAllocationOf(store, {});
    EXPECT_EQ(failures, LeastNodes({index}, this->kChunkShift));
    this->ExpectExactly({index});
    this->array_.Clear();
  }
}

TYPED_TEST(XArrayEnomemTest, StoreThatGrowsTheTreeChangesNothing) {
  this->StoreAll({1, 70});
  const auto store = [&] { return this->array_.Store(kMax, EntryOf(kMax)); };
  const uint64_t failures = this->FailEveryAllocationOf(store, {1, 70});
  EXPECT_EQ(failures,
            LeastNodes({1, 70, kMax}, this->kChunkShift) - LeastNodes({1, 70}, this->kChunkShift));
  this->ExpectExactly({1, 70, kMax});
}

TYPED_TEST(XArrayEnomemTest, StoreOfABranchChangesNothing) {
  const uint64_t middle = uint64_t{1} << 33;
  this->StoreAll({0, kMax});
  const auto store = [&] { return this->array_.CmpXchg(middle, nullptr, EntryOf(middle)); };
  EXPECT_GT(this->FailEveryAllocationOf(store, {0, kMax}), 0U);
  this->ExpectExactly({0, middle, kMax});
}

TYPED_TEST(XArrayEnomemTest, WhatNeedsNoNodeSucceedsWithoutMemory) {
  this->StoreAll({0, kMax});
  allocations_until_failure = 0;
  EXPECT_EQ(this->array_.Store(1, EntryOf(1)).error, 0);
  EXPECT_EQ(this->array_.Store(kMax, EntryOf(1)).old, EntryOf(kMax));
  EXPECT_EQ(this->array_.Store(uint64_t{1} << 40, nullptr).error, 0);
  EXPECT_EQ(this->array_.EraseRange(1, kMax), 2U);
  allocations_until_failure = INT_MAX;
  this->ExpectExactly({0});
}

// Waits until everything retired before is deleted: objects are deleted in the order they come.
// (urcu_bp_barrier() waits too, in a way that ThreadSanitizer cannot follow.)
void AwaitDeletions() {
  struct Last {
    rcu_head rcu{};
    std::promise<void>* deleted = nullptr;
    ~Last() { deleted->set_value(); }
  };
  std::promise<void> deleted;
  auto* const last = new Last;
  last->deleted = &deleted;
  RcuDelete(last);
  deleted.get_future().wait();
}

template <typename FanOutType>
class XArrayFreeTest : public XArrayTest<FanOutType> {
 protected:
  void SetUp() override {
    AwaitDeletions();  // of what the test before left
    blocks_before_ = live_blocks;
  }
  uint64_t LiveNodes() const { return live_blocks - blocks_before_; }

 private:
  int blocks_before_ = 0;
};
TYPED_TEST_SUITE(XArrayFreeTest, SmallFanOuts, FanOutName);

TYPED_TEST(XArrayFreeTest, FreesWhatLeavesTheTree) {
  this->StoreAll(Boundaries());
  EXPECT_EQ(this->LiveNodes(), this->array_.NodeCount());
  this->array_.Erase(kMax);
  this->array_.EraseRange(1000, uint64_t{1} << 50);
  AwaitDeletions();
  EXPECT_EQ(this->LiveNodes(), this->array_.NodeCount());
  EXPECT_GT(this->LiveNodes(), 0U);
  this->array_.Clear();
  AwaitDeletions();
  EXPECT_EQ(this->LiveNodes(), 0U);
}

TYPED_TEST(XArrayFreeTest, FreesNothingWhileAReaderMayUseIt) {
  this->StoreAll(Boundaries());
  const uint64_t before = this->LiveNodes();
  {
    const RcuReadGuard guard;
    this->array_.Clear();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));  // time to do it wrong
    EXPECT_EQ(this->LiveNodes(), before);
  }
  AwaitDeletions();
  EXPECT_EQ(this->LiveNodes(), 0U);
}

TYPED_TEST(XArrayFreeTest, AnInnerSectionDoesNotEndTheOuter) {
  this->StoreAll(Boundaries());
  const uint64_t before = this->LiveNodes();
  {
    typename TestFixture::Array::Cursor cursor(this->array_);
    EXPECT_EQ(cursor.Load(1), EntryOf(1));
    EXPECT_EQ(this->array_.Load(1), EntryOf(1));
    this->array_.Clear();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_EQ(this->LiveNodes(), before);
    EXPECT_EQ(cursor.Load(1), nullptr);
  }
  AwaitDeletions();
  EXPECT_EQ(this->LiveNodes(), 0U);
}

TYPED_TEST(XArrayFreeTest, TheDestructorFreesTheRest) {
  auto array = std::make_unique<typename TestFixture::Array>();
  for (const uint64_t index : Boundaries()) array->Store(index, EntryOf(index));
  EXPECT_GT(this->LiveNodes(), array->NodeCount());
  array.reset();
  EXPECT_EQ(this->LiveNodes(), 0U);
}

}  // namespace
}  // namespace rnullfs
