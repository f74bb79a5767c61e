// Going into the background in a way that a script can rely on: the command returns when the
// service is ready, with status 0, or when it has failed, with the failure's status and its words
// on stderr.
//
// The process forks before it does anything else, so that threads, descriptors and the mount all
// belong to the child; the parent only waits.  A signal that would end it while it waits ends the
// child, too, and first: who interrupts a command finds nothing of it left once it has returned.
// Thread safety: before any thread starts.
#ifndef RNULLFS_BASE_BACKGROUND_H_
#define RNULLFS_BASE_BACKGROUND_H_

#include "absl/status/statusor.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {

class Background {
 public:
  // Stays in the foreground; Ready() then does nothing.
  Background() = default;

  // Returns in the child only.
  static absl::StatusOr<Background> Start();

  // From here on stdin, stdout and stderr are /dev/null, and the log is syslog.  For a process that
  // the one in the background has forked: telling the parent is not its business.
  void Detach();

  // The same, and lets the parent return.
  void Ready();

 private:
  UniqueFd ready_;
};

// Tells systemd as well (sd_notify(3)): sends "READY=1" to the socket that NOTIFY_SOCKET names, if
// any.  By the service's main process.
void NotifyReady();

}  // namespace rnullfs

#endif  // RNULLFS_BASE_BACKGROUND_H_
