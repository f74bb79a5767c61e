// What the XArray's tests share.  They run over several fan-outs: small ones make trees as deep as
// the index has bits, out of few entries.
#ifndef RNULLFS_TESTS_STORE_XARRAY_TEST_UTIL_H_
#define RNULLFS_TESTS_STORE_XARRAY_TEST_UTIL_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>
#include <type_traits>

#include "rnullfs/xarray.h"

namespace rnullfs {

template <unsigned kChunkShift>
using FanOut = std::integral_constant<unsigned, kChunkShift>;
using FanOuts = testing::Types<FanOut<1>, FanOut<2>, FanOut<3>, FanOut<6>>;

struct FanOutName {
  template <typename T>
  static std::string GetName(int) {
    return "Slots" + std::to_string(1U << T::value);
  }
};

// The entry that belongs at `index`, so that one from elsewhere is told apart.
inline void* EntryOf(uint64_t index) { return XArray::MakeValue(index & (UINT64_MAX >> 1)); }

// 0, 2^n - 1, 2^n, 2^n + 1 for every n, and the last two.
inline std::set<uint64_t> Boundaries() {
  std::set<uint64_t> indices = {0, UINT64_MAX - 1, UINT64_MAX};
  for (unsigned bit = 0; bit < 64; ++bit) {
    const uint64_t power = uint64_t{1} << bit;
    indices.insert({power - 1, power, power + 1});
  }
  return indices;
}

// How many nodes the lowest tree without empty nodes has: one for each group of indices that share
// all bits above a level, from the leaves to the first level where all share them.
inline uint64_t LeastNodes(const std::set<uint64_t>& indices, unsigned chunk_shift) {
  if (indices.empty()) return 0;
  uint64_t nodes = 0;
  for (unsigned shift = chunk_shift;; shift += chunk_shift) {
    if (shift >= 64 || *indices.rbegin() >> shift == 0) return nodes + 1;
    uint64_t last = UINT64_MAX;  // no index shifted right
    for (const uint64_t index : indices) {
      if (index >> shift != last) ++nodes;
      last = index >> shift;
    }
  }
}

template <typename FanOutType>
class XArrayTest : public testing::Test {
 protected:
  static constexpr unsigned kChunkShift = FanOutType::value;
  static constexpr uint64_t kSlots = uint64_t{1} << kChunkShift;
  using Array = BasicXArray<kChunkShift>;

  // Stores EntryOf(index) at each index, which must be vacant.
  void StoreAll(const std::set<uint64_t>& indices) {
    for (const uint64_t index : indices) {
      const auto [old, error] = array_.Store(index, EntryOf(index));
      ASSERT_EQ(error, 0);
      ASSERT_EQ(old, nullptr) << index;
    }
  }

  // Whether exactly `indices` are stored, each with its own entry, in the smallest tree there is.
  void ExpectExactly(const std::set<uint64_t>& indices) {
    auto expected = indices.begin();
    array_.ForEach(0, UINT64_MAX, [&](uint64_t index, void* entry) {
      ASSERT_NE(expected, indices.end()) << "unexpected " << index;
      ASSERT_EQ(index, *expected);
      ASSERT_EQ(entry, EntryOf(index)) << index;
      ++expected;
    });
    EXPECT_TRUE(expected == indices.end());
    EXPECT_EQ(array_.NodeCount(), LeastNodes(indices, kChunkShift));
    EXPECT_EQ(array_.Empty(), indices.empty());
  }

  Array array_;
};

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_STORE_XARRAY_TEST_UTIL_H_
