#include "disk/changes.h"

#include <cerrno>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "damage/damage_map.h"
#include "rnullfs/attributes.h"
#include "rnullfs/error.h"
#include "rnullfs/rule_attributes.h"

namespace rnullfs {
namespace {

uint64_t NumberOf(const Attribute& attribute, const Settings& settings) {
  return std::get<uint64_t>(attribute.field.get(settings));
}

}  // namespace

absl::Status BusyWhileOn(std::string_view attributes) {
  return Error(EBUSY, absl::StrCat(std::string(attributes),
                                   ": cannot change while the device is powered; write 0 to power "
                                   "first"));
}

absl::Status CheckLive(const Settings& seen, const Settings& next) {
  std::vector<std::string> refused;
  for (const Attribute& attribute : Attributes()) {
    if (!attribute.live && Differs(attribute, seen, next)) refused.emplace_back(attribute.name);
  }
  if (!refused.empty()) return BusyWhileOn(absl::StrJoin(refused, ", "));
  for (const Attribute& attribute : Attributes()) {
    if (attribute.only_larger && NumberOf(attribute, next) < NumberOf(attribute, seen)) {
      return Error(EBUSY, absl::StrCat(std::string(attribute.name),
                                       ": can only become larger while the device is powered; "
                                       "write 0 to power first"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckRules(const Settings& next) {
  const auto refuse = [](const FaultRule& rule, const std::string& why) {
    return Error(EINVAL, absl::StrCat("faults: ", rule.name, ": ", why));
  };
  for (const FaultRule& rule : next.faults) {
    if (!rule.enabled) continue;
    if (OpsOf(rule) == 0) {
      FaultRule possible = {.ops = OpsOf(rule.action), .action = rule.action};
      const auto text = [&possible](std::string_view name) {
        const RuleAttribute& row = *FindRuleAttribute(name);
        return row.type->Text(row.field.get(possible));
      };
      return refuse(rule, absl::StrCat("its action, ", text("action"), ", is one for ", text("op"),
                                       "; write that to op, or choose another action"));
    }
    if (!next.config.power || !IsSilent(rule.action)) continue;
    if (!next.config.memory_backed) {
      return refuse(rule,
                    "what it does silently is done to what the disk stores, and that is nothing; "
                    "write 1 to memory_backed while the device is off");
    }
    if (next.config.size > DamageMap::kDiskBytesMax >> 20) {
      return refuse(rule, absl::StrCat("what it does silently takes a disk of at most ",
                                       DamageMap::kDiskBytesMax >> 20, " MiB"));
    }
    if (rule.action == FaultAction::kStale && next.config.history == 0) {
      return refuse(rule,
                    "what was there before is what the history has; write a size (MiB) to it");
    }
  }
  return absl::OkStatus();
}

void Want(const Settings& wanted, Settings& next) {
  const Settings before = std::exchange(next, wanted);
  next.config.index = before.config.index;
  next.unknown = before.unknown;
  if (wanted.origin.empty()) return;
  const DeviceConfig by_default;
  if (wanted.config.size == by_default.size) next.config.size = before.config.size;
  if (wanted.config.history == by_default.history) next.config.history = before.config.history;
  if (wanted.config.blocksize == by_default.blocksize) {
    next.config.blocksize = before.config.blocksize;
  }
  if (!wanted.config.memory_backed) next.config.memory_backed = before.config.memory_backed;
}

bool Written(const FaultPoint& point, const Settings& seen, const Settings& next) {
  return next.config.*point.attr != seen.config.*point.attr ||
         next.state.*point.left != seen.state.*point.left;
}

FaultAttr AsWritten(const FaultPoint& point, const Settings& settings) {
  FaultAttr attr = settings.config.*point.attr;
  attr.times = (settings.state.*point.left).times;
  attr.space = (settings.state.*point.left).space;
  return attr;
}

DeviceConfig ConfigOf(const Settings& seen, const Settings& next, const DeviceConfig& now) {
  DeviceConfig config = next.config;
  config.index = now.index;  // power-on gives it
  for (const FaultPoint& point : kFaultPoints) {
    config.*point.attr = Written(point, seen, next) ? AsWritten(point, next) : now.*point.attr;
  }
  return config;
}

void CountAnew(const Settings& seen, const Settings& next, DeviceCounters& counters,
               Device* device) {
  for (const FaultPoint& point : kFaultPoints) {
    if (!Written(point, seen, next)) continue;
    if (device != nullptr) {
      device->RestartFaults(point, AsWritten(point, next));
    } else {
      Restart(counters.*point.counters);
    }
  }
}

void CountAsBefore(const Settings& seen, const Settings& next, DeviceCounters& counters,
                   DeviceConfig& config) {
  for (const FaultPoint& point : kFaultPoints) {
    if (!Written(point, seen, next)) continue;
    config.*point.attr = AsWritten(point, seen);
    Restart(counters.*point.counters);
  }
}

void CountFaults(const DeviceConfig& config, const DeviceCounters& counters, DeviceState& state) {
  for (const FaultPoint& point : kFaultPoints) {
    state.*point.left = LeftOf(config.*point.attr, counters.*point.counters);
  }
}

}  // namespace rnullfs
