// The signals that end a mount, and the one that tells of the guard's death.
//
// Thread safety: guard_lost() and awaited() from any thread; all else is the main thread's.
// Errors: EAGAIN, when there is no thread to be had that waits for them.
#ifndef RNULLFS_FUSE_SIGNALS_H_
#define RNULLFS_FUSE_SIGNALS_H_

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "rnullfs/mutex.h"

namespace rnullfs {

class Signals {
 public:
  struct Hooks {
    std::function<std::vector<std::string>()> in_use;  // the disks that hold up the end
    std::function<void()> ending;                      // a signal has come, and waits for them
    std::function<void()> end;  // there are none, or a second signal has come
  };

  // Blocks them in this thread, and so in every one to come.  `guard_pid` is our parent's; 0 when
  // there is no guard.
  Signals(pid_t guard_pid, Hooks hooks);
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // One thread takes them in turn, until Stop().  It can be started again.
  absl::Status Start();
  void Stop();

  bool guard_lost() const { return guard_lost_.load(); }

  // What `in_use` said last; empty before a signal.
  std::vector<std::string> awaited() const;

 private:
  void Await();
  bool Take(bool& ending);

  const pid_t guard_pid_;
  const Hooks hooks_;
  std::atomic<bool> guard_lost_{false};
  std::atomic<bool> stopped_{false};
  std::thread thread_;
  mutable Mutex mutex_;
  std::vector<std::string> awaited_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rnullfs

#endif  // RNULLFS_FUSE_SIGNALS_H_
