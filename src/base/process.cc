#include "base/process.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>
#include <fstream>

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

void RaiseDescriptorLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace rnullfs
