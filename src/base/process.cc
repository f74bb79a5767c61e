#include "base/process.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "base/visible.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

// proc(5): the field `flags` of /proc/PID/stat, the seventh behind the name, which may have
// anything in it.
bool ReadIsKernelThread(pid_t pid) {
  constexpr unsigned long kKernelThread = 0x00200000;  // PF_KTHREAD in include/linux/sched.h
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::string stat;
  std::getline(file, stat);
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return false;
  std::istringstream fields(stat.substr(name_end + 1));
  std::string skipped;
  for (int i = 0; i < 6; ++i) fields >> skipped;
  unsigned long flags = 0;
  fields >> flags;
  return fields && (flags & kKernelThread) != 0;
}

}  // namespace

std::string ProcessName(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/comm"));
  std::string name;
  if (!std::getline(file, name)) return absl::StrCat("pid ", pid);
  return absl::StrCat(Visible(name), " (pid ", pid, ")");  // PR_SET_NAME takes any bytes
}

bool IsKernelThread(pid_t pid) {
  if (pid <= 0) return true;
  // The few workers of a loop device come again and again.  Should a program get the number of one
  // that is gone, it is taken for it: a request of its is served that would be refused.
  thread_local std::array<pid_t, 16> known = {};
  pid_t& place = known[static_cast<size_t>(pid) % known.size()];
  if (place == pid) return true;
  if (!ReadIsKernelThread(pid)) return false;
  place = pid;
  return true;
}

// What has a handler is a sanitizer's: no program leaves one to the next.
void ResetSignals() {
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action = {};
    if (sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) {
      std::signal(signal, SIG_DFL);
    }
  }
}

void UnblockSignals() {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

std::string OwnPath(const char* argv0) {
  constexpr std::string_view kDeleted = " (deleted)";
  std::error_code error;
  std::string path = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return argv0;
  if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
  return path;
}

bool OnPath(const std::string& program) {
  const char* const path = std::getenv("PATH");
  std::istringstream directories(path == nullptr ? "/usr/local/bin:/bin:/usr/bin" : path);
  for (std::string directory; std::getline(directories, directory, ':');) {
    if (access(absl::StrCat(directory, "/", program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

bool HasProc() { return access("/proc/self/fd", F_OK) == 0; }

bool HasInitialCapability(unsigned capability) {
  // That one alone maps every id to itself, and its inode is fixed (PROC_USER_INIT_INO in
  // include/linux/proc_ns.h).
  constexpr ino_t kInitialUserNamespace = 0xEFFFFFFD;
  struct stat space = {};
  if (stat("/proc/self/ns/user", &space) == 0 && space.st_ino != kInitialUserNamespace)
    return false;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    constexpr std::string_view kEffective = "CapEff:";
    if (line.rfind(kEffective, 0) != 0) continue;
    return (std::stoull(line.substr(kEffective.size()), nullptr, 16) >> capability & 1) != 0;
  }
  return false;
}

void PrepareProcess() {
  ResetSignals();
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    // The lowest that is free, which is this one.  Without /dev/null anything does that can be
    // neither read nor written.
    if (open("/dev/null", O_RDWR) < 0 && open("/", O_PATH) < 0) _exit(1);
  }
  std::signal(SIGXFSZ, SIG_IGN);
}

void RaiseDescriptorLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void MakeRoomForDescriptors() {
  constexpr int kDescriptors = 4096;  // 32 KiB
  const int last = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, kDescriptors - 1);
  if (last >= 0) close(last);  // the room stays
}

absl::Status RaiseFileSizeLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_FSIZE, &limit) != 0) return absl::OkStatus();
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return SystemError(errno, "RLIMIT_FSIZE");
  if (limit.rlim_cur == RLIM_INFINITY) return absl::OkStatus();
  return Error(EFBIG, absl::StrCat("the limit on the size of files is ", limit.rlim_cur,
                                   " bytes here, and what a mount keeps in memory is files to it: "
                                   "ulimit -f unlimited (LimitFSIZE=infinity in a service)"));
}

}  // namespace rnullfs
