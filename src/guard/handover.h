// What is handed from one program to the next: by an upgrade, descriptors by inheritance, and in
// the environment what they are about; to a worker, what it goes on with.
//
// A program is started up to three times for an upgrade: it is asked whether it could go on, it
// becomes a worker of the old guard, and when that worker has proved itself, the guard.  Guards of
// versions before know the first, without an answer, and the last, without a worker.
//
// Thread safety: none; before any thread starts.
#ifndef RNULLFS_GUARD_HANDOVER_H_
#define RNULLFS_GUARD_HANDOVER_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "guard/descriptors.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {

struct Handover {
  enum class As {
    kNone,    // nobody hands anything on: this is a start
    kCheck,   // only a question
    kWorker,  // under the guard `peer`
    kGuard,   // of the worker `peer`
  } as = As::kNone;
  std::string mountpoint = {};  // absolute
  unsigned replaced = 0;        // how many workers have been before
  int descriptor = -1;          // kCheck: where to answer; kWorker, kGuard: the channel
  pid_t peer = 0;               // 0: none yet
  int end_signal = 0;           // kGuard: the mount is to end, as it was told to by this
  std::string token = {};       // kCheck: what the answer has to have in it
};

// This process becomes `program`, with what is kept.  Returns when it cannot: an errno.
// Allocates nothing of ours.
int HandOver(const Handover& handover, int program, char** argv, const KeptDescriptors& kept);

// Takes it out of the environment.  Who has no guard's descriptors is not believed, and loses what
// descriptors the caller has left it, but for 0 to 2 and that of `mountpoint` (/dev/fd/N).
Handover TakeHandover(const std::string& mountpoint);

// What kCheck answers, before its token, and what a guard so wants to read: no other program says
// it by chance.
inline constexpr char kUpgradeAnswer[] = "rnullfs can go on: ";
// Says yes.  A guard of a version before does not wait for more than the exit status.
void AnswerCheck(const Handover& handover);

struct WorkerStart {
  UniqueFd channel;  // for GuardLink
  pid_t guard_pid = 0;
  unsigned replaced = 0;          // how many workers there were before
  std::string replaced_why = {};  // what became of the last one: "signal 9 (Killed)"
  UniqueFd fuse = {};             // the rest is invalid for the first
  UniqueFd state = {};
  std::vector<UniqueFd> memfds = {};
};

// Makes this process a worker of the guard handover.peer, and takes handover.descriptor and what is
// kept.
WorkerStart StartWorker(const Handover& handover, const KeptDescriptors& kept,
                        const char* replaced_why);

}  // namespace rnullfs

#endif  // RNULLFS_GUARD_HANDOVER_H_
