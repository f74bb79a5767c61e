#include <algorithm>

#include "command_line/options.h"
#include "config/types/integer.h"
#include "config/types/line.h"
#include "config/types/word.h"

namespace rnullfs {
namespace {

// --- Options of the mount with a value ----------------------------------------------------------

constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();
constexpr int kMibShift = 20;

// MiB of which the bytes can be counted, or none.
class MemoryLimitType final : public Integer<uint64_t> {
 public:
  constexpr MemoryLimitType() : Integer({.max = kNoLimit >> kMibShift}, "MiB") {}

  std::string Accepts() const override {
    return Concat({"none, or a size (MiB, or with ", SuffixesOf(unit()), ")"});
  }
  absl::StatusOr<Value> Parse(std::string_view name, std::string_view text,
                              const Value& current) const override {
    return text == "none" ? Value(kNoLimit) : Integer::Parse(name, text, current);
  }
};

template <typename Enum, Enum MountOptions::*kMember>
void SetWord(MountOptions& options, const Value& value) {
  options.*kMember = static_cast<Enum>(std::get<uint64_t>(value));
}

constexpr std::string_view kHugePages[] = {"never", "advise", "always"};  // as in HugePages
constexpr std::string_view kTransports[] = {"auto", "dev", "uring"};      // as in Transport
constexpr std::string_view kOnOff[] = {"on", "off"};

constexpr Integer<uint64_t> kDeviceCount({.max = kMaxDevicesAtMount});
constexpr MemoryLimitType kMemoryLimit;
constexpr Word kHuge(kHugePages);
constexpr Word kTransport(kTransports);
constexpr Word kGuard(kOnOff);
constexpr Line kSourceName({.bytes_max = 4095, .accepts = "a name"});  // what mount(2) takes

static_assert(kMaxDevicesAtMount == 4096, "the text below says so");
constexpr MountOption kTable[] = {
    {"nr_devices", "COUNT", "how many disks to make, rnullb0 and up; takes 0 to 4096; default 1",
     &kDeviceCount,
     [](MountOptions& options, const Value& value) {
       options.nr_devices = static_cast<uint32_t>(std::get<uint64_t>(value));
     }},
    {"memory_limit", "SIZE",
     "memory that all disks may take together; takes none or a number of MiB, or one with the "
     "suffix K, M, G or T; default four fifths of what is available at the mount",
     &kMemoryLimit,
     [](MountOptions& options, const Value& value) {
       const uint64_t mib = std::get<uint64_t>(value);
       options.memory_limit = mib == kNoLimit ? kNoLimit : mib << kMibShift;
     }},
    {"huge", "never|advise|always",
     "which parts of a disk that the kernel serves are put into huge pages, where the kernel has "
     "them for shared memory: none, what is wholly stored, or all that anything is stored in; "
     "default advise",
     &kHuge, SetWord<HugePages, &MountOptions::huge>},
    {"transport", "auto|dev|uring",
     "how requests come from the kernel: read from /dev/fuse or through io_uring, which falls back "
     "to dev where it cannot be had; default auto, which is dev",
     &kTransport, SetWord<Transport, &MountOptions::transport>},
    {"guard", "on|off",
     "on keeps the disks in a second process, so that another worker goes on when the one that "
     "serves them dies; default on",
     &kGuard,
     [](MountOptions& options, const Value& value) {
       options.guard = std::get<uint64_t>(value) == 0;
     }},
    {"fsname", "NAME", "what mount(8) and df(1) show as the source", &kSourceName,
     [](MountOptions& options, const Value& value) {
       options.mount_flags.push_back(Concat({"fsname=", std::get<std::string>(value)}));
     }},
};

// --- Words ---------------------------------------------------------------------------------------

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

// For mount(8) and its helpers, with a value; and null_blk's parameters for zones: without zoned=1,
// which is refused, they mean nothing.
constexpr std::string_view kIgnoredBeginnings[] = {
    "x-", "X-", "comment=", "user=", "uhelper=", "helper=", "zone_"};

// What the kernel shows of a mount of FUSE: mount(8) hands it back at a remount.
constexpr std::string_view kShown[] = {"user_id=", "group_id=", "subtype=", "max_read="};

bool Begins(std::string_view option, absl::Span<const std::string_view> beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(),
                     [option](std::string_view each) { return option.starts_with(each); });
}

bool Has(absl::Span<const std::string_view> words, std::string_view option) {
  return std::find(words.begin(), words.end(), option) != words.end();
}

}  // namespace

absl::Span<const MountOption> MountOptionTable() { return kTable; }
absl::Span<const std::string_view> MountFlags() { return kFlags; }
bool IsMountFlag(std::string_view option) { return Has(kFlags, option); }

bool IsForOthers(std::string_view option, bool remount) {
  return Has(kIgnored, option) || Begins(option, kIgnoredBeginnings) || option == "remount" ||
         (remount && Begins(option, kShown));
}

}  // namespace rnullfs
