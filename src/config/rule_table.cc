// The rows of a fault rule, in the order in which its files are listed.  It only grows at its end:
// a row's place is its file's slot number (src/tree/fault_rules.cc).

#include <iterator>

#include "config/field_of.h"
#include "config/types/amount.h"
#include "config/types/boolean.h"
#include "config/types/chance.h"
#include "config/types/delay.h"
#include "config/types/errno_name.h"
#include "config/types/integer.h"
#include "config/types/sector_set.h"
#include "config/types/word.h"
#include "config/types/word_set.h"
#include "rnullfs/rule_attributes.h"

namespace rnullfs {
namespace {

constexpr Boolean kBoolean;
constexpr std::string_view kOps[] = {"read", "write", "flush", "discard", "zero"};
constexpr WordSet kOpSet(kOps);
constexpr SectorSet kSectors;
constexpr Integer<uint64_t> kCount({.max = INT32_MAX});
constexpr Integer<uint64_t> kInterval({.min = 1, .max = INT32_MAX});
constexpr Integer<int64_t> kTimes({.min = -1,
                                   .max = INT32_MAX,
                                   .accepts = "0 to 2147483647, or -1 for no limit"});
constexpr Chance kChance;
constexpr std::string_view kActions[] = {"error", "delay",   "hang",        "lost",
                                         "torn",  "corrupt", "misdirected", "stale"};
static_assert(std::size(kActions) == kFaultActionCount);
constexpr Word kAction(kActions);
constexpr ErrnoName kErrno;
constexpr std::string_view kMoments[] = {"before", "after"};
constexpr Word kMoment(kMoments);
constexpr Delay kDelay;
constexpr std::string_view kParts[] = {"first", "last", "random"};
constexpr Word kPart(kParts);
constexpr Amount kAmount;
constexpr Integer<int64_t> kShift({.min = INT32_MIN,
                                   .max = INT32_MAX,
                                   .accepts = "a number of sectors, -2147483648 to 2147483647"});
constexpr Integer<uint64_t> kLanes({.max = 65536, .accepts = "0 to 65536, 0 for any number"});

template <auto kMember>
constexpr RuleField At() {
  return {FieldOf<FaultRule, kMember>::Get, FieldOf<FaultRule, kMember>::Set};
}

constexpr RuleAttribute kTable[] = {
    {"enabled", &kBoolean, At<&FaultRule::enabled>(),
     "whether it does anything; what it has counted begins anew when it is switched on, and with "
     "whatever is written to it while it is on"},
    {"op", &kOpSet, At<&FaultRule::ops>(), "which requests: their operations"},
    {"sectors", &kSectors, At<&FaultRule::sectors>(),
     "which requests: those that touch one of these; a flush touches all"},
    {"probability", &kChance, At<&FaultRule::probability>(),
     "how likely it is that it fires, where all else allows it; by the seed of the disk"},
    {"interval", &kInterval, At<&FaultRule::interval>(), "of so many requests it fires for one"},
    {"times", &kTimes, At<&FaultRule::times>(), "how often it fires"},
    {"space", &kCount, At<&FaultRule::space>(),
     "as of the kernel's fault_attr: it fires when this has been counted down to 1"},
    {"after", &kCount, At<&FaultRule::after>(), "how many requests pass before anything else"},
    {"once_per_sector", &kBoolean, At<&FaultRule::once_per_sector>(),
     "whether it fires only for requests with a sector for which it has not fired yet"},
    {"action", &kAction, At<&FaultRule::action>(),
     "what is done: the request fails, is answered later, or not until the rule is off; or it is "
     "answered as if all were well, and is lost, torn, corrupt, misdirected, or brings what was "
     "there before"},
    {"error", &kErrno, At<&FaultRule::error>(), "the errno that a request fails with",
     FaultAction::kError},
    {"when", &kMoment, At<&FaultRule::when>(),
     "whether it fails before it has done anything, or after all is done", FaultAction::kError},
    {"delay", &kDelay, At<&FaultRule::delay>(), "how much later a request is answered",
     FaultAction::kDelay},
    {"lanes", &kLanes, At<&FaultRule::lanes>(),
     "how many requests are delayed at once; the others queue for that", FaultAction::kDelay},
    {"torn", &kPart, At<&FaultRule::torn>(),
     "which sectors of a write arrive: so many first or last ones as the seed of the disk has it, "
     "or some",
     FaultAction::kTorn},
    {"acknowledged", &kBoolean, At<&FaultRule::acknowledged>(),
     "whether a torn write is answered as if all of it had arrived, or with EIO",
     FaultAction::kTorn},
    {"corrupt", &kAmount, At<&FaultRule::corrupt>(),
     "how much of each sector becomes another, where by the seed and by what it contains",
     FaultAction::kCorrupt},
    {"shift", &kShift, At<&FaultRule::shift>(),
     "how many sectors further a misdirected request goes, round the end of the disk; with 0 as "
     "many as the seed has it",
     FaultAction::kMisdirected},
    {"stored", &kBoolean, At<&FaultRule::stored>(),
     "whether what a read is made to bring stays, until the sector is written to or healed; what "
     "is done to a write always does"},
};

}  // namespace

absl::Span<const RuleAttribute> RuleAttributes() { return kTable; }

const RuleAttribute* FindRuleAttribute(std::string_view name) {
  for (const RuleAttribute& row : kTable) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

absl::Status StoreRuleAttribute(const RuleAttribute& attribute, std::string_view name,
                                std::string_view text, FaultRule& rule) {
  const absl::StatusOr<Value> value = attribute.type->Parse(name, text, attribute.field.get(rule));
  if (!value.ok()) return value.status();
  attribute.field.set(rule, *value);
  ++rule.writes.count;
  return absl::OkStatus();
}

}  // namespace rnullfs
