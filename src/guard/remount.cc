#include <sys/mount.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "base/mountpoint.h"
#include "guard/commands.h"
#include "rnullfs/error.h"

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256  // Linux 5.10
#endif
#ifndef ST_NOSYMFOLLOW
#define ST_NOSYMFOLLOW 0x2000
#endif

namespace rnullfs {
namespace {

// A flag of mount(2), how statvfs(3) shows it, and the words that set and clear it.
struct Flag {
  unsigned long set;
  unsigned long shown;
  std::string_view on;
  std::string_view off;
};

constexpr Flag kFlags[] = {{MS_RDONLY, ST_RDONLY, "ro", "rw"},
                           {MS_NOSUID, ST_NOSUID, "nosuid", "suid"},
                           {MS_NODEV, ST_NODEV, "nodev", "dev"},
                           {MS_NOEXEC, ST_NOEXEC, "noexec", "exec"},
                           {MS_SYNCHRONOUS, ST_SYNCHRONOUS, "sync", "async"},
                           {MS_NOATIME, ST_NOATIME, "noatime", "atime"},
                           {MS_NODIRATIME, ST_NODIRATIME, "nodiratime", "diratime"},
                           {MS_RELATIME, ST_RELATIME, "relatime", "norelatime"},
                           {MS_NOSYMFOLLOW, ST_NOSYMFOLLOW, "nosymfollow", "symfollow"},
                           {MS_DIRSYNC, 0, "dirsync", ""}};

// The flags of what is mounted, with what the options change.
unsigned long Changed(const struct statvfs& mounted, const std::vector<std::string>& options) {
  unsigned long flags = 0;
  for (const Flag& flag : kFlags) {
    bool set = (mounted.f_flag & flag.shown) != 0;
    for (const std::string& option : options) {
      if (option == flag.on || option == flag.off) set = option == flag.on;
    }
    if (set) flags |= flag.set;
  }
  return flags;
}

absl::Status CheckUnchanged(const std::string& mountpoint,
                            const std::vector<std::string>& settings) {
  const std::string status = StatusTextOf(mountpoint);
  for (const std::string& setting : settings) {
    if (status.find(absl::StrCat("\"", setting, "\"")) != std::string::npos) continue;
    return Error(EINVAL, absl::StrCat("-o ", setting,
                                      ": a remount cannot change it, only flags as ro and noexec; "
                                      "write to the files of each disk, or umount ",
                                      mountpoint, " and mount it anew"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Remount(const std::string& mountpoint, const std::vector<std::string>& options,
                     const std::vector<std::string>& settings) {
  std::error_code error;
  const std::string path = std::filesystem::canonical(mountpoint, error);
  if (error) return SystemError(error.value(), mountpoint);
  if (!IsOurMount(MountedOn(path))) {
    return Error(EINVAL, absl::StrCat("-o remount: ", path, " is not a mount of rnullfs"));
  }
  if (absl::Status unchanged = CheckUnchanged(path, settings); !unchanged.ok()) return unchanged;
  struct statvfs mounted = {};
  if (statvfs(path.c_str(), &mounted) != 0) return SystemError(errno, path);
  const unsigned long flags = MS_REMOUNT | Changed(mounted, options);
  if (mount(nullptr, path.c_str(), nullptr, flags, nullptr) == 0) {
    return absl::OkStatus();
  }
  return SystemError(errno, absl::StrCat("-o remount: ", path));
}

}  // namespace rnullfs
