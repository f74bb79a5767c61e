#include "rnullfs/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace rnullfs {
namespace {

class HistogramTest : public testing::Test {
 protected:
  std::vector<std::atomic<uint64_t>> cells_ = std::vector<std::atomic<uint64_t>>(Histogram::kCells);
  const Histogram histogram_{cells_.data()};
};

TEST_F(HistogramTest, IsEmptyWhenNew) {
  EXPECT_EQ(histogram_.Count(), 0);
  EXPECT_EQ(histogram_.Sum(), 0);
  EXPECT_EQ(histogram_.Max(), 0);
  EXPECT_EQ(histogram_.Percentile(50), 0);
}

// HdrHistogram's own layout (countsArrayIndex of 2 significant digits): where each width begins.
TEST_F(HistogramTest, IsLaidOutAsHdrHistogram) {
  const struct {
    uint64_t value, cell, highest;
  } cases[] = {{0, 0, 0},
               {1, 1, 1},
               {255, 255, 255},
               {256, 256, 257},
               {257, 256, 257},
               {258, 257, 259},
               {511, 383, 511},
               {512, 384, 515},
               {1'000'000, 1780, 1'003'519},
               {3'600'000'000, 3286, 3'607'101'439},
               {UINT32_MAX, Histogram::kBuckets - 1, UINT32_MAX},
               {UINT64_MAX, Histogram::kBuckets - 1, UINT32_MAX}};
  for (const auto& expected : cases) {
    const uint64_t before = cells_[expected.cell];
    histogram_.Record(expected.value);
    EXPECT_EQ(cells_[expected.cell], before + 1) << expected.value;
    bool found = false;
    histogram_.Walk([&](uint64_t highest, uint64_t /*count*/) {
      found = found || highest == expected.highest;
    });
    EXPECT_TRUE(found) << expected.value;
  }
  EXPECT_EQ(histogram_.Count(), std::size(cases));
  EXPECT_EQ(histogram_.Max(), UINT32_MAX);
}

TEST_F(HistogramTest, KnowsPercentilesToWithinOnePercent) {
  std::mt19937_64 random(1);
  std::lognormal_distribution<double> latency(5, 3);
  std::vector<uint64_t> values(100'000);
  for (uint64_t& value : values) {
    value = std::min(static_cast<uint64_t>(latency(random)), Histogram::kHighest);
    histogram_.Record(value);
  }
  std::sort(values.begin(), values.end());
  for (const double percent : {0.0, 0.001, 1.0, 50.0, 90.0, 99.0, 99.9, 99.999, 100.0}) {
    const auto rank = static_cast<size_t>(std::ceil(percent / 100 * values.size()));
    const uint64_t exact = values[rank == 0 ? 0 : rank - 1];
    EXPECT_GE(histogram_.Percentile(percent), exact) << percent;
    EXPECT_LE(histogram_.Percentile(percent), exact + exact / 100) << percent;
  }
  EXPECT_EQ(histogram_.Max(), values.back());
  EXPECT_EQ(histogram_.Percentile(100), values.back());
}

}  // namespace
}  // namespace rnullfs
