#include "base/pressure.h"

#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <fstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/process.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57  // Linux 5.6
#endif

namespace rnullfs {
namespace {

bool LockInMemory() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return false;
  const bool unlimited = limit.rlim_cur == RLIM_INFINITY || HasInitialCapability(CAP_IPC_LOCK);
  return unlimited && mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0;
}

bool SetOomScore(int score) {
  std::ofstream file("/proc/self/oom_score_adj");
  file << score << std::flush;
  return file.good();
}

}  // namespace

Pressure PrepareForPressure(int oom_score) {
  return {.io_flusher = prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) == 0,
          .locked = LockInMemory(),
          .oom_score = SetOomScore(oom_score)};
}

std::string PressureWarning(const Pressure& pressure) {
  std::vector<std::string> refused;
  if (!pressure.io_flusher) refused.emplace_back("PR_SET_IO_FLUSHER (CAP_SYS_RESOURCE)");
  if (!pressure.locked) refused.emplace_back("mlockall (CAP_IPC_LOCK, or RLIMIT_MEMLOCK)");
  if (!pressure.oom_score) refused.emplace_back("oom_score_adj (CAP_SYS_RESOURCE)");
  if (refused.empty()) return {};
  return absl::StrCat("the kernel refused ", absl::StrJoin(refused, ", "),
                      ": when memory runs out, a file system on a disk of this mount may wait for "
                      "itself");
}

}  // namespace rnullfs
