#include "command_line/mount_options.h"

#include <cerrno>
#include <initializer_list>
#include <limits>
#include <utility>

#include "base/parse.h"
#include "command_line/options.h"
#include "config/wording.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

constexpr std::string_view kUsage =
    "; usage: rnullfs [-f] [-o option,...] [source] mountpoint (rnullfs --help says more)";

absl::Status UsageError(std::initializer_list<std::string_view> pieces) {
  return Error(EINVAL, Concat({Concat(pieces), kUsage}));
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
    if (options_.snapshots && options_.rescue_pid == 0) {
      return UsageError({"--snapshots: it goes with --rescue"});
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
    } else if (word == "--snapshots") {
      options_.snapshots = true;
    } else if (word == "--rescue") {
      return ReadRescue();
    } else {
      return UsageError({Shown(word), ": there is no such flag"});
    }
    return absl::OkStatus();
  }

  absl::Status ReadRescue() {
    constexpr std::string_view kAccepts =
        "the process that holds the disks (guard_pid), and a directory";
    if (!words_.empty() && std::string_view(words_.front()) == "--snapshots") {
      Take();
      options_.snapshots = true;
    }
    if (words_.empty()) {
      return Error(EINVAL, Concat({"--rescue: no value is given; it takes ", kAccepts}));
    }
    const std::string_view word = Take();
    const std::optional<uint64_t> pid = ParseUnsigned(word);
    if (!pid.has_value() || *pid == 0 || *pid > uint64_t{std::numeric_limits<int>::max()}) {
      return Rejected("--rescue", Shown(word), kAccepts);
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
          if (at + 1 < word.size()) return ReadOptions(word.substr(at + 1), options_);
          if (words_.empty()) return UsageError({"-o: no options follow"});
          return ReadOptions(Take(), options_);
        default:
          return UsageError({"-", Shown(word.substr(at, 1)), ": there is no such flag"});
      }
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
