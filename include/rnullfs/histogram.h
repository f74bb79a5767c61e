// How often values were how large, in HdrHistogram's layout with two significant digits: counts for
// 256 values of one unit each, then for 128 of two units each, of four, and so on.  So each value
// is known to within 1 %, and what is counted of two histograms can be added up.
//
// Values go up to 2^32 - 1, which in microseconds is more than an hour; larger ones count as that.
//
// Thread safety: all calls from any thread; what is read while others record may lack the latest.
#ifndef RNULLFS_HISTOGRAM_H_
#define RNULLFS_HISTOGRAM_H_

#include <atomic>
#include <cstdint>

#include "absl/functional/function_ref.h"

namespace rnullfs {

class Histogram {
 public:
  static constexpr uint64_t kHighest = UINT32_MAX;
  static constexpr uint64_t kBuckets = uint64_t{26} * 128;
  static constexpr uint64_t kCells = kBuckets + 2;

  // Over that many cells, which outlive it; zeros are an empty one.
  explicit Histogram(std::atomic<uint64_t>* cells) : cells_(cells) {}

  void Record(uint64_t value) const;

  uint64_t Count() const;
  uint64_t Sum() const { return cells_[kSum].load(std::memory_order_relaxed); }
  uint64_t Max() const { return cells_[kMax].load(std::memory_order_relaxed); }
  // The least value that is known to be as large as `percent` of all; 0 when there are none.
  uint64_t Percentile(double percent) const;

  // Each bucket that has any, the smallest values first; `highest` is the largest it counts.
  void Walk(absl::FunctionRef<void(uint64_t highest, uint64_t count)> visit) const;

 private:
  static constexpr uint64_t kSum = kBuckets;
  static constexpr uint64_t kMax = kBuckets + 1;
  std::atomic<uint64_t>* cells_;
};

}  // namespace rnullfs

#endif  // RNULLFS_HISTOGRAM_H_
