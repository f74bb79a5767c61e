// XArray: random operations, compared with a std::map.

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>

#include "rnullfs/xarray.h"
#include "xarray_test_util.h"

namespace rnullfs {
namespace {

template <typename FanOutType>
class XArrayModelTest : public XArrayTest<FanOutType> {
 protected:
  void Run(uint64_t seed, int steps) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    random_.seed(seed);
    for (int step = 0; step < steps && !this->HasFailure(); ++step) {
      Step();
      if (step % 64 == 0) Compare();
    }
    Compare();
  }

 private:
  uint64_t Below(uint64_t bound) { return random_() % bound; }

  // Near 0, near a power of two or near the end, so that indices meet again.
  uint64_t AnyIndex() {
    switch (Below(4)) {
      case 0:
        return Below(300);
      case 1:
        return (uint64_t{1} << Below(64)) + Below(5) - 2;
      case 2:
        return UINT64_MAX - Below(100);
      default:
        return (uint64_t{1} << 32) + Below(200);
    }
  }

  void* ModelLoad(uint64_t index) {
    const auto found = model_.find(index);
    return found == model_.end() ? nullptr : found->second;
  }
  void ModelStore(uint64_t index, void* entry) {
    if (entry == nullptr) {
      model_.erase(index);
    } else {
      model_[index] = entry;
    }
  }

  void Step() {
    const uint64_t index = AnyIndex();
    void* const entry = XArray::MakeValue(Below(3));
    switch (Below(6)) {
      case 0:
      case 1:
      case 2:
        EXPECT_EQ(this->array_.Store(index, entry).old, ModelLoad(index));
        ModelStore(index, entry);
        break;
      case 3:
        EXPECT_EQ(this->array_.Erase(index), ModelLoad(index));
        ModelStore(index, nullptr);
        break;
      case 4:
        StepCmpXchg(index, entry);
        break;
      default:
        StepEraseRange(index, AnyIndex());
        break;
    }
  }

  void StepCmpXchg(uint64_t index, void* desired) {
    void* const expected = Below(2) == 0 ? nullptr : XArray::MakeValue(Below(3));
    void* const old = ModelLoad(index);
    if (Below(4) == 0) desired = nullptr;
    EXPECT_EQ(this->array_.CmpXchg(index, expected, desired).old, old);
    if (old == expected) ModelStore(index, desired);
  }

  void StepEraseRange(uint64_t first, uint64_t last) {
    // Most ranges short, or the array would be empty most of the time.
    if (Below(8) != 0) last = first + Below(20);
    const uint64_t before = model_.size();
    if (first <= last) model_.erase(model_.lower_bound(first), model_.upper_bound(last));
    EXPECT_EQ(this->array_.EraseRange(first, last), before - model_.size());
  }

  void Compare() {
    std::set<uint64_t> indices;
    for (const auto& [index, expected] : model_) {
      indices.insert(indices.end(), index);
      EXPECT_EQ(this->array_.Load(index), expected) << index;
    }
    EXPECT_EQ(this->array_.NodeCount(), LeastNodes(indices, this->kChunkShift));
    CompareFind();
  }

  void CompareFind() {
    for (int i = 0; i < 8; ++i) {
      uint64_t index = AnyIndex();
      const uint64_t last = AnyIndex();
      const auto next = model_.lower_bound(index);
      const bool there = next != model_.end() && index <= last && next->first <= last;
      const uint64_t expected = there ? next->first : index;
      EXPECT_EQ(this->array_.Find(&index, last), there ? next->second : nullptr);
      EXPECT_EQ(index, expected);
    }
  }

  std::mt19937_64 random_;
  std::map<uint64_t, void*> model_;
};
TYPED_TEST_SUITE(XArrayModelTest, FanOuts, FanOutName);

TYPED_TEST(XArrayModelTest, BehavesAsAMap) { this->Run(1, 6'000); }

// A new sequence every day this runs; what fails names its seed.
TYPED_TEST(XArrayModelTest, BehavesAsAMapWithAnotherSeed) {
  this->Run(std::random_device()(), 6'000);
}

}  // namespace
}  // namespace rnullfs
