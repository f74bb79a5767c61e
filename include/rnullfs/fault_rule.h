// A fault rule: which requests of a disk something is done to, and what.
//
// Which ones is chosen by what they are and where, and then as the kernel's fault_attr does
// (include/linux/fault-inject.h, should_fail() in lib/fault-inject.c), with its names and defaults;
// of `space` its quirk, too: N lets N - 1 pass.  src/config/rule_table.cc has what each value
// means.
//
// Thread safety: plain values.
// Units: sectors of 512 bytes; nanoseconds.
#ifndef RNULLFS_FAULT_RULE_H_
#define RNULLFS_FAULT_RULE_H_

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rnullfs/bad_blocks.h"

namespace rnullfs {

enum class FaultAction : uint8_t {
  kError,  // the request fails
  kDelay,  // it is answered later
  kHang,   // it is answered when the rule is off again
  // It is answered as if all were well.
  kLost,         // what it was to change is not
  kTorn,         // of what it writes a part arrives
  kCorrupt,      // bits of what it reads or writes are others
  kMisdirected,  // it goes to another place
  kStale,        // it reads what was there before
};
inline constexpr uint8_t kFaultActionCount = 8;

// Whether a request that fails has done what it was to do.
enum class FaultMoment : uint8_t { kBefore, kAfter };

// The operations of a rule, a bit each.
enum FaultOps : uint8_t {
  kFaultRead = 1 << 0,
  kFaultWrite = 1 << 1,
  kFaultFlush = 1 << 2,
  kFaultDiscard = 1 << 3,
  kFaultZero = 1 << 4,
  kFaultAllOps = (1 << 5) - 1,
};

inline constexpr size_t kFaultOpCount = 5;

// Whether nobody is told that something is wrong.
inline bool IsSilent(FaultAction action) { return action >= FaultAction::kLost; }

// The operations that an action can do something to.
inline uint8_t OpsOf(FaultAction action) {
  switch (action) {
    case FaultAction::kLost:
      return kFaultAllOps & ~kFaultRead;
    case FaultAction::kTorn:
      return kFaultWrite;
    case FaultAction::kCorrupt:
    case FaultAction::kMisdirected:
      return kFaultRead | kFaultWrite;
    case FaultAction::kStale:
      return kFaultRead;
    default:
      return kFaultAllOps;
  }
}

// Ascending, with a gap between any two.
using SectorRanges = std::vector<BadBlocks::Range>;

// How much later: always so much, evenly spread, or as real devices are, log-normal.
struct FaultDelay {
  enum class Kind : uint8_t { kFixed, kUniform, kLogNormal };
  static constexpr uint64_t kNsecMax = uint64_t{3600} * 1'000'000'000;

  Kind kind = Kind::kFixed;
  uint64_t nsec = 0;        // the shortest, or the median
  uint64_t until_nsec = 0;  // the longest, or the 99th percentile; nothing of a fixed one

  bool operator==(const FaultDelay&) const = default;
};

// Which sectors of a torn write arrive.
enum class FaultPart : uint8_t { kFirst, kLast, kRandom };

// How much of a sector becomes another.
struct FaultAmount {
  static constexpr uint32_t kBytesMax = 512;

  bool bytes = false;  // or bits
  uint32_t count = 1;

  uint32_t Most() const { return bytes ? kBytesMax : 8 * kBytesMax; }
  bool operator==(const FaultAmount&) const = default;
};

struct FaultRule {
  static constexpr uint32_t kChanceOfAll = 100'000'000;  // millionths of a percent

  std::string name = {};
  bool enabled = false;
  // Which requests.
  uint8_t ops = kFaultAllOps;
  SectorRanges sectors = {};  // empty: all
  uint64_t after = 0;         // so many that match pass before all else is asked
  uint64_t space = 0;
  uint64_t interval = 1;
  uint32_t probability = kChanceOfAll;
  int64_t times = -1;  // -1: no limit
  bool once_per_sector = false;
  // What is done.
  FaultAction action = FaultAction::kError;
  uint32_t error = EIO;
  FaultMoment when = FaultMoment::kBefore;
  FaultDelay delay = {};
  uint32_t lanes = 0;  // how many are delayed at once; 0: any number
  FaultPart torn = FaultPart::kFirst;
  bool acknowledged = true;  // a torn write is answered as if all of it had arrived
  FaultAmount corrupt = {};
  int64_t shift = 0;    // sectors that a misdirected request goes astray; 0: by the seed
  bool stored = false;  // what a read is made to bring stays

  // How often it has been written: what it has counted begins anew then, also when it is the same.
  // It is none of what the rule says.
  struct Writes {
    uint64_t count = 0;
    bool operator==(const Writes&) const { return true; }
  };
  Writes writes = {};

  bool operator==(const FaultRule&) const = default;
};

// By name, which is the order in which they are asked.
using FaultRules = std::vector<FaultRule>;

// The first whose name is not before `name`: where it is, or would be.
template <typename Rules>
auto RuleAt(Rules& rules, std::string_view name) {
  return std::lower_bound(
      rules.begin(), rules.end(), name,
      [](const FaultRule& rule, std::string_view wanted) { return rule.name.compare(wanted) < 0; });
}

// Null where there is none.
template <typename Rules>
auto FindRule(Rules& rules, std::string_view name) -> decltype(&rules.front()) {
  const auto at = RuleAt(rules, name);
  return at == rules.end() || at->name != name ? nullptr : &*at;
}

// Whether nobody has written to one since.
inline bool IsUntouched(const FaultRule& before, const FaultRule& after) {
  return before == after && before.writes.count == after.writes.count;
}
inline bool AreUntouched(const FaultRules& before, const FaultRules& after) {
  return std::equal(before.begin(), before.end(), after.begin(), after.end(), IsUntouched);
}

// Makes `rules` the list.  One that is the same as before has been written to only if it says so
// itself: who writes a whole list speaks of those that differ.
inline void SetRules(FaultRules rules, FaultRules& list) {
  for (FaultRule& rule : rules) {
    const FaultRule* const before = FindRule(list, rule.name);
    if (before == nullptr) continue;
    const uint64_t least = before->writes.count + (*before == rule ? 0 : 1);
    rule.writes.count = std::max(rule.writes.count, least);
  }
  list = std::move(rules);
}

// What it sees, if it is on.
inline uint8_t OpsOf(const FaultRule& rule) { return rule.ops & OpsOf(rule.action); }

// Whether one that is on is silent.
inline bool AnySilent(const FaultRules& rules) {
  return std::any_of(rules.begin(), rules.end(),
                     [](const FaultRule& rule) { return rule.enabled && IsSilent(rule.action); });
}

inline bool AnyEnabled(const FaultRules& rules) {
  return std::any_of(rules.begin(), rules.end(),
                     [](const FaultRule& rule) { return rule.enabled; });
}

}  // namespace rnullfs

#endif  // RNULLFS_FAULT_RULE_H_
