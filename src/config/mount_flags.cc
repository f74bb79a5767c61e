#include "config/mount_flags.h"

#include <algorithm>
#include <iterator>

namespace rnullfs {
namespace {

constexpr std::string_view kFlags[] = {"ro",    "rw",    "suid",   "nosuid", "dev",
                                       "nodev", "exec",  "noexec", "atime",  "noatime",
                                       "sync",  "async", "dirsync"};

constexpr std::string_view kIgnored[] = {
    // For mount(8), which reads them in fstab.
    "defaults", "auto", "noauto", "user", "nouser", "users", "owner", "group", "nofail", "_netdev",
    // What the mount is anyway: the kernel checks permissions, others are let in where that is
    // allowed, and times follow relatime.
    "default_permissions", "allow_other", "relatime"};

}  // namespace

absl::Span<const std::string_view> MountFlags() { return kFlags; }

bool IsMountFlag(std::string_view option) {
  return std::find(std::begin(kFlags), std::end(kFlags), option) != std::end(kFlags);
}

bool IsIgnoredOption(std::string_view option) {
  // null_blk's parameters for zones: without zoned=1, which is refused, they mean nothing.
  return option.starts_with("x-") || option.starts_with("zone_") ||
         std::find(std::begin(kIgnored), std::end(kIgnored), option) != std::end(kIgnored);
}

}  // namespace rnullfs
