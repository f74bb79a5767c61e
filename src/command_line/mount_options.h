// The command line: what -o and the flags say, read with the table of attributes.
//
// Thread safety: pure functions.
#ifndef RNULLFS_COMMAND_LINE_MOUNT_OPTIONS_H_
#define RNULLFS_COMMAND_LINE_MOUNT_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "rnullfs/settings.h"

namespace rnullfs {

// A bound against slips; mkdir makes as many more as memory holds.
inline constexpr uint32_t kMaxDevicesAtMount = 4096;

// How requests come from the kernel: read from /dev/fuse, through io_uring, or as the daemon
// decides.
enum class Transport { kAuto, kDev, kUring };

// Which parts of a disk are put into huge pages: none, those that are wholly stored, or all in
// which anything is.
enum class HugePages { kNever, kAdvise, kAlways };

struct MountOptions {
  std::string mountpoint;
  std::string source;         // what mount(8) shows; empty when none is given
  bool foreground = false;    // -f
  bool show_help = false;     // -h, --help
  bool show_version = false;  // -V, --version
  bool guard = true;          // a second process keeps the disks when the one that serves them dies
  int rescue_pid = 0;         // --rescue PID DIRECTORY: the process; mountpoint is the directory
  bool snapshots = false;     // --snapshots: which are rescued as well
  bool upgrade = false;       // --upgrade MOUNTPOINT
  bool remount = false;       // -o remount: what can be changed of a mount that is there
  uint32_t nr_devices = 1;    // rnullb0 .. rnullb<nr_devices - 1>
  Transport transport = Transport::kAuto;
  HugePages huge = HugePages::kAdvise;
  Settings device;  // what each of them starts as; `power` included
  // Bytes that all disks may take together, UINT64_MAX for no limit; by default four fifths of the
  // memory that is available at the mount.
  std::optional<uint64_t> memory_limit;
  // Options of the mount itself, handed on to it as they are (ro, nosuid, noexec, noatime, ...).
  std::vector<std::string> mount_flags;
  // Of the -o options as given those that are neither flags of the mount nor for others to read: a
  // remount cannot change them.
  std::vector<std::string> settings;
  // The -o options as given, for status.json.
  std::vector<std::string> given;
};

// Reads argv[1..].  Attributes are options by their name or their module parameter's name
// ("gb=4", "bs=512"); a boolean may stand alone ("memory_backed"); `size` takes a suffix ("8G").
// Later options win.  EINVAL with a sentence that names the option and what is accepted.
absl::StatusOr<MountOptions> ParseCommandLine(absl::Span<const char* const> arguments);

// The text of --help, its options from the table.
std::string HelpText();

}  // namespace rnullfs

#endif  // RNULLFS_COMMAND_LINE_MOUNT_OPTIONS_H_
