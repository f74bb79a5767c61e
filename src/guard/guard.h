// The process that keeps a mount's descriptors, so that no disk dies with the one that serves it.
//
// Two processes: the guard holds /dev/fuse, the memfds with the disks and the one with the state,
// and forks a worker, which does everything else.  A worker that dies by a signal leaves all that
// behind; the kernel is told to send again what was not answered, and a new worker takes over.  As
// it is a fork of the guard, it needs no file, no memory but its own, and starts in milliseconds.
// A worker that ends by itself ends the mount, and the guard with it.
//
// The guard does nothing that could fail: it has one thread, allocates nothing once the first
// worker runs (but where it is replaced), has the next worker's socket in hand, is locked in memory
// and is the last that the OOM killer takes.  A process that cannot be had is asked for again.
// Workers that die of what they take over (crash_loop.h) are not replaced for ever: the guard then
// answers all that is asked with EIO, so that nobody waits for ever and it can be unmounted, until
// an upgrade brings a program that does better; what is stored stays in memory until then.
//
// Signals: SIGTERM, SIGINT and SIGHUP go to the worker, and to the next one should it die before
// the mount ends; SIGUSR2 replaces the worker and then the guard by the program that now is where
// this one was (--upgrade; guard_upgrade.h, handover.h).
#ifndef RNULLFS_GUARD_GUARD_H_
#define RNULLFS_GUARD_GUARD_H_

#include <functional>
#include <string>

#include "guard/crash_loop.h"
#include "guard/handover.h"

namespace rnullfs {

struct GuardSetup {
  char** argv = nullptr;                       // main's, for the program that replaces this one
  std::string program = {};                    // where it is
  Handover handover = {};                      // what this process is to be, and of which mount
  std::function<void()> ready = {};            // called once, when the first worker is ready
  std::function<int(WorkerStart)> serve = {};  // called in each worker: its exit status
  unsigned deaths_max = CrashLoop::kDeathsMax;
};

// How long an upgrade's first worker serves before the guard is replaced, too.
inline constexpr int kTrialSeconds = 1;

// The exit status of a worker that finds what it is handed damaged: another would, too.
inline constexpr int kExitDamaged = 3;

// WorkerStart::replaced_why where the last one has not died by itself.
inline constexpr char kUpgraded[] = "an upgrade";
inline constexpr char kNotUpgraded[] = "an upgrade that failed";

// Makes this process, which must have one thread, a guard, or a worker of one.  A guard's workers
// are forks of it; a worker ends with what `serve` returns.
[[noreturn]] void RunGuard(const GuardSetup& setup);

}  // namespace rnullfs

#endif  // RNULLFS_GUARD_GUARD_H_
