#include "rnullfs/statistics.h"

namespace rnullfs {

Statistics::Shard& Statistics::Mine() {
  static std::atomic<unsigned> threads{0};
  thread_local const unsigned thread = threads.fetch_add(1, std::memory_order_relaxed);
  return shards_[thread % kShards];
}

void Statistics::Started() { Mine().started.fetch_add(1, std::memory_order_relaxed); }

void Statistics::Finished(Op op, uint64_t bytes, int error) {
  Shard& shard = Mine();
  Counter& counter = shard.ops[static_cast<int>(op)];
  counter.requests.fetch_add(1, std::memory_order_relaxed);
  if (error == 0) {
    counter.bytes.fetch_add(bytes, std::memory_order_relaxed);
  } else {
    counter.errors.fetch_add(1, std::memory_order_relaxed);
  }
  // Whoever counts this end must count the start, which happened before it.
  shard.finished.fetch_add(1, std::memory_order_release);
}

StatisticsSnapshot Statistics::Snapshot() const {
  StatisticsSnapshot snapshot;
  uint64_t finished = 0;
  for (const Shard& shard : shards_) {
    finished += shard.finished.load(std::memory_order_acquire);
    for (int op = 0; op < kOpCount; ++op) {
      const Counter& counter = shard.ops[op];
      snapshot.ops[op].requests += counter.requests.load(std::memory_order_relaxed);
      snapshot.ops[op].bytes += counter.bytes.load(std::memory_order_relaxed);
      snapshot.ops[op].errors += counter.errors.load(std::memory_order_relaxed);
    }
  }
  // Only now, so that there are never fewer starts than ends.
  uint64_t started = 0;
  for (const Shard& shard : shards_) started += shard.started.load(std::memory_order_relaxed);
  snapshot.in_flight = started - finished;
  return snapshot;
}

void Statistics::ForgetInFlight() {
  for (Shard& shard : shards_) shard.started.store(shard.finished.load());
}

}  // namespace rnullfs
