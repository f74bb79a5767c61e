#include "command_line/mount_options.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/parse.h"
#include "command_line/mount_flags.h"
#include "command_line/option_list.h"
#include "config/wording.h"
#include "rnullfs/attributes.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

constexpr std::string_view kUsage =
    "; usage: rnullfs [-f] [-o option,...] [source] mountpoint (rnullfs --help says more)";

absl::Status UsageError(std::initializer_list<std::string_view> pieces) {
  return Error(EINVAL, Concat({Concat(pieces), kUsage}));
}

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
  if (!option.value.has_value()) return NoValue(row.alias, AliasAccepts(row));
  if (row.alias_unit == 1 && StoreAttribute(row, *option.value, settings).ok()) {
    return absl::OkStatus();
  }
  const std::optional<uint64_t> value = ParseUnsigned(*option.value);
  if (value.has_value() && *value <= std::numeric_limits<uint64_t>::max() / row.alias_unit &&
      StoreAttribute(row, absl::StrCat(*value * row.alias_unit), settings).ok()) {
    return absl::OkStatus();
  }
  return Rejected(row.alias, Shown(*option.value), AliasAccepts(row));
}

absl::Status ReadMountOption(const MountOption& known, const Option& option,
                             MountOptions& options) {
  const bool handed_on = known.type == nullptr;
  if (!option.value.has_value()) {
    return NoValue(option.name, handed_on ? "a name" : known.type->Accepts());
  }
  if (handed_on) {
    options.mount_flags.emplace_back(option.text);
    return absl::OkStatus();
  }
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

bool IsForOthers(std::string_view text, const MountOptions& options) {
  return IsIgnoredOption(text) || (options.remount && IsShownByKernel(text)) || text == "remount";
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
  return IsForOthers(text, options) ? absl::OkStatus() : UnknownOption(option);
}

// The words of argv one after the other, as getopt() would take them: flags may follow operands.
class CommandLine {
 public:
  explicit CommandLine(absl::Span<const char* const> words) : words_(words) {}

  absl::StatusOr<MountOptions> Read() {
    bool only_operands = false;
    while (!words_.empty() && !options_.show_help && !options_.show_version) {
      const std::string_view word = Take();
      absl::Status status;
      if (only_operands || word == "-" || !word.starts_with('-')) {
        status = ReadOperand(word);
      } else if (word == "--") {
        only_operands = true;
      } else {
        status = word.starts_with("--") ? ReadLongFlag(word) : ReadFlags(word);
      }
      if (!status.ok()) return status;
    }
    if (options_.show_help || options_.show_version) return std::move(options_);
    if (options_.mountpoint.empty()) {
      return UsageError({options_.rescue_pid != 0 ? "--rescue: no directory is given"
                                                  : "no mount point is given"});
    }
    if (options_.guard && options_.transport == Transport::kUring) {
      return Error(EINVAL,
                   "-o transport=uring: a ring ends with the process that made it, and the guard "
                   "could save nothing; add guard=off, or leave transport as it is");
    }
    return std::move(options_);
  }

 private:
  std::string_view Take() {
    const std::string_view word = words_.front();
    words_.remove_prefix(1);
    return word;
  }

  absl::Status ReadOperand(std::string_view word) {
    if (word.empty()) return UsageError({"the mount point is empty"});
    if (operands_++ == 0) {
      options_.mountpoint = word;
      return absl::OkStatus();
    }
    // As mount(8) calls us: source, then mount point.
    if (operands_ > 2 || options_.rescue_pid != 0 || options_.upgrade) {
      return UsageError(
          {"more than one mount point: ", Shown(options_.mountpoint), " and ", Shown(word)});
    }
    options_.source = std::exchange(options_.mountpoint, std::string(word));
    return absl::OkStatus();
  }

  absl::Status ReadLongFlag(std::string_view word) {
    if (word == "--help") {
      options_.show_help = true;
    } else if (word == "--version") {
      options_.show_version = true;
    } else if (word == "--upgrade") {
      options_.upgrade = true;
    } else if (word == "--rescue") {
      return ReadRescue();
    } else {
      return UsageError({Shown(word), ": there is no such flag"});
    }
    return absl::OkStatus();
  }

  absl::Status ReadRescue() {
    const std::string_view accepts =
        "the process that holds the disks (guard_pid), and a directory";
    if (words_.empty()) return NoValue("--rescue", accepts);
    const std::string_view word = Take();
    const std::optional<uint64_t> pid = ParseUnsigned(word);
    if (!pid.has_value() || *pid == 0 || *pid > uint64_t{std::numeric_limits<int>::max()}) {
      return Rejected("--rescue", Shown(word), accepts);
    }
    options_.rescue_pid = static_cast<int>(*pid);
    return absl::OkStatus();
  }

  // One or several letters: "-f", "-fo size=8", "-osize=8".
  absl::Status ReadFlags(std::string_view word) {
    for (size_t at = 1; at < word.size(); ++at) {
      switch (word[at]) {
        case 'f':
          options_.foreground = true;
          break;
        case 'h':
          options_.show_help = true;
          break;
        case 'V':
          options_.show_version = true;
          break;
        case 'o':
          if (at + 1 < word.size()) return ReadList(word.substr(at + 1));
          if (words_.empty()) return UsageError({"-o: no options follow"});
          return ReadList(Take());
        default:
          return UsageError({"-", Shown(word.substr(at, 1)), ": there is no such flag"});
      }
    }
    return absl::OkStatus();
  }

  absl::Status ReadList(std::string_view list) {
    const std::vector<std::string> given = SplitOptions(list);
    options_.remount =
        options_.remount || std::find(given.begin(), given.end(), "remount") != given.end();
    for (const std::string& option : given) {
      if (absl::Status status = ReadOption(option, options_); !status.ok()) return status;
      if (!IsMountFlag(option) && !IsForOthers(option, options_)) {
        options_.settings.push_back(option);
      }
      options_.given.push_back(option);
    }
    return absl::OkStatus();
  }

  absl::Span<const char* const> words_;
  MountOptions options_;
  int operands_ = 0;
};

}  // namespace

absl::StatusOr<MountOptions> ParseCommandLine(absl::Span<const char* const> arguments) {
  return CommandLine(arguments).Read();
}

}  // namespace rnullfs
