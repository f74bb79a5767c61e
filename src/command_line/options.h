// The -o options: which there are beside the attributes, and how a list of them is read.
//
// Thread safety: constant tables, and pure functions.
#ifndef RNULLFS_COMMAND_LINE_OPTIONS_H_
#define RNULLFS_COMMAND_LINE_OPTIONS_H_

#include <string_view>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "command_line/mount_options.h"
#include "rnullfs/value_type.h"

namespace rnullfs {

// An option of the mount itself that has a value.
struct MountOption {
  std::string_view name;
  std::string_view value;    // what --help has behind the =
  std::string_view summary;  // with what it takes, and the default
  const ValueType* type;
  void (*set)(MountOptions& options, const Value& value);
};
absl::Span<const MountOption> MountOptionTable();

// Words that are handed on to the mount as they are; mount(8) says what they mean.
absl::Span<const std::string_view> MountFlags();
bool IsMountFlag(std::string_view option);

// Whether an fstab line or mount(8) may bring `option` along although it says nothing to us:
// "defaults", "nofail", "x-systemd.automount", "lazytime" and the like; at a remount, which gives
// back what /proc/mounts has, also what the kernel shows.
bool IsForOthers(std::string_view option, bool remount);

// Reads a list as it is given with -o, or as a module's parameters are: options between commas or,
// as parse_args() in kernel/params.c has it, white space.  Double quotes hold one together, and are
// taken away.  The list of numbers that null_blk's fault parameters take ("timeout=1,100,0,5") is
// one option.  EINVAL with a sentence that names the option and what is accepted.
absl::Status ReadOptions(std::string_view list, MountOptions& options);

}  // namespace rnullfs

#endif  // RNULLFS_COMMAND_LINE_OPTIONS_H_
