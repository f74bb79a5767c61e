// XArray: erasing ranges.

#include <gtest/gtest.h>

#include <cstdint>
#include <set>

#include "rnullfs/xarray.h"
#include "xarray_test_util.h"

namespace rnullfs {
namespace {

constexpr uint64_t kMax = UINT64_MAX;

template <typename FanOutType>
class XArrayEraseRangeTest : public XArrayTest<FanOutType> {
 protected:
  // Erases first..last of `stored` and compares with a set; the array is empty again afterwards.
  void Check(std::set<uint64_t> stored, uint64_t first, uint64_t last) {
    SCOPED_TRACE(testing::Message() << first << ".." << last);
    this->StoreAll(stored);
    const uint64_t before = stored.size();
    if (first <= last) stored.erase(stored.lower_bound(first), stored.upper_bound(last));
    EXPECT_EQ(this->array_.EraseRange(first, last), before - stored.size());
    this->ExpectExactly(stored);
    EXPECT_EQ(this->array_.EraseRange(0, kMax), stored.size());
    this->ExpectExactly({});
  }
};
TYPED_TEST_SUITE(XArrayEraseRangeTest, FanOuts, FanOutName);

TYPED_TEST(XArrayEraseRangeTest, OfAnEmptyArrayErasesNothing) {
  EXPECT_EQ(this->array_.EraseRange(0, kMax), 0U);
  EXPECT_EQ(this->array_.EraseRange(kMax, kMax), 0U);
}

TYPED_TEST(XArrayEraseRangeTest, BetweenBoundaries) {
  const auto indices = Boundaries();
  for (const unsigned low : {0, 6, 7, 36}) {
    for (const unsigned high : {0, 6, 11, 12, 60, 63}) {
      const uint64_t first = uint64_t{1} << low;
      const uint64_t last = uint64_t{1} << high;
      this->Check(indices, first, last);
      this->Check(indices, first - 1, last - 1);
      this->Check(indices, first + 1, last + 1);
    }
  }
}

TYPED_TEST(XArrayEraseRangeTest, AtTheEnds) {
  const auto indices = Boundaries();
  this->Check(indices, 0, 0);
  this->Check(indices, 0, kMax);
  this->Check(indices, 0, kMax - 1);
  this->Check(indices, 1, kMax);
  this->Check(indices, kMax, kMax);
  this->Check(indices, kMax - 1, kMax);
  this->Check(indices, kMax, 0);
}

TYPED_TEST(XArrayEraseRangeTest, BeyondTheTree) {
  this->Check({0, 1}, 2, kMax);
  this->Check({0, 1}, 1, kMax);
  this->Check({0, 1}, kMax - 5, kMax);
}

TYPED_TEST(XArrayEraseRangeTest, OfARun) {
  std::set<uint64_t> run;
  for (uint64_t index = 100; index < 700; ++index) run.insert(index);
  for (const uint64_t first : {0, 99, 100, 101, 127, 128, 129, 255, 256, 511, 699, 700}) {
    for (const uint64_t last : {99, 100, 127, 128, 191, 256, 512, 575, 576, 698, 699, 700, 5000}) {
      this->Check(run, first, last);
    }
  }
}

TYPED_TEST(XArrayEraseRangeTest, LeavesTheNeighbours) {
  this->StoreAll({63, 64, 127, 128});
  EXPECT_EQ(this->array_.EraseRange(64, 127), 2U);
  this->ExpectExactly({63, 128});
}

}  // namespace
}  // namespace rnullfs
