#include "rnullfs/device_counters.h"

#include "device/counter_list.h"

namespace rnullfs {

Statistics::Statistics(Counters& counters)
    : ops_{OpCells(counters, "reads"),        OpCells(counters, "writes"),
           OpCells(counters, "flushes"),      OpCells(counters, "discards"),
           OpCells(counters, "write_zeroes"), OpCells(counters, "allocates")},
      started_(counters.Sharded("started")),
      finished_(counters.Sharded("finished")) {}

void Statistics::Started() {
  started_[ShardedCell::MyShard()].fetch_add(1, std::memory_order_relaxed);
}

void Statistics::Finished(Op op, uint64_t bytes, int error) {
  const size_t shard = ShardedCell::MyShard();
  const OpCells& cells = ops_[static_cast<int>(op)];
  cells.requests[shard].fetch_add(1, std::memory_order_relaxed);
  if (error == 0) {
    cells.bytes[shard].fetch_add(bytes, std::memory_order_relaxed);
  } else {
    cells.errors[shard].fetch_add(1, std::memory_order_relaxed);
  }
  // Whoever counts this end must count the start, which happened before it.
  finished_[shard].fetch_add(1, std::memory_order_release);
}

StatisticsSnapshot Statistics::Snapshot() const {
  StatisticsSnapshot snapshot;
  const uint64_t finished = finished_.Sum(std::memory_order_acquire);
  for (int op = 0; op < kOpCount; ++op) {
    const OpCells& cells = ops_[op];
    snapshot.ops[op] = {cells.requests.Sum(), cells.bytes.Sum(), cells.errors.Sum()};
  }
  // Only now, so that there are never fewer starts than ends.
  snapshot.in_flight = started_.Sum() - finished;
  return snapshot;
}

void Statistics::ForgetInFlight() {
  for (size_t shard = 0; shard < CounterTable::kShards; ++shard) {
    started_[shard].store(finished_[shard].load());
  }
}

DeviceCounters::DeviceCounters()
    : DeviceCounters(
          []() -> const CounterTable& {
            static const CounterTable table = *CounterTable::Make(CounterRows(), {});
            return table;
          }(),
          nullptr) {}

}  // namespace rnullfs
