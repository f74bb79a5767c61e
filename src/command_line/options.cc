#include "command_line/options.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/parse.h"
#include "config/wording.h"
#include "rnullfs/attributes.h"
#include "rnullfs/error.h"
#include "rnullfs/rule_attributes.h"

namespace rnullfs {
namespace {

// "name" or "name=value".
struct Option {
  explicit Option(std::string_view option)
      : text(option), name(option.substr(0, option.find('='))) {
    if (name.size() < text.size()) value = text.substr(name.size() + 1);
  }

  std::string_view text;
  std::string_view name;
  std::optional<std::string_view> value;
};

const Attribute* FindByAlias(std::string_view name) {
  for (const Attribute& row : Attributes()) {
    if (!row.alias.empty() && row.alias == name) return &row;
  }
  return nullptr;
}

absl::Status NoValue(std::string_view name, std::string_view accepts) {
  return Error(EINVAL, Concat({name, ": no value is given; it takes ", accepts}));
}

std::string AliasAccepts(const Attribute& row) {
  if (row.alias_unit == 1) return row.type->Accepts();
  return Concat(
      {"a whole number (in units of ", absl::StrCat(row.alias_unit), " ", row.type->unit(), ")"});
}

absl::Status ReadAttribute(const Attribute& row, const Option& option, Settings& settings) {
  if (row.read_only) {
    return Error(EINVAL, Concat({row.name, ": is given at power-on, and cannot be chosen"}));
  }
  const std::string_view value = option.value.value_or(row.type->Alone());
  if (!option.value.has_value() && value.empty()) return NoValue(row.name, row.type->Accepts());
  return StoreAttribute(row, value, settings);
}

// As setup_fault_attr() in lib/fault-inject.c reads it.  Nothing, or what sysfs shows for nothing,
// leaves the group alone.
absl::Status ReadFaults(const FaultGroup& group, const Option& option, Settings& settings) {
  constexpr std::string_view kAccepts = "INTERVAL,PROBABILITY,SPACE,TIMES";
  constexpr std::string_view kFiles[] = {"interval", "probability", "space", "times"};
  if (!option.value.has_value()) return NoValue(option.name, kAccepts);
  if (option.value->empty() || *option.value == "(null)") return absl::OkStatus();
  const std::vector<absl::string_view> numbers =
      absl::StrSplit(absl::string_view(option.value->data(), option.value->size()), ',');
  if (numbers.size() != std::size(kFiles)) {
    return Rejected(option.name, Shown(*option.value), kAccepts);
  }
  Settings next = settings;
  for (size_t i = 0; i < numbers.size(); ++i) {
    const Attribute& row = *FindAttribute(Concat({group.name, "/", kFiles[i]}));
    absl::Status stored = StoreAttribute(row, {numbers[i].data(), numbers[i].size()}, next);
    if (!stored.ok()) return stored;
  }
  settings = next;
  return absl::OkStatus();
}

const FaultGroup* FindByParameter(std::string_view name) {
  for (const FaultGroup& group : FaultGroups()) {
    if (group.parameter == name) return &group;
  }
  return nullptr;
}

absl::Status ReadAlias(const Attribute& row, const Option& option, Settings& settings) {
  const bool nothing = !option.value.has_value() || (row.is_section && option.value->empty());
  if (nothing) return NoValue(row.alias, AliasAccepts(row));
  if (row.alias_unit == 1) {
    const absl::StatusOr<Value> value =
        row.type->Parse(row.alias, *option.value, row.field.get(settings));
    if (value.ok()) row.field.set(settings, *value);
    return value.status();
  }
  const std::optional<uint64_t> units = ParseUnsigned(*option.value);
  const bool fits = units.has_value() && *units <= UINT64_MAX / row.alias_unit;
  const std::string text = fits ? absl::StrCat(*units * row.alias_unit) : "";
  if (StoreAttribute(row, text, settings).ok()) return absl::OkStatus();
  return Rejected(row.alias, Shown(*option.value), AliasAccepts(row));
}

absl::Status ReadMountOption(const MountOption& known, const Option& option,
                             MountOptions& options) {
  if (!option.value.has_value()) return NoValue(option.name, known.type->Accepts());
  const absl::StatusOr<Value> value = known.type->Parse(option.name, *option.value, {});
  if (value.ok()) known.set(options, *value);
  return value.status();
}

absl::Status UnknownOption(const Option& option) {
  std::vector<std::string_view> names;
  for (const MountOption& known : MountOptionTable()) names.push_back(known.name);
  for (const Attribute& row : Attributes()) {
    if (row.read_only) continue;
    names.push_back(row.name);
    if (!row.alias.empty()) names.push_back(row.alias);
  }
  for (const FaultGroup& group : FaultGroups()) names.push_back(group.parameter);
  names.insert(names.end(), MountFlags().begin(), MountFlags().end());
  return Error(EINVAL, Concat({"-o ", Shown(option.text), ": there is no such option.",
                               DidYouMean(option.name, names), " rnullfs --help lists them"}));
}

absl::Status ReadOption(std::string_view text, MountOptions& options) {
  const Option option(text);
  if (const Attribute* row = FindAttribute(option.name)) {
    return ReadAttribute(*row, option, options.device);
  }
  if (const Attribute* row = FindByAlias(option.name)) {
    return ReadAlias(*row, option, options.device);
  }
  if (const FaultGroup* group = FindByParameter(option.name)) {
    return ReadFaults(*group, option, options.device);
  }
  for (const MountOption& known : MountOptionTable()) {
    if (known.name == option.name) return ReadMountOption(known, option, options);
  }
  if (IsMountFlag(text)) {
    options.mount_flags.emplace_back(text);
    return absl::OkStatus();
  }
  return IsForOthers(text, options.remount) ? absl::OkStatus() : UnknownOption(option);
}

// Takes the next option, and what ends it, off the front.
std::string TakeOption(std::string_view& list) {
  std::string option;
  bool quoted = false;
  while (!list.empty()) {
    const char c = list.front();
    list.remove_prefix(1);
    if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && (c == ',' || TrimSpace({&c, 1}).empty())) {
      break;
    } else {
      option += c;
    }
  }
  return option;
}

// Whether an option goes on with what follows its comma: a list of numbers, or a fault rule.
bool GoesOn(const Option& last, std::string_view option) {
  if (!last.value.has_value()) return false;
  if (FindByParameter(last.name) != nullptr) return ParseSigned(option).has_value();
  const Attribute* const faults = FindAttribute("faults");
  if ((last.name != faults->name && last.name != faults->alias) || !IsRuleWord(option))
    return false;
  // `discard` is a word of both; of a rule it comes before what is done.
  return FindAttribute(option) == nullptr || !SaysAction(*last.value);
}

std::vector<std::string> SplitOptions(std::string_view list) {
  std::vector<std::string> options;
  while (!list.empty()) {
    std::string option = TakeOption(list);
    if (option.empty()) continue;
    const Option last(options.empty() ? std::string_view() : options.back());
    if (GoesOn(last, option)) {
      options.back() += Concat({",", option});
    } else {
      options.push_back(std::move(option));
    }
  }
  return options;
}

}  // namespace

absl::Status ReadOptions(std::string_view list, MountOptions& options) {
  const std::vector<std::string> given = SplitOptions(list);
  options.remount =
      options.remount || std::find(given.begin(), given.end(), "remount") != given.end();
  for (const std::string& option : given) {
    if (absl::Status status = ReadOption(option, options); !status.ok()) return status;
    if (!IsMountFlag(option) && !IsForOthers(option, options.remount)) {
      options.settings.push_back(option);
    }
    options.given.push_back(option);
  }
  return absl::OkStatus();
}

}  // namespace rnullfs
