#include "base/process.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "rnullfs/error.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57  // Linux 5.6
#endif

namespace rnullfs {

std::string ProcessName(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/comm"));
  std::string name;
  if (!std::getline(file, name)) return absl::StrCat("pid ", pid);
  return absl::StrCat(name, " (pid ", pid, ")");
}

absl::Status BecomeIoFlusher() {
  if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) == 0) return absl::OkStatus();
  return SystemError(errno, "PR_SET_IO_FLUSHER");
}

bool IsAdministrator() {
  // The initial user namespace alone maps every id to itself, and its inode is fixed
  // (PROC_USER_INIT_INO in include/linux/proc_ns.h).
  constexpr ino_t kInitialUserNamespace = 0xEFFFFFFD;
  constexpr int kCapSysAdmin = 21;
  struct stat space = {};
  if (stat("/proc/self/ns/user", &space) == 0 && space.st_ino != kInitialUserNamespace)
    return false;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    constexpr std::string_view kEffective = "CapEff:";
    if (line.rfind(kEffective, 0) != 0) continue;
    return (std::stoull(line.substr(kEffective.size()), nullptr, 16) >> kCapSysAdmin & 1) != 0;
  }
  return false;
}

void RaiseDescriptorLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace rnullfs
