// The write cache against its model, with the death of its process now and then.
//
// RNULLFS_TEST_SEED and RNULLFS_TEST_OPERATIONS ask for others than the usual ones.

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "cached_disk.h"
#include "from_environment.h"
#include "write_cache_model.h"

namespace rnullfs {
namespace {

constexpr uint64_t kDiskBytes = 64 * kPage;
constexpr uint64_t kCachePages = 24;

// The parameter is the block size.
class WriteCacheRandom : public testing::TestWithParam<uint64_t> {
 protected:
  uint64_t Below(uint64_t bound) { return random_() % bound; }

  // Mostly short ranges, from a block on.
  void ChooseRange() {
    const uint64_t blocks = kDiskBytes / GetParam();
    const uint64_t first = Below(blocks);
    const uint64_t length = 1 + Below(Below(16) == 0 ? blocks : 3 * kPage / GetParam());
    offset_ = first * GetParam();
    length_ = std::min(length, blocks - first) * GetParam();
  }

  std::string AnyData() {
    std::string data(length_, '\0');
    for (char& byte : data) byte = static_cast<char>(random_());
    return data;
  }

  void Write() {
    const std::string data = AnyData();
    model_.Write(offset_, data);
    ASSERT_EQ(disk_.Write(offset_, data), 0);
  }

  void WriteThrough() {
    const std::string data = AnyData();
    model_.WriteThrough(offset_, data);
    ASSERT_EQ(disk_.WriteThrough(offset_, data), 0);
  }

  void Step() {
    ChooseRange();
    switch (Below(32)) {
      case 0:
        model_.Flush();
        ASSERT_EQ(disk_.cache().Flush(), 0);
        return;
      case 1:
        model_.BeKilled();
        return disk_.BeKilled();
      case 2:
        model_.Allocate(offset_, length_);
        ASSERT_EQ(disk_.cache().Allocate(offset_, length_), 0);
        return;
      case 3:
      case 4:
      case 5:
        model_.Discard(offset_, length_);
        ASSERT_EQ(disk_.cache().Discard(offset_, length_), 0);
        return;
      case 6:
      case 7:
        model_.WriteZeroes(offset_, length_);
        ASSERT_EQ(disk_.cache().WriteZeroes(offset_, length_), 0);
        return;
      case 8:
      case 9:
      case 10:
        return WriteThrough();
      case 11:
      case 12:
      case 13:
        ASSERT_EQ(disk_.cache().NextData(offset_), model_.Next(offset_, true));
        ASSERT_EQ(disk_.cache().NextHole(offset_), model_.Next(offset_, false));
        return;
      case 14:
      case 15:
      case 16:
      case 17:
      case 18:
      case 19:
        ASSERT_EQ(disk_.Read(offset_, length_), model_.Read(offset_, length_));
        return;
      default:
        return Write();
    }
  }

  const uint64_t seed_ = FromEnvironment("RNULLFS_TEST_SEED", 1);
  std::mt19937_64 random_{seed_};
  WriteCacheModel model_{kDiskBytes, kCachePages};
  CachedDisk disk_{kDiskBytes, kCachePages* kPage};
  uint64_t offset_ = 0;
  uint64_t length_ = 0;
};

INSTANTIATE_TEST_SUITE_P(BlockSizes, WriteCacheRandom, testing::Values(512, 1024, 4096),
                         testing::PrintToStringParamName());

TEST_P(WriteCacheRandom, DoesWhatTheModelDoes) {
  const uint64_t steps = FromEnvironment("RNULLFS_TEST_OPERATIONS", Repetitions(20'000));
  for (uint64_t step = 0; step < steps && !HasFailure(); ++step) {
    SCOPED_TRACE(testing::Message() << "RNULLFS_TEST_SEED=" << seed_ << ", step " << step);
    Step();
    ASSERT_LE(disk_.cache().cached_pages(), kCachePages);
    ASSERT_EQ(disk_.cache().cached_pages(), model_.cached_pages());
    ASSERT_EQ(disk_.written_back(), model_.written_back());
    if (step % 64 != 0) continue;
    ASSERT_EQ(disk_.Read(0, kDiskBytes), model_.Read(0, kDiskBytes));
    ASSERT_EQ(Read(disk_.disk(), 0, kDiskBytes), model_.disk());
  }
}

}  // namespace
}  // namespace rnullfs
