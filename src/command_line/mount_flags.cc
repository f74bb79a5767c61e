#include "command_line/mount_flags.h"

#include <algorithm>
#include <iterator>

namespace rnullfs {
namespace {

constexpr std::string_view kFlags[] = {"ro",    "rw",    "suid",    "nosuid",     "dev",
                                       "nodev", "exec",  "noexec",  "noatime",    "nodiratime",
                                       "sync",  "async", "dirsync", "nosymfollow"};

constexpr std::string_view kIgnored[] = {
    // For mount(8), which reads them in fstab.
    "defaults", "auto", "noauto", "user", "nouser", "users", "nousers", "owner", "noowner", "group",
    "nogroup", "nofail", "_netdev", "silent", "loud",
    // What the mount is anyway: the kernel checks permissions, others are let in where that is
    // allowed.
    "default_permissions", "allow_other", "symfollow",
    // What means nothing to the kernel's FUSE: the times of files are the daemon's.
    "atime", "diratime", "relatime", "norelatime", "strictatime", "nostrictatime", "lazytime",
    "nolazytime", "iversion", "noiversion", "mand", "nomand"};

// For mount(8) and its helpers, with a value.
constexpr std::string_view kIgnoredBeginnings[] = {
    "x-", "X-", "comment=", "user=", "uhelper=", "helper="};

// What the kernel shows of a mount of FUSE: mount(8) hands it back at a remount.
constexpr std::string_view kShown[] = {"user_id=", "group_id=", "subtype=", "max_read="};

bool Begins(std::string_view option, absl::Span<const std::string_view> beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(),
                     [option](std::string_view each) { return option.starts_with(each); });
}

}  // namespace

absl::Span<const std::string_view> MountFlags() { return kFlags; }

bool IsMountFlag(std::string_view option) {
  return std::find(std::begin(kFlags), std::end(kFlags), option) != std::end(kFlags);
}

bool IsIgnoredOption(std::string_view option) {
  // null_blk's parameters for zones: without zoned=1, which is refused, they mean nothing.
  return Begins(option, kIgnoredBeginnings) || option.starts_with("zone_") ||
         std::find(std::begin(kIgnored), std::end(kIgnored), option) != std::end(kIgnored);
}

bool IsShownByKernel(std::string_view option) { return Begins(option, kShown); }

}  // namespace rnullfs
