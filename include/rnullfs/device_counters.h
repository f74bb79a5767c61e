// What is counted of a device, requests and what its stages did: the part of its state that changes
// with every request.  It lies in memory that outlives the process (rnullfs/counters.h), where
// zeros are a device that has done nothing yet; src/device/counter_list.cc has the names.
//
// Thread safety: all calls from any thread.
#ifndef RNULLFS_DEVICE_COUNTERS_H_
#define RNULLFS_DEVICE_COUNTERS_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "rnullfs/counters.h"
#include "rnullfs/statistics.h"

namespace rnullfs {

// Of one FaultAttr: what is left (FaultLeft), and what has been since it was last written.
struct FaultCounters {
  std::atomic<int64_t>& times;
  std::atomic<int64_t>& space;
  Cell& asked;   // requests that `interval` has counted
  Cell& failed;  // requests that have failed
};

// The same as a version before 0.2 counted it: what was used of what had been written.
struct EarlierFaultCounters {
  Cell& passed;
  Cell& asked;
  Cell& failed;
};

// Of the write cache, since the device was made.
struct CacheCounters {
  Cell& written_back;  // pages
  Cell& dropped;       // pages that a power-off has lost
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
  FaultCounters timeout = Fault("timeout", "faults.timeouts");
  FaultCounters requeue = Fault("requeue", "faults.requeues");
  FaultCounters init_hctx = Fault("init_hctx", "faults.init_hctx");
  EarlierFaultCounters earlier_timeout = Earlier("timeout");
  EarlierFaultCounters earlier_requeue = Earlier("requeue");
  EarlierFaultCounters earlier_init_hctx = Earlier("init_hctx");
  Cell& faults_known = (*this)["faults_known"];  // whether the first three say anything
  CacheCounters cache = {(*this)["cache.written_back"], (*this)["cache.dropped"]};
  RandomState random = {(*this)["faults.seed"], (*this)["drawn"]};

 private:
  FaultCounters Fault(const std::string& point, std::string_view failed) {
    return {Signed(point + ".times"), Signed(point + ".space"), (*this)[point + ".counted"],
            (*this)[failed]};
  }
  EarlierFaultCounters Earlier(const std::string& point) {
    return {(*this)[point + ".passed"], (*this)[point + ".asked"], (*this)[point + ".failed"]};
  }
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_COUNTERS_H_
