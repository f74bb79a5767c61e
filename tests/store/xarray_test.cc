// XArray: loading, storing, comparing and exchanging, erasing.

#include "rnullfs/xarray.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "xarray_test_util.h"

namespace rnullfs {
namespace {

constexpr uint64_t kMax = UINT64_MAX;

TYPED_TEST_SUITE(XArrayTest, FanOuts, FanOutName);

TYPED_TEST(XArrayTest, IsEmptyAtFirst) {
  for (const uint64_t index : Boundaries()) {
    EXPECT_EQ(this->array_.Load(index), nullptr);
    EXPECT_EQ(this->array_.Erase(index), nullptr);
  }
  EXPECT_TRUE(this->array_.Empty());
  EXPECT_EQ(this->array_.NodeCount(), 0U);
}

TYPED_TEST(XArrayTest, HoldsASingleEntryAtAnyBoundary) {
  for (const uint64_t index : Boundaries()) {
    SCOPED_TRACE(index);
    this->StoreAll({index});
    EXPECT_EQ(this->array_.Load(index), EntryOf(index));
    if (index != 0) {
      EXPECT_EQ(this->array_.Load(index - 1), nullptr);
    }
    if (index != kMax) {
      EXPECT_EQ(this->array_.Load(index + 1), nullptr);
    }
    this->ExpectExactly({index});
    EXPECT_EQ(this->array_.Erase(index), EntryOf(index));
    this->ExpectExactly({});
  }
}

TYPED_TEST(XArrayTest, HoldsEntriesAtAllBoundariesAtOnce) {
  const auto indices = Boundaries();
  this->StoreAll(indices);
  for (const uint64_t index : indices) EXPECT_EQ(this->array_.Load(index), EntryOf(index));
  this->ExpectExactly(indices);
}

TYPED_TEST(XArrayTest, StaysSmallestWhileErasingUpwards) {
  auto indices = Boundaries();
  this->StoreAll(indices);
  while (!indices.empty()) {
    EXPECT_EQ(this->array_.Erase(*indices.begin()), EntryOf(*indices.begin()));
    indices.erase(indices.begin());
    this->ExpectExactly(indices);
  }
}

TYPED_TEST(XArrayTest, StaysSmallestWhileErasingDownwards) {
  auto indices = Boundaries();
  this->StoreAll(indices);
  while (!indices.empty()) {
    const uint64_t last = *indices.rbegin();
    EXPECT_EQ(this->array_.Erase(last), EntryOf(last));
    indices.erase(last);
    this->ExpectExactly(indices);
  }
}

TYPED_TEST(XArrayTest, GrowsAndShrinksEntryByEntry) {
  constexpr uint64_t kCount = 200;
  for (uint64_t count = 0; count < kCount; ++count) {
    for (uint64_t i = 0; i < kCount; ++i) {
      ASSERT_EQ(this->array_.Load(i), i < count ? EntryOf(i) : nullptr);
    }
    this->StoreAll({count});
  }
  for (uint64_t count = kCount; count-- > 0;) {
    EXPECT_EQ(this->array_.Erase(count), EntryOf(count));
    for (uint64_t i = 0; i < kCount; ++i) {
      ASSERT_EQ(this->array_.Load(i), i < count ? EntryOf(i) : nullptr);
    }
  }
  EXPECT_TRUE(this->array_.Empty());
}

TYPED_TEST(XArrayTest, LowersTheTreeWhenTheFarEntryGoes) {
  this->StoreAll({0});
  EXPECT_EQ(this->array_.NodeCount(), 1U);
  this->StoreAll({kMax});
  EXPECT_GT(this->array_.NodeCount(), 2U * 64 / this->kChunkShift - 2);
  EXPECT_EQ(this->array_.Load(0), EntryOf(0));
  this->array_.Erase(kMax);
  EXPECT_EQ(this->array_.NodeCount(), 1U);
  EXPECT_EQ(this->array_.Load(0), EntryOf(0));
}

TYPED_TEST(XArrayTest, StoreReplacesAndReturnsTheOldEntry) {
  for (const uint64_t index : {uint64_t{0}, uint64_t{5}, kMax}) {
    this->StoreAll({index});
    const auto replaced = this->array_.Store(index, XArray::MakeValue(7));
    EXPECT_EQ(replaced.old, EntryOf(index));
    EXPECT_EQ(replaced.error, 0);
    EXPECT_EQ(this->array_.Load(index), XArray::MakeValue(7));
  }
  EXPECT_EQ(this->array_.NodeCount(), LeastNodes({0, 5, kMax}, this->kChunkShift));
}

TYPED_TEST(XArrayTest, StoringNullptrErases) {
  this->StoreAll({1, 100});
  const auto erased = this->array_.Store(100, nullptr);
  EXPECT_EQ(erased.old, EntryOf(100));
  EXPECT_EQ(erased.error, 0);
  this->ExpectExactly({1});
  EXPECT_EQ(this->array_.Store(kMax, nullptr).old, nullptr);
  this->ExpectExactly({1});
}

TYPED_TEST(XArrayTest, CmpXchgStoresOnlyOverWhatIsExpected) {
  void* const five = XArray::MakeValue(5);
  void* const six = XArray::MakeValue(6);
  this->StoreAll({12345678});
  EXPECT_EQ(this->array_.CmpXchg(12345678, six, five).old, EntryOf(12345678));
  EXPECT_EQ(this->array_.Load(12345678), EntryOf(12345678));
  EXPECT_EQ(this->array_.CmpXchg(12345678, nullptr, five).old, EntryOf(12345678));
  EXPECT_EQ(this->array_.Load(12345678), EntryOf(12345678));
  EXPECT_EQ(this->array_.CmpXchg(12345678, EntryOf(12345678), five).old, EntryOf(12345678));
  EXPECT_EQ(this->array_.Load(12345678), five);
}

TYPED_TEST(XArrayTest, CmpXchgOfAVacantIndex) {
  void* const five = XArray::MakeValue(5);
  EXPECT_EQ(this->array_.CmpXchg(kMax, five, five).old, nullptr);
  EXPECT_EQ(this->array_.CmpXchg(kMax, nullptr, nullptr).old, nullptr);
  EXPECT_EQ(this->array_.NodeCount(), 0U);
  EXPECT_EQ(this->array_.CmpXchg(kMax, nullptr, five).old, nullptr);
  EXPECT_EQ(this->array_.Load(kMax), five);
  EXPECT_EQ(this->array_.CmpXchg(kMax, five, nullptr).old, five);
  this->ExpectExactly({});
}

TYPED_TEST(XArrayTest, ClearErasesEverything) {
  this->array_.Clear();
  this->StoreAll(Boundaries());
  this->array_.Clear();
  this->ExpectExactly({});
  this->StoreAll({3});
  this->ExpectExactly({3});
}

TEST(XArrayEntry, ValuesSurvive) {
  for (const uint64_t value : {uint64_t{0}, uint64_t{1}, uint64_t{4096}, kMax >> 1}) {
    void* const entry = XArray::MakeValue(value);
    EXPECT_NE(entry, nullptr);
    EXPECT_TRUE(XArray::IsValue(entry));
    EXPECT_EQ(XArray::ToValue(entry), value);
  }
}

TEST(XArrayEntry, PointersAreNotValues) {
  alignas(4) char objects[3][4];
  XArray array;
  for (auto& object : objects) {
    EXPECT_FALSE(XArray::IsValue(object));
    array.Store(9, object);
    EXPECT_EQ(array.Load(9), object);
  }
}

TEST(XArrayDeathTest, RefusesAnEntryItUsesItself) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  XArray array;
  alignas(4) char object[4];
  EXPECT_DEATH(array.Store(0, object + 2), "aligned to 4 bytes");
}

TEST(XArrayMemory, TakesAtMostNineBytesAPageWhenDense) {
  XArray array;
  constexpr uint64_t kPages = 1 << 16;
  for (uint64_t index = 0; index < kPages; ++index) array.Store(index, EntryOf(index));
  EXPECT_EQ(array.NodeCount(), kPages / 64 + kPages / 4096 + 1);
  // With the allocator's word and rounding as in glibc.
  constexpr uint64_t kMalloced = (sizeof(XArrayNode<6>) + sizeof(size_t) + 15) / 16 * 16;
  EXPECT_LE(array.NodeCount() * kMalloced, kPages * 9);
}

}  // namespace
}  // namespace rnullfs
