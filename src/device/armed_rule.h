// A fault rule in force: whether it fires for a request, and what then.
//
// A rule that is changed is another ArmedRule from then on, with the same place: what is counted
// stays there.  A request that still finds the one before is let pass.
//
// Chance is a function of the disk's seed, the rule's name and how many requests it has seen since
// the disk was switched on: the same requests in the same order meet the same, whatever other rules
// there are.
//
// Thread safety: all calls from any thread.
// Units: sectors of 512 bytes; nanoseconds, of any clock.
#ifndef RNULLFS_DEVICE_ARMED_RULE_H_
#define RNULLFS_DEVICE_ARMED_RULE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "device/fault_file.h"
#include "device/fault_verdict.h"
#include "device/queue_slots.h"
#include "device/rule_place.h"
#include "rnullfs/mutex.h"

namespace rnullfs {

// A request as rules see it.
struct FaultRequest {
  uint8_t op = 0;  // of FaultOps, a bit
  uint64_t first = 0;
  uint64_t last = 0;
  uint64_t sequence = 0;  // of the newest change of the disk
  uint64_t seed = 0;
  uint64_t disk_sectors = 0;
  int64_t now_nsec = 0;
  bool may_wait = true;  // there is room for one more that does

  bool has_sectors() const { return op != kFaultFlush; }
};

class ArmedRule {
 public:
  ArmedRule(FaultRule rule, std::shared_ptr<RulePlace> place);

  const FaultRule& rule() const { return rule_; }
  RulePlace& place() const { return *place_; }
  const std::shared_ptr<HangGate>& gate() const { return gate_; }

  bool Matches(const FaultRequest& request) const;

  // Counts a request that matches; what is to be done to it is added to `verdict`, where no rule
  // before has decided.
  void Judge(const FaultRequest& request, FaultVerdict& verdict);

 private:
  bool Waits() const {
    return rule_.action == FaultAction::kDelay || rule_.action == FaultAction::kHang;
  }
  bool IsDecided(const FaultRequest& request, const FaultVerdict& verdict) const;
  bool HasSectorLeft(const FaultRequest& request, const Harms& harms) const;
  Harm HarmOf(const FaultRequest& request, uint64_t number) const;
  static uint64_t DetailOf(const Harm& harm);
  bool Fires(const FaultRequest& request, uint64_t number, RuleCount& count)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(place_->mutex);
  uint64_t Do(const FaultRequest& request, uint64_t number, FaultVerdict& verdict)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(place_->mutex);
  void Note(const FaultRequest& request, uint64_t detail)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(place_->mutex);
  bool MarkSectors(const FaultRequest& request) const;
  uint64_t Chance(const FaultRequest& request, uint64_t number, uint64_t draw) const;
  int64_t DelayNsec(const FaultRequest& request, uint64_t number) const;

  const FaultRule rule_;
  const std::shared_ptr<RulePlace> place_;
  const std::shared_ptr<HangGate> gate_;  // null where it does not hang
  const uint64_t name_hash_;
  QueueSlots lanes_;
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_ARMED_RULE_H_
