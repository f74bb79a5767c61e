// What is done to requests?  The fault rules of a medium, which requests run into and which come
// and go meanwhile.
//
// A request sees all rules as of one moment: the set is immutable, and replaced as a whole (RCU).
// A change takes effect for every request that comes after Commit(), and has no effect on those
// that have fired, but that those which hang are let go: Commit() says which.
//
// Several rules fire in the order of their names.  The first that makes a request fail decides
// which error, and when; the first that does something silently decides what; delays add up; a
// request that hangs waits until every rule that holds it is off.
//
// Thread safety: armed(), Reaches() and Judge() from any thread; the others one at a time.  A disk
// without a rule that is on pays one load. Errors: ENOSPC, EMFILE, with a sentence.
#ifndef RNULLFS_DEVICE_FAULT_RULE_TABLE_H_
#define RNULLFS_DEVICE_FAULT_RULE_TABLE_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "device/armed_rule.h"
#include "device/fault_file.h"
#include "device/fault_verdict.h"
#include "rnullfs/fault_rule.h"
#include "rnullfs/memfd_keeper.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {

class FaultRuleTable {
 public:
  using Gates = std::vector<std::shared_ptr<HangGate>>;

  // `name`: what its memfd is called.  `keeper` outlives it.
  FaultRuleTable(std::string name, MemfdKeeper& keeper);
  ~FaultRuleTable();

  // Whether a rule is on.
  bool armed() const { return armed_.load(std::memory_order_relaxed); }
  // Whether there may be a rule for a request, which has no more than its sectors yet.
  bool Reaches(const FaultRequest& request) const {
    const Bounds& bounds = bounds_[static_cast<size_t>(__builtin_ctz(request.op))];
    return request.last >= bounds.first.load(std::memory_order_relaxed) &&
           request.first <= bounds.last.load(std::memory_order_relaxed) && HasRuleFor(request);
  }
  FaultVerdict Judge(const FaultRequest& request) const;

  FaultRules Get() const;

  // All that `next` needs and may not be had; nothing has changed yet.  Then either of the others.
  absl::Status Prepare(const FaultRules& next);
  // The gates of rules that hold requests no more.
  Gates Commit();
  void Undo();

  // What another process left: its rules, with what it has counted, but for requests that were not
  // answered, which come again.  Without a memfd the counts begin anew.
  absl::Status Adopt(const FaultRules& rules, UniqueFd memfd);

  // Power-on: chance begins anew; what has been counted stays.
  void BeginSeries();

  // Nobody needs it any more.
  void GiveBack();

  // What a rule has counted.
  struct Counts {
    uint64_t seen = 0;
    uint64_t hits = 0;
    uint64_t pending = 0;
    uint32_t serial = 0;  // tells it from all that the disk had
  };
  std::optional<Counts> CountsOf(std::string_view rule) const;
  // The newest last.
  std::vector<FaultFile::Event> EventsOf(std::string_view rule) const;
  std::optional<std::string> NameOf(uint32_t serial) const;

 private:
  // Of the sectors of all rules that are on, for an operation.  Half of them may be those of the
  // set before: what lies within both sets lies within that as well.
  struct Bounds {
    std::atomic<uint64_t> first{UINT64_MAX};
    std::atomic<uint64_t> last{0};
  };
  struct RuleSet;
  bool HasRuleFor(const FaultRequest& request) const;
  using Places = std::map<std::string, std::shared_ptr<RulePlace>, std::less<>>;
  absl::Status PreparePlaces(const FaultRules& next);
  Gates Replace(bool anew);
  void AdoptPlaces();
  const RulePlace* PlaceOf(std::string_view rule) const;

  const std::string name_;
  MemfdKeeper& keeper_;
  std::shared_ptr<FaultFile> file_;  // null until there is a rule
  Places places_;
  std::unique_ptr<RuleSet> set_;               // of all rules
  std::unique_ptr<RuleSet> next_;              // what has been prepared
  std::atomic<const RuleSet*> live_{nullptr};  // set_.get(), for requests
  std::atomic<bool> armed_{false};
  std::array<Bounds, kFaultOpCount> bounds_;
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_FAULT_RULE_TABLE_H_
