#include "base/mountpoint.h"

#include <mntent.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

constexpr std::string_view kOurType = "fuse.rnullfs";

// The mount on `path` answers no more: its process is gone.
absl::Status RemoveDeadMount(const std::string& path) {
  const std::string type = MountedOn(path).type;
  if (type != kOurType) {
    return Error(EBUSY, absl::StrCat("mountpoint ", path, ": a dead mount of ",
                                     type.empty() ? "another file system" : type,
                                     " is there; umount it first"));
  }
  if (!UnmountOurs(path)) {
    return Error(EBUSY,
                 absl::StrCat("mountpoint ", path,
                              ": a dead mount of rnullfs is there, and you may not umount it"));
  }
  Log(absl::StrCat("took away a mount on ", path, " whose process was gone"));
  return absl::OkStatus();
}

// Absolute, but for the last component not looked at: a dead mount cannot be.
std::string Absolute(const std::string& path) {
  std::error_code error;
  std::filesystem::path absolute = std::filesystem::absolute(path, error).lexically_normal();
  if (!absolute.has_filename()) absolute = absolute.parent_path();
  const std::filesystem::path parent = std::filesystem::canonical(absolute.parent_path(), error);
  return error ? absolute.string() : (parent / absolute.filename()).string();
}

}  // namespace

bool IsOurMount(const MountEntry& mounted) { return mounted.type == kOurType; }

MountEntry MountedOn(const std::string& path) {
  MountEntry mounted;
  const std::unique_ptr<FILE, int (*)(FILE*)> table(setmntent("/proc/self/mounts", "r"),
                                                    &endmntent);
  if (table == nullptr) return mounted;
  while (const mntent* entry = getmntent(table.get())) {
    if (path != entry->mnt_dir) continue;
    mounted = {.type = entry->mnt_type, .user = std::nullopt};
    const char* const option = hasmntopt(entry, "user_id");
    const char* const value = option == nullptr ? nullptr : std::strchr(option, '=');
    if (value != nullptr) mounted.user = static_cast<uid_t>(std::strtoul(value + 1, nullptr, 10));
  }
  return mounted;
}

bool UnmountOurs(const std::string& path) {
  // A directory above may have been moved, and a link put in its place.
  if (!IsOurMount(MountedOn(path))) return false;
  if (umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) return true;
  if (geteuid() == 0) return false;  // fusermount3 could no more
  const pid_t child = fork();
  if (child == 0) {
    execlp("fusermount3", "fusermount3", "-u", "-q", "-z", "--", path.c_str(), nullptr);
    _exit(1);
  }
  int status = 1;
  return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

absl::Status FindMountpoint(std::string& path) {
  // A descriptor of /dev/fuse: that mount has been made.
  if (path.starts_with("/dev/fd/")) return absl::OkStatus();
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0 && errno == ENOTCONN) {
    if (absl::Status removed = RemoveDeadMount(Absolute(path)); !removed.ok()) return removed;
  }
  char absolute[PATH_MAX];
  if (realpath(path.c_str(), absolute) == nullptr || stat(absolute, &status) != 0) {
    return SystemError(errno, absl::StrCat("mountpoint ", path));
  }
  if (!S_ISDIR(status.st_mode)) {
    return Error(ENOTDIR, absl::StrCat("mountpoint ", path, ": it must be a directory"));
  }
  path = absolute;
  return absl::OkStatus();
}

}  // namespace rnullfs
