// What the fault rules of a disk say of a request.
//
// Thread safety: plain values, but for what is said.  Units: nanoseconds.
#ifndef RNULLFS_DEVICE_FAULT_VERDICT_H_
#define RNULLFS_DEVICE_FAULT_VERDICT_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "damage/harm.h"
#include "device/rule_place.h"
#include "rnullfs/fault_rule.h"

namespace rnullfs {

// Where requests are held until a rule is off; the completion queue, which holds them, opens it.
struct HangGate {
  std::atomic<bool> open{false};
};

struct FaultVerdict {
  int error = 0;  // 0: it does not fail
  FaultMoment when = FaultMoment::kBefore;
  std::string rule = {};  // that makes it fail
  Harms harms = {};       // what is done to its data
  int64_t delay_nsec = 0;
  std::vector<std::shared_ptr<HangGate>> gates = {};  // all of them have to open
  bool busy = false;   // a rule would have it wait, and it may not: it has counted nothing
  bool fired = false;  // a rule has
  std::vector<RuleCount> counts = {};  // of all that have seen it
  PendingFaults pending = {};          // the same, when one has fired

  bool fails_before() const { return error != 0 && when == FaultMoment::kBefore; }
  bool waits() const { return delay_nsec > 0 || !gates.empty(); }
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_FAULT_VERDICT_H_
