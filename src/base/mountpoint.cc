#include "base/mountpoint.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

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

// The mount on `path` answers.
absl::Status LiveMount(const std::string& path) {
  const pid_t pid = PidOf(StatusTextOf(path), "guard_pid");
  const std::string guard = pid == 0 ? "" : absl::StrCat(" (guard_pid ", pid, ")");
  return Error(EBUSY,
               absl::StrCat("mountpoint ", path, ": a mount of rnullfs is there and serves", guard,
                            "; umount it first, or change how it is mounted with -o "
                            "remount, or its program with --upgrade"));
}

// A path of the kernel's tables, in which white space and backslashes are three octal digits.
std::string Unescaped(std::string_view escaped) {
  std::string path;
  for (size_t at = 0; at < escaped.size(); ++at) {
    if (escaped[at] == '\\' && at + 3 < escaped.size()) {
      path += static_cast<char>(
          std::strtoul(std::string(escaped.substr(at + 1, 3)).c_str(), nullptr, 8));
      at += 3;
    } else {
      path += escaped[at];
    }
  }
  return path;
}

}  // namespace

bool IsOurMount(const MountEntry& mounted) { return mounted.type == kOurType; }

MountEntry MountedOn(const std::string& path) {
  MountEntry mounted;
  std::ifstream table("/proc/self/mountinfo");
  for (std::string line; std::getline(table, line);) {
    std::istringstream words(line);
    std::string id, parent, device, root, place, word;
    words >> id >> parent >> device >> root >> place;
    if (Unescaped(place) != path) continue;
    while (words >> word && word != "-") {
    }
    mounted = {.type = "", .user = std::nullopt, .device = device};
    std::string source, options;
    words >> mounted.type >> source >> options;
    constexpr std::string_view kUser = ",user_id=";
    const size_t user = options.find(kUser);
    if (user == std::string::npos) continue;
    mounted.user =
        static_cast<uid_t>(std::strtoul(options.c_str() + user + kUser.size(), nullptr, 10));
  }
  return mounted;
}

// As much as there ever is of it: another's mount might not end.
std::string StatusTextOf(const std::string& mountpoint) {
  std::ifstream file(mountpoint + "/status.json");
  std::string text(size_t{64} << 10, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(file.gcount());
  return text;
}

pid_t PidOf(std::string_view status, std::string_view key) {
  const std::string name = absl::StrCat("\"", std::string(key), "\": ");
  const size_t at = status.find(name);
  pid_t pid = 0;
  if (at != std::string_view::npos) {
    std::from_chars(status.data() + at + name.size(), status.data() + status.size(), pid);
  }
  return pid;
}

std::string FuseDeviceOf(int fuse_fd, const std::string& process) {
  constexpr std::string_view kKey = "fuse_connection:";
  std::ifstream info(absl::StrCat("/proc/", process, "/fdinfo/", fuse_fd));
  for (std::string line; std::getline(info, line);) {
    // The kernel mounts FUSE on devices without a major number.
    if (line.starts_with(kKey)) {
      return absl::StrCat("0:", std::strtoul(line.c_str() + kKey.size(), nullptr, 10));
    }
  }
  return {};
}

bool LiesOver(const MountEntry& mounted, int fuse_fd) {
  const std::string ours = FuseDeviceOf(fuse_fd);
  return !mounted.type.empty() && !ours.empty() && mounted.device != ours;
}

bool UnmountOurs(const std::string& path, int fuse_fd) {
  const MountEntry mounted = MountedOn(path);
  // A directory above may have been moved, and a link put in its place.
  if (!IsOurMount(mounted) || LiesOver(mounted, fuse_fd)) return false;
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

std::string AbsoluteMountpoint(const std::string& path, std::error_code& error) {
  std::filesystem::path absolute = std::filesystem::absolute(path, error).lexically_normal();
  if (!absolute.has_filename()) absolute = absolute.parent_path();
  const std::filesystem::path parent = std::filesystem::canonical(absolute.parent_path(), error);
  return error ? absolute : parent / absolute.filename();
}

absl::Status FindMountpoint(std::string& path) {
  // A descriptor of /dev/fuse: that mount has been made.
  if (path.starts_with("/dev/fd/")) return absl::OkStatus();
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0 && errno == ENOTCONN) {
    std::error_code error;
    const std::string dead = AbsoluteMountpoint(path, error);
    if (absl::Status removed = RemoveDeadMount(dead); !removed.ok()) return removed;
  }
  char absolute[PATH_MAX];
  if (realpath(path.c_str(), absolute) == nullptr || stat(absolute, &status) != 0) {
    return SystemError(errno, absl::StrCat("mountpoint ", path));
  }
  if (!S_ISDIR(status.st_mode)) {
    return Error(ENOTDIR, absl::StrCat("mountpoint ", path, ": it must be a directory"));
  }
  path = absolute;
  // One that is dead is gone by now.
  return IsOurMount(MountedOn(path)) ? LiveMount(path) : absl::OkStatus();
}

}  // namespace rnullfs
