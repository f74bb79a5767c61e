// The -o words that are no attributes: what the kernel's mount takes, and what only mount(8) reads.
//
// Thread safety: constant tables.
#ifndef RNULLFS_COMMAND_LINE_MOUNT_FLAGS_H_
#define RNULLFS_COMMAND_LINE_MOUNT_FLAGS_H_

#include <string_view>

#include "absl/types/span.h"

namespace rnullfs {

// Handed on to the mount as they are; mount(8) says what they mean.
absl::Span<const std::string_view> MountFlags();
bool IsMountFlag(std::string_view option);

// Whether an fstab line or mount(8) may bring `option` along although it says nothing to us:
// "defaults", "nofail", "x-systemd.automount", "lazytime" and the like.
bool IsIgnoredOption(std::string_view option);

// Whether the kernel shows `option` in /proc/mounts, from where it comes back at a remount.
bool IsShownByKernel(std::string_view option);

}  // namespace rnullfs

#endif  // RNULLFS_COMMAND_LINE_MOUNT_FLAGS_H_
