// What a disk has been asked to do: requests, bytes and errors for each operation.
//
// Thread safety: all calls from any thread.  Counting writes to memory that the counting thread
// mostly has to itself; a snapshot adds it all up, each counter exact, but not all of them taken at
// one instant.
#ifndef RNULLFS_STATISTICS_H_
#define RNULLFS_STATISTICS_H_

#include <array>
#include <cstdint>

#include "rnullfs/command.h"
#include "rnullfs/counters.h"

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
  // `counters` have them all, and outlive this.
  explicit Statistics(Counters& counters);

  void Started();
  void Finished(Op op, uint64_t bytes, int error);
  StatisticsSnapshot Snapshot() const;

  // For counters that another process has left: what was under way there is no more.
  void ForgetInFlight();

 private:
  struct OpCells {
    ShardedCell requests, bytes, errors;
  };
  const std::array<OpCells, kOpCount> ops_;  // indexed by Op
  const ShardedCell started_;
  const ShardedCell finished_;
};

}  // namespace rnullfs

#endif  // RNULLFS_STATISTICS_H_
