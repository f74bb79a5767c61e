#include "rnullfs/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace rnullfs {
namespace {

constexpr int kSubBucketBits = 8;
constexpr uint64_t kHalf = uint64_t{1} << (kSubBucketBits - 1);

// HdrHistogram's counts_index_for(): the values' upper 8 bits, and how far they were shifted.
uint64_t BucketOf(uint64_t value) {
  const int shift = std::max(static_cast<int>(std::bit_width(value)) - kSubBucketBits, 0);
  return shift * kHalf + (value >> shift);
}

uint64_t HighestOf(uint64_t bucket) {
  if (bucket < 2 * kHalf) return bucket;
  const uint64_t shift = bucket / kHalf - 1;
  return ((bucket - shift * kHalf + 1) << shift) - 1;
}

}  // namespace

void Histogram::Record(uint64_t value) const {
  value = std::min(value, kHighest);
  cells_[BucketOf(value)].fetch_add(1, std::memory_order_relaxed);
  cells_[kSum].fetch_add(value, std::memory_order_relaxed);
  uint64_t max = Max();
  while (max < value && !cells_[kMax].compare_exchange_weak(max, value)) {
  }
}

void Histogram::Walk(absl::FunctionRef<void(uint64_t highest, uint64_t count)> visit) const {
  for (uint64_t bucket = 0; bucket < kBuckets; ++bucket) {
    const uint64_t count = cells_[bucket].load(std::memory_order_relaxed);
    if (count != 0) visit(HighestOf(bucket), count);
  }
}

uint64_t Histogram::Count() const {
  uint64_t all = 0;
  Walk([&](uint64_t /*highest*/, uint64_t count) { all += count; });
  return all;
}

uint64_t Histogram::Percentile(double percent) const {
  const double wanted = std::ceil(percent / 100 * static_cast<double>(Count()));
  uint64_t below = 0;
  uint64_t found = 0;
  Walk([&](uint64_t highest, uint64_t count) {
    if (below == 0 || static_cast<double>(below) < wanted) found = highest;
    below += count;
  });
  return std::min(found, Max());
}

}  // namespace rnullfs
