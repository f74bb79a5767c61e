// What an upgrade hands from one program to the next: descriptors by inheritance, and in the
// environment what they are about.
//
// A program is started up to three times for it: it is asked whether it could go on, it becomes a
// worker of the old guard, and when that worker has proved itself, the guard.  Guards of versions
// before know the first, without an answer, and the last, without a worker.
//
// Thread safety: none; before any thread starts.
#ifndef RNULLFS_GUARD_HANDOVER_H_
#define RNULLFS_GUARD_HANDOVER_H_

#include <sys/types.h>

#include <string>

#include "rnullfs/unique_fd.h"

namespace rnullfs {

struct Handover {
  enum class As {
    kNone,    // nobody hands anything on: this is a start
    kCheck,   // only a question
    kWorker,  // under the guard `peer`
    kGuard,   // of the worker `peer`
  } as = As::kNone;
  std::string mountpoint = {};
  unsigned replaced = 0;   // how many workers have been before
  int descriptor = -1;     // kCheck: where to answer; kWorker, kGuard: the channel
  pid_t peer = 0;          // 0: none yet
  int end_signal = 0;      // kGuard: the mount is to end, as it was told to by this
  std::string token = {};  // kCheck: what the answer has to have in it
};

// Puts it into the environment, and takes it out again.
void SetHandover(const Handover& handover);
void UnsetHandover();

// Takes it out of the environment.  Who has no guard's descriptors is not believed, and loses what
// descriptors the caller has left it, but for 0 to 2 and that of `mountpoint` (/dev/fd/N).
Handover TakeHandover(const std::string& mountpoint);

// What kCheck answers, and what a guard so wants to read: no other program says it by chance.
std::string UpgradeAnswer(const std::string& token);
// Says yes.  A guard of a version before does not wait for more than the exit status.
void AnswerCheck(const Handover& handover);

// The state's memfd among the descriptors of this process; invalid if there is none.
UniqueFd InheritedState();

}  // namespace rnullfs

#endif  // RNULLFS_GUARD_HANDOVER_H_
