#include <glob.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "base/mountpoint.h"
#include "guard/commands.h"
#include "guard/guard.h"
#include "rnullfs/error.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {
namespace {

constexpr int kPatienceSeconds = 10;
constexpr int kLooksPerSecond = 100;

// Whether all that the process does it does as this user.  Its name, which may be anything, is a
// line of its own.
bool IsProcessOf(pid_t pid, uid_t user) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(status, line);) {
    std::istringstream words(line);
    std::string key;
    uid_t real = 0;
    uid_t effective = 0;
    words >> key >> real >> effective;
    if (key == "Uid:") return words && real == user && effective == user;
  }
  return false;
}

// status.json is the word of whoever serves the mount, and a signal ends most programs: the process
// must be of the user who, as the kernel says, has mounted it.
absl::Status Signal(pid_t guard, const MountEntry& mounted) {
  const std::string name = absl::StrCat("guard ", guard);
  const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, guard, 0)));
  if (!process.valid()) return SystemError(errno, name);
  if (!mounted.user.has_value() || !IsProcessOf(guard, *mounted.user)) {
    return Error(EPERM, absl::StrCat(name,
                                     ", as status.json has it, is not a process of the user "
                                     "who has mounted it: it is left alone"));
  }
  if (syscall(SYS_pidfd_send_signal, process.get(), SIGUSR2, nullptr, 0) == 0) {
    return absl::OkStatus();
  }
  return SystemError(errno, name);
}

// The process that has a descriptor of the mount, the first of several, as it has forked the
// others: of a mount that answers nothing, which cannot be asked, its guard.  0 when there is none
// that the caller may look at, or the kernel does not say.
pid_t HolderOf(const MountEntry& mounted) {
  glob_t open = {};
  glob("/proc/[0-9]*/fd/*", GLOB_NOSORT, nullptr, &open);
  pid_t holder = 0;
  for (size_t i = 0; i < open.gl_pathc; ++i) {
    const std::filesystem::path path = open.gl_pathv[i];
    std::error_code gone;
    if (std::filesystem::read_symlink(path, gone) != "/dev/fuse") continue;
    const std::string process = path.parent_path().parent_path().filename();
    const int fd = std::atoi(path.filename().c_str());
    const pid_t pid = std::atoi(process.c_str());
    if (FuseDeviceOf(fd, process) == mounted.device && (holder == 0 || pid < holder)) holder = pid;
  }
  globfree(&open);
  return holder;
}

// The worker that serves when it is another one; the same when there is none after all.
pid_t AwaitOther(const std::string& mountpoint, pid_t worker) {
  for (int looks = 0; looks < kPatienceSeconds * kLooksPerSecond; ++looks) {
    usleep(1'000'000 / kLooksPerSecond);
    const pid_t now = PidOf(StatusTextOf(mountpoint), "worker_pid");
    if (now != 0 && now != worker) return now;
  }
  return worker;
}

// The new program's worker has to serve for a while; then the guard becomes that program, too.
absl::Status AwaitProof(const std::string& mountpoint, pid_t before) {
  constexpr int kLooks = 10;
  pid_t now = 0;
  for (int looks = 0; looks <= kLooks; ++looks) {
    if (looks > 0) usleep(kTrialSeconds * 1'200'000 / kLooks);
    const std::string status = StatusTextOf(mountpoint);
    if (status.find(absl::StrCat("\"", kNotUpgraded, "\"")) != std::string::npos) {
      return Error(ECANCELED,
                   "the new program's worker failed: the mount is served by the version before, "
                   "and the log says why");
    }
    now = PidOf(status, "worker_pid");
  }
  const std::string from = before == 0 ? "" : absl::StrCat(" from ", before);
  std::printf("worker %d has taken over%s\n", now, from.c_str());
  return absl::OkStatus();
}

}  // namespace

absl::Status UpgradeMount(const std::string& mountpoint) {
  std::error_code error;
  std::string path = std::filesystem::canonical(mountpoint, error);
  if (error.value() == EIO) path = AbsoluteMountpoint(mountpoint, error);
  if (error) return SystemError(error.value(), mountpoint);
  const MountEntry mounted = MountedOn(path);
  const std::string before = IsOurMount(mounted) ? StatusTextOf(mountpoint) : "";
  const bool answers = !before.empty() || !IsOurMount(mounted);
  const pid_t worker = PidOf(before, "worker_pid");
  const pid_t guard = answers ? PidOf(before, "guard_pid") : HolderOf(mounted);
  if (!answers && guard == 0) {
    return Error(EIO, absl::StrCat(mountpoint,
                                   " answers nothing, and the kernel does not say who holds it: "
                                   "SIGUSR2 to its guard, whose number is in the log, is what "
                                   "--upgrade sends"));
  }
  if (answers && worker == 0) {
    return Error(EINVAL, absl::StrCat(mountpoint, " is not a mount of rnullfs"));
  }
  if (guard == 0) {
    return Error(EINVAL, absl::StrCat(mountpoint,
                                      " is served without a guard (guard=off): nothing "
                                      "would be left for another process"));
  }
  if (absl::Status sent = Signal(guard, mounted); !sent.ok()) return sent;
  if (AwaitOther(mountpoint, worker) == worker) {
    return Error(ETIMEDOUT, absl::StrCat("guard ", guard, " has not replaced its worker in ",
                                         kPatienceSeconds, " seconds; the log says why"));
  }
  return AwaitProof(mountpoint, worker);
}

}  // namespace rnullfs
