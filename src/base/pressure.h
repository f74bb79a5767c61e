// What a process that serves a block device owes to a machine short of memory: never to wait for
// that device, not to be swapped out, not to be the first that is ended.  Each is the kernel's to
// refuse.
//
// Thread safety: before any thread starts.
#ifndef RNULLFS_BASE_PRESSURE_H_
#define RNULLFS_BASE_PRESSURE_H_

#include <string>

namespace rnullfs {

// What the kernel has granted.
struct Pressure {
  // Allocations never wait for the device (PR_SET_IO_FLUSHER; needs CAP_SYS_RESOURCE).
  bool io_flusher = false;
  // What is touched is not swapped out (mlockall(2); CAP_IPC_LOCK, or an unlimited RLIMIT_MEMLOCK:
  // under a limit mappings to come would fail).
  bool locked = false;
  bool oom_score = false;  // oom_score_adj (proc(5)); to lower it takes CAP_SYS_RESOURCE
};

// A worker's is after nearly everything else; the guard alone comes later.
inline constexpr int kWorkerOomScore = -900;
Pressure PrepareForPressure(int oom_score = kWorkerOomScore);

// What was refused and what that means, as one sentence; empty when nothing was.
std::string PressureWarning(const Pressure& pressure);

}  // namespace rnullfs

#endif  // RNULLFS_BASE_PRESSURE_H_
