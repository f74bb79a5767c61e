#include "guard/worker_start.h"

#include <unistd.h>

#include <csignal>

namespace rnullfs {

WorkerStart StartWorker(const Handover& handover, const KeptDescriptors& kept,
                        const char* replaced_why) {
  // SIGCHLD is the guard's.  The others stay blocked until somebody waits for them: it may hand one
  // on at once.
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_UNBLOCK, &child, nullptr);
  setpgid(0, 0);  // a terminal's Ctrl-C comes to the guard, which hands it on
  WorkerStart start;
  start.channel = UniqueFd(handover.descriptor);
  start.guard_pid = handover.peer;
  start.replaced = handover.replaced;
  start.replaced_why = replaced_why;
  if (start.replaced == 0) return start;  // before the first, what there is is not ours
  start.fuse = UniqueFd(kept.fuse());
  start.state = UniqueFd(kept.state());
  for (const int fd : kept.Disks()) start.memfds.emplace_back(fd);
  return start;
}

}  // namespace rnullfs
