// XArray: looking for entries and gaps, walking, and the cursor.

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <vector>

#include "rnullfs/xarray.h"
#include "xarray_test_util.h"

namespace rnullfs {
namespace {

constexpr uint64_t kMax = UINT64_MAX;

template <typename FanOutType>
class XArrayFindTest : public XArrayTest<FanOutType> {
 protected:
  std::vector<uint64_t> Visited(uint64_t first, uint64_t last) {
    std::vector<uint64_t> visited;
    this->array_.ForEach(first, last,
                         [&visited](uint64_t index, void*) { visited.push_back(index); });
    return visited;
  }
};
TYPED_TEST_SUITE(XArrayFindTest, FanOuts, FanOutName);

TYPED_TEST(XArrayFindTest, FindsNothingInAnEmptyArray) {
  for (uint64_t index : Boundaries()) {
    const uint64_t first = index;
    EXPECT_EQ(this->array_.Find(&index, kMax), nullptr);
    EXPECT_EQ(index, first);
  }
}

TYPED_TEST(XArrayFindTest, FindsTheNextEntryFromEverywhere) {
  const auto indices = Boundaries();
  this->StoreAll(indices);
  for (const uint64_t stored : indices) {
    for (const uint64_t first : {stored - 1, stored, stored + 1}) {  // may wrap: also a start
      uint64_t index = first;
      EXPECT_EQ(this->array_.Find(&index, kMax), EntryOf(*indices.lower_bound(first)));
      EXPECT_EQ(index, *indices.lower_bound(first));
    }
  }
}

TYPED_TEST(XArrayFindTest, FindKeepsToTheRange) {
  this->StoreAll({10, 100000});
  uint64_t index = 11;
  EXPECT_EQ(this->array_.Find(&index, 99999), nullptr);
  EXPECT_EQ(index, 11U);
  EXPECT_EQ(this->array_.Find(&index, 10), nullptr) << "the range is empty";
  EXPECT_EQ(this->array_.Find(&index, 100000), EntryOf(100000));
  EXPECT_EQ(index, 100000U);
  index = 100001;
  EXPECT_EQ(this->array_.Find(&index, kMax), nullptr);
}

TYPED_TEST(XArrayFindTest, FindsTheLastIndex) {
  this->StoreAll({kMax});
  for (uint64_t index : {uint64_t{0}, kMax - 1, kMax}) {
    EXPECT_EQ(this->array_.Find(&index, kMax), EntryOf(kMax));
    EXPECT_EQ(index, kMax);
  }
  uint64_t index = 0;
  EXPECT_EQ(this->array_.Find(&index, kMax - 1), nullptr);
}

TYPED_TEST(XArrayFindTest, ForEachKeepsToTheRange) {
  const auto indices = Boundaries();
  this->StoreAll(indices);
  for (const uint64_t first : indices) {
    for (const uint64_t last : {first, first + 1, first * 2, kMax}) {
      if (last < first) continue;
      const std::vector<uint64_t> expected(indices.lower_bound(first), indices.upper_bound(last));
      EXPECT_EQ(this->Visited(first, last), expected) << first << ".." << last;
    }
  }
  EXPECT_TRUE(this->Visited(5, 4).empty());
}

TYPED_TEST(XArrayFindTest, ForEachMayEraseWhatItVisits) {
  auto indices = Boundaries();
  this->StoreAll(indices);
  this->array_.ForEach(0, kMax, [&](uint64_t index, void* entry) {
    EXPECT_EQ(this->array_.Erase(index), entry);
    EXPECT_EQ(indices.erase(index), 1U);
  });
  EXPECT_TRUE(indices.empty());
  this->ExpectExactly({});
}

TYPED_TEST(XArrayFindTest, ForEachVisitsWhatItStoresAhead) {
  this->StoreAll({0});
  this->array_.ForEach(0, kMax, [&](uint64_t index, void*) {
    if (index < 300) this->StoreAll({index + 7});
    if (index > 0) this->array_.Erase(index - 7);
  });
  this->ExpectExactly({301});
}

TYPED_TEST(XArrayFindTest, ForEachGoesOnWhenItsLeafIsReplaced) {
  this->StoreAll({0, 1});
  std::vector<uint64_t> visited;
  this->array_.ForEach(0, kMax, [&](uint64_t index, void*) {
    visited.push_back(index);
    if (index != 0) return;
    this->array_.Clear();
    this->StoreAll({1, kMax});
  });
  EXPECT_EQ(visited, (std::vector<uint64_t>{0, 1, kMax}));
}

TYPED_TEST(XArrayFindTest, CursorLoadsWhatLoadDoes) {
  const auto indices = Boundaries();
  this->StoreAll(indices);
  typename TestFixture::Array::Cursor cursor(this->array_);
  for (const uint64_t stored : indices) {
    for (const uint64_t index : {stored - 1, stored, stored + 1, stored ^ 1}) {
      EXPECT_EQ(cursor.Load(index), this->array_.Load(index));
    }
  }
}

TYPED_TEST(XArrayFindTest, CursorSeesStoresAndErasures) {
  typename TestFixture::Array::Cursor cursor(this->array_);
  EXPECT_EQ(cursor.Load(0), nullptr);
  this->StoreAll({0, 1});
  EXPECT_EQ(cursor.Load(0), EntryOf(0));
  this->array_.Erase(1);
  EXPECT_EQ(cursor.Load(1), nullptr);
  EXPECT_EQ(cursor.Load(0), EntryOf(0));
}

TYPED_TEST(XArrayFindTest, CursorLeavesALeafThatIsReplaced) {
  for (const uint64_t index : {uint64_t{0}, uint64_t{77777}, kMax}) {
    this->StoreAll({index});
    typename TestFixture::Array::Cursor cursor(this->array_);
    EXPECT_EQ(cursor.Load(index), EntryOf(index));
    this->array_.Erase(index);
    EXPECT_EQ(cursor.Load(index), nullptr);
    this->StoreAll({index});
    EXPECT_EQ(cursor.Load(index), EntryOf(index));
    this->array_.Clear();
    this->array_.Store(index, XArray::MakeValue(1));
    EXPECT_EQ(cursor.Load(index), XArray::MakeValue(1));
    this->array_.Clear();
  }
}

}  // namespace
}  // namespace rnullfs
