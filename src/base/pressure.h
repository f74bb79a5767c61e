// What a process that serves a block device owes to a machine short of memory: never to wait for
// that device, not to be swapped out, not to be the first that is ended.  Each is the kernel's to
// refuse.
//
// Thread safety: before any thread starts.
#ifndef RNULLFS_BASE_PRESSURE_H_
#define RNULLFS_BASE_PRESSURE_H_

#include <string>

namespace rnullfs {

struct Pressure {
  bool io_flusher = false;  // PR_SET_IO_FLUSHER
  bool locked = false;      // mlockall(2)
  bool oom_score = false;   // oom_score_adj
};

Pressure PrepareForPressure();

// What was refused and what that means, as one sentence; empty when nothing was.
std::string PressureWarning(const Pressure& pressure);

}  // namespace rnullfs

#endif  // RNULLFS_BASE_PRESSURE_H_
