// What is counted of a device, requests and what its stages did: the part of its state that changes
// with every request.  It lies in memory that outlives the process (rnullfs/counters.h), where
// zeros are a device that has done nothing yet; src/device/counter_list.cc has the names.
//
// Thread safety: all calls from any thread.
#ifndef RNULLFS_DEVICE_COUNTERS_H_
#define RNULLFS_DEVICE_COUNTERS_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

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

// What the disk has been asked to do.  Counting writes to memory that the counting thread mostly
// has to itself; a snapshot adds it all up, each counter exact, but not all of them taken at one
// instant.
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
    OpCells(Counters& counters, const std::string& op)
        : requests(counters.Sharded(op + ".requests")),
          bytes(counters.Sharded(op + ".bytes")),
          errors(counters.Sharded(op + ".errors")) {}
    ShardedCell requests, bytes, errors;
  };
  const std::array<OpCells, kOpCount> ops_;  // indexed by Op
  const ShardedCell started_;
  const ShardedCell finished_;
};

// Of one FaultAttr, since it was last written.
struct FaultCounters {
  Cell& passed;  // requests that `space` has let pass
  Cell& asked;   // requests that `interval` has counted
  Cell& failed;  // requests that have failed
};

// Of the write cache, since the device was made.
struct CacheCounters {
  Cell& written_back;  // pages
  Cell& dropped;       // pages that a power-off has lost
  Cell& unflushed;     // writes since the last flush
};

// Of sectors that show something else than the disk has.
struct DamageCounters {
  Cell& sectors;   // there are now
  Cell& injected;  // that have ever come to be it
  Cell& healed;    // of these, by being written to
};

// Of power cuts.
struct CutCounters {
  Cell& state;    // disk_power.cc's
  Cell& request;  // that has asked for the last one, 0 for none
  Cell& count;
  // By the last one.
  Cell& lost_requests;
  Cell& lost_sectors;
  Cell& lost_bytes;
  Cell& forgotten;
};

// Chance that can be had again: the n-th draw is a function of the seed and n.
struct RandomState {
  Cell& seed;   // in use since the last power-on
  Cell& drawn;  // numbers since then
};

// The cells that are counted in often, found once.
class DeviceCounters : public Counters {
 public:
  // Whose counts end with it.
  DeviceCounters();
  DeviceCounters(const CounterTable& table, CounterMemory memory)
      : Counters(table, std::move(memory)) {}

  Statistics statistics{*this};
  FaultCounters timeout = Fault("timeout.passed", "timeout.asked", "faults.timeouts");
  FaultCounters requeue = Fault("requeue.passed", "requeue.asked", "faults.requeues");
  FaultCounters init_hctx = Fault("init_hctx.passed", "init_hctx.asked", "faults.init_hctx");
  CacheCounters cache = {(*this)["cache.written_back"], (*this)["cache.dropped"],
                         (*this)["unflushed"]};
  DamageCounters damage = {(*this)["damage.sectors"], (*this)["damage.injected_sectors"],
                           (*this)["damage.healed_sectors"]};
  CutCounters cuts = {(*this)["cut_state"],
                      (*this)["cut_request"],
                      (*this)["power_cuts.count"],
                      (*this)["power_cuts.lost_requests"],
                      (*this)["power_cuts.lost_sectors"],
                      (*this)["power_cuts.lost_bytes"],
                      (*this)["power_cuts.forgotten"]};
  RandomState random = {(*this)["faults.seed"], (*this)["drawn"]};

 private:
  FaultCounters Fault(std::string_view passed, std::string_view asked, std::string_view failed) {
    return {(*this)[passed], (*this)[asked], (*this)[failed]};
  }
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_COUNTERS_H_
