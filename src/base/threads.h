// Threads where none may be to be had: a limit on processes (ulimit -u, a control group's pids.max,
// systemd's TasksMax) is an error to be said or waited out, and not the end of the process.
//
// Thread safety: all calls from any thread.  Errors: EAGAIN, with a sentence that names the limits.
#ifndef RNULLFS_BASE_THREADS_H_
#define RNULLFS_BASE_THREADS_H_

#include <functional>
#include <thread>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace rnullfs {

// What std::thread would throw for is the status.  `background`: its name (at most 15 bytes) when
// it works in the background; no signal interrupts it, as those are for the threads that serve.
absl::StatusOr<std::thread> StartThread(std::function<void()> run,
                                        const char* background = nullptr);

// Does `attempt`, and does it again, with growing pauses, while it fails: for a process that takes
// a mount over, whose requests wait in the kernel meanwhile.  It gives up, with the last error,
// when the mount is gone, of which `connection` is the descriptor of /dev/fuse; at once where that
// is -1.
absl::Status InsistWhileMounted(int connection, absl::FunctionRef<absl::Status()> attempt);

}  // namespace rnullfs

#endif  // RNULLFS_BASE_THREADS_H_
