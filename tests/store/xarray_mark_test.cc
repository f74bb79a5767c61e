// XArray: marks.

#include <gtest/gtest.h>

#include <cstdint>
#include <set>

#include "rnullfs/xarray.h"
#include "xarray_test_util.h"

namespace rnullfs {
namespace {

constexpr uint64_t kMax = UINT64_MAX;
constexpr auto kMark0 = XArray::kMark0;
constexpr auto kMark1 = XArray::kMark1;
constexpr auto kMark2 = XArray::kMark2;

template <typename FanOutType>
class XArrayMarkTest : public XArrayTest<FanOutType> {
 protected:
  // Every index with the mark, by searching from the bottom up.
  std::set<uint64_t> AllMarked(XArray::Mark mark) {
    std::set<uint64_t> found;
    uint64_t index = 0;
    while (void* const entry = this->array_.FindMarked(&index, kMax, mark)) {
      EXPECT_EQ(entry, EntryOf(index));
      EXPECT_TRUE(found.insert(index).second) << index << " twice";
      if (index++ == kMax) break;
    }
    return found;
  }
};
TYPED_TEST_SUITE(XArrayMarkTest, FanOuts, FanOutName);

TYPED_TEST(XArrayMarkTest, AVacantIndexTakesNoMark) {
  this->array_.SetMark(0, kMark0);
  EXPECT_FALSE(this->array_.Marked(kMark0));
  this->StoreAll({1, 1000});
  for (const uint64_t vacant : {uint64_t{0}, uint64_t{2}, uint64_t{999}, kMax}) {
    this->array_.SetMark(vacant, kMark0);
    this->array_.ClearMark(vacant, kMark0);
    EXPECT_FALSE(this->array_.GetMark(vacant, kMark0));
    this->StoreAll({vacant});
    EXPECT_FALSE(this->array_.GetMark(vacant, kMark0)) << "storing made a mark appear";
  }
  EXPECT_FALSE(this->array_.Marked(kMark0));
}

TYPED_TEST(XArrayMarkTest, MarksOneEntryWithOneMark) {
  const auto indices = Boundaries();
  this->StoreAll(indices);
  for (const uint64_t index : indices) {
    SCOPED_TRACE(index);
    this->array_.SetMark(index, kMark1);
    EXPECT_TRUE(this->array_.GetMark(index, kMark1));
    EXPECT_FALSE(this->array_.GetMark(index, kMark0));
    EXPECT_EQ(this->AllMarked(kMark1), std::set<uint64_t>{index});
    EXPECT_TRUE(this->array_.Marked(kMark1));
    EXPECT_FALSE(this->array_.Marked(kMark0));
    EXPECT_FALSE(this->array_.Marked(kMark2));
    this->array_.ClearMark(index, kMark1);
    EXPECT_FALSE(this->array_.GetMark(index, kMark1));
    EXPECT_FALSE(this->array_.Marked(kMark1));
  }
}

TYPED_TEST(XArrayMarkTest, FindsAllMarkedInOrder) {
  const auto indices = Boundaries();
  this->StoreAll(indices);
  std::set<uint64_t> even, rest;
  for (const uint64_t index : indices) (index % 2 == 0 ? even : rest).insert(index);
  for (const uint64_t index : even) this->array_.SetMark(index, kMark2);
  for (const uint64_t index : rest) this->array_.SetMark(index, kMark0);
  EXPECT_EQ(this->AllMarked(kMark2), even);
  EXPECT_EQ(this->AllMarked(kMark0), rest);
  EXPECT_TRUE(this->AllMarked(kMark1).empty());
}

TYPED_TEST(XArrayMarkTest, FindMarkedKeepsToTheRange) {
  this->StoreAll({3, 500, 70000});
  for (const uint64_t index : {3, 500, 70000}) this->array_.SetMark(index, kMark0);
  uint64_t index = 4;
  EXPECT_EQ(this->array_.FindMarked(&index, 499, kMark0), nullptr);
  EXPECT_EQ(index, 4U);
  EXPECT_EQ(this->array_.FindMarked(&index, 500, kMark0), EntryOf(500));
  EXPECT_EQ(index, 500U);
  index = 70001;
  EXPECT_EQ(this->array_.FindMarked(&index, kMax, kMark0), nullptr);
  EXPECT_EQ(this->array_.FindMarked(&index, 70000, kMark0), nullptr) << "the range is empty";
  EXPECT_EQ(index, 70001U);
}

TYPED_TEST(XArrayMarkTest, ReplacingAnEntryKeepsItsMarks) {
  this->StoreAll({300});
  this->array_.SetMark(300, kMark0);
  this->array_.SetMark(300, kMark2);
  this->array_.Store(300, XArray::MakeValue(1));
  EXPECT_TRUE(this->array_.GetMark(300, kMark0));
  EXPECT_FALSE(this->array_.GetMark(300, kMark1));
  EXPECT_TRUE(this->array_.GetMark(300, kMark2));
}

TYPED_TEST(XArrayMarkTest, ErasingAnEntryClearsItsMarks) {
  this->StoreAll({300, 301, kMax});
  for (const uint64_t index : {uint64_t{300}, uint64_t{301}, kMax}) {
    this->array_.SetMark(index, kMark0);
  }
  this->array_.Erase(300);
  EXPECT_EQ(this->AllMarked(kMark0), (std::set<uint64_t>{301, kMax}));
  this->StoreAll({300});
  EXPECT_FALSE(this->array_.GetMark(300, kMark0));
  this->array_.Erase(kMax);
  this->array_.Erase(301);
  EXPECT_FALSE(this->array_.Marked(kMark0));
}

TYPED_TEST(XArrayMarkTest, ErasingARangeClearsItsMarks) {
  const auto indices = Boundaries();
  this->StoreAll(indices);
  for (const uint64_t index : indices) this->array_.SetMark(index, kMark1);
  // Cuts through a leaf at both ends and takes whole subtrees between.
  this->array_.EraseRange(5, uint64_t{1} << 40);
  std::set<uint64_t> left;
  for (const uint64_t index : indices) {
    if (index < 5 || index > uint64_t{1} << 40) left.insert(index);
  }
  EXPECT_EQ(this->AllMarked(kMark1), left);
  this->array_.EraseRange(0, kMax - 1);
  EXPECT_EQ(this->AllMarked(kMark1), std::set<uint64_t>{kMax});
  this->array_.EraseRange(kMax, kMax);
  EXPECT_FALSE(this->array_.Marked(kMark1));
}

TYPED_TEST(XArrayMarkTest, MarksSurviveGrowingAndShrinking) {
  this->StoreAll({0, 1});
  this->array_.SetMark(1, kMark0);
  for (const uint64_t far : Boundaries()) {
    if (far < 2) continue;
    this->StoreAll({far});
    EXPECT_EQ(this->AllMarked(kMark0), std::set<uint64_t>{1});
    EXPECT_FALSE(this->array_.Marked(kMark1));
    this->array_.Erase(far);
    EXPECT_EQ(this->AllMarked(kMark0), std::set<uint64_t>{1});
  }
}

}  // namespace
}  // namespace rnullfs
