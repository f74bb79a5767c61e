#include "base/pressure.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/process.h"

namespace rnullfs {
namespace {

// After nearly everything else; the guard alone comes later.
constexpr int kOomScore = -900;

}  // namespace

Pressure PrepareForPressure() {
  return {.io_flusher = BecomeIoFlusher().ok(),
          .locked = LockInMemory().ok(),
          .oom_score = ProtectFromOom(kOomScore).ok()};
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
