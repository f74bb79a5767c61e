// The guard itself (guard.h): one process, one thread, one loop.  Its parts are in guard.cc (what
// comes to it, and the mount), guard_worker.cc and guard_upgrade.cc.
//
// Thread safety: none.
#ifndef RNULLFS_GUARD_GUARD_PROCESS_H_
#define RNULLFS_GUARD_GUARD_PROCESS_H_

#include <sys/types.h>

#include <cstdint>

#include "guard/crash_loop.h"
#include "guard/guard.h"
#include "guard/new_program.h"
#include "guard/timer.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {

inline constexpr int64_t kNsecPerMsec = 1'000'000;

class Guard {
 public:
  explicit Guard(const GuardSetup& setup);

  // Returns in a worker.
  WorkerStart Run();

 private:
  enum class Step { kNone, kAsking, kEnding, kTrial };  // of an upgrade

  // What comes.  True in a new worker, as all below that return a bool about one.
  bool TakeSignals();
  bool Reap();
  bool TakeTimers();
  void TakeMessages();
  void End(int signal);

  // A worker's life.
  bool Start();
  void StartLater(int error);
  bool HaveSpare();
  static void Protect();
  WorkerStart Hand();
  int Keep(UniqueFd fd);
  void Ready();
  void Tell(int signal);
  bool Buried(int status);
  bool Replace(pid_t dead);
  void Describe(int status);

  // The mount.
  short FuseEvents() const;
  bool HasRequests() const;
  bool IsUnmounted() const;
  void GiveUp(const char* why);
  void Refuse() const;
  [[noreturn]] void Unmount() const;

  // An upgrade.
  void AskNewProgram();
  bool Answered(int status);
  bool StartTrial();
  bool FallBack();
  [[noreturn]] void BecomeNewWorker();
  void BecomeNewGuard();

  const GuardSetup& setup_;
  UniqueFd signals_;
  int fuse_ = -1;
  int fd_max_ = 0;
  unsigned replaced_;
  bool ready_;  // there is a mount
  bool gave_up_ = false;
  int end_signal_;  // the mount is to end; 0: it is not
  char replaced_why_[64] = "";

  pid_t worker_ = -1;
  UniqueFd channel_;
  bool worker_ready_ = false;
  bool served_ = false;
  bool told_ = false;  // of end_signal_
  UniqueFd spare_;     // the next worker's channel
  UniqueFd spare_for_worker_;
  Timer start_;  // of the next worker
  int64_t retry_nsec_ = 0;

  NewProgram program_;
  Step step_ = Step::kNone;
  pid_t asked_ = -1;
  Timer asked_until_;
  Timer trial_until_;
  bool ask_again_ = false;
  bool had_given_up_ = false;

  CrashLoop crash_loop_;
};

}  // namespace rnullfs

#endif  // RNULLFS_GUARD_GUARD_PROCESS_H_
