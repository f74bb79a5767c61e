// The process that keeps a mount's descriptors, so that no disk dies with the one that serves it.
//
// Two processes: the guard holds /dev/fuse, the memfds with the disks and the one with the state,
// and forks a worker, which does everything else.  A worker that dies by a signal leaves all that
// behind; the kernel is told to send again what was not answered, and a new worker takes over.  As
// it is a fork of the guard, it needs no file, no memory but its own, and starts in milliseconds.
// A worker that ends by itself ends the mount, and the guard with it.
//
// The guard does nothing that could fail: it has one thread, allocates nothing once the first
// worker runs, is locked in memory and is the last that the OOM killer takes.  A worker that dies
// again and again (crash_loop.h) is not replaced: the guard then refuses what is asked (refuser.h).
//
// Signals: SIGTERM, SIGINT and SIGHUP go to the worker; SIGUSR2 replaces the worker and then the
// guard by the program that now is where this one was (--upgrade).
#ifndef RNULLFS_GUARD_GUARD_H_
#define RNULLFS_GUARD_GUARD_H_

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "rnullfs/unique_fd.h"

namespace rnullfs {

struct GuardSetup {
  char** argv = nullptr;        // main's, for the program that replaces this one
  std::string program;          // where it is
  std::string mountpoint;       // absolute
  std::function<void()> ready;  // called once, when the first worker is ready
  unsigned replaced = 0;        // how many workers have been, before an upgrade
};

// What a worker begins with.
struct WorkerStart {
  UniqueFd channel;  // for GuardLink
  pid_t guard_pid = 0;
  unsigned replaced = 0;     // how many workers there were before
  std::string replaced_why;  // what became of the last one: "signal 9 (Killed)"
  UniqueFd fuse;             // the rest is invalid for the first
  UniqueFd state;
  std::vector<UniqueFd> memfds;
};

// The exit status of a worker that finds what it is handed damaged: another would, too.
inline constexpr int kExitDamaged = 3;

// Makes this process a guard, and returns in its workers only.  The process must have one thread.
WorkerStart StartGuarded(const GuardSetup& setup);

// Whether a guard has started this program to be replaced by it, or to ask whether it could be:
// then with the state that it would take over.
enum class Upgrade { kNone, kCheck, kGoOn };

// Takes what the guard hands on out of the environment, into `setup`.  Who has no guard's
// descriptors is not believed, and loses what descriptors the caller has left it, but for 0 to 2
// and that of `setup.mountpoint` (/dev/fd/N).
Upgrade TakeUpgrade(GuardSetup& setup);

// The state's memfd among the descriptors of this process; invalid if there is none.
UniqueFd InheritedState();

}  // namespace rnullfs

#endif  // RNULLFS_GUARD_GUARD_H_
