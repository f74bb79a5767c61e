// What a disk has been asked to do: requests, bytes and errors for each operation.
//
// Thread safety: all calls from any thread.  Counting writes to memory that the counting thread
// mostly has to itself; a snapshot adds it all up, each counter exact, but not all of them taken at
// one instant.
#ifndef RNULLFS_STATISTICS_H_
#define RNULLFS_STATISTICS_H_

#include <array>
#include <atomic>
#include <cstdint>

#include "rnullfs/command.h"

namespace rnullfs {

inline constexpr int kOpCount = 6;

struct OpStatistics {
  uint64_t requests = 0;  // completed, failed ones included
  uint64_t bytes = 0;     // of those that succeeded
  uint64_t errors = 0;
};

struct StatisticsSnapshot {
  std::array<OpStatistics, kOpCount> ops;  // indexed by Op
  uint64_t in_flight = 0;
  const OpStatistics& operator[](Op op) const { return ops[static_cast<int>(op)]; }
};

class Statistics {
 public:
  void Started();
  void Finished(Op op, uint64_t bytes, int error);
  StatisticsSnapshot Snapshot() const;

  // For counters that another process has left: what was under way there is no more.
  void ForgetInFlight();

 private:
  static constexpr int kShards = 16;
  struct Counter {
    std::atomic<uint64_t> requests{0}, bytes{0}, errors{0};
  };
  struct alignas(64) Shard {
    std::array<Counter, kOpCount> ops;
    std::atomic<uint64_t> started{0}, finished{0};
  };
  Shard& Mine();
  std::array<Shard, kShards> shards_;
};

}  // namespace rnullfs

#endif  // RNULLFS_STATISTICS_H_
