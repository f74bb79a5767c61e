// An upgrade, as far as the guard has come with it: the program that is at the guard's path now is
// asked whether it can go on from here, while the worker serves.  If so, the worker is killed,
// which is what it must survive anyway, and the new program's takes over, under this guard: should
// it fail, another one of ours goes on.  When it has served for a while, the guard becomes the new
// program, too.
//
// Thread safety: none; the guard has one thread.
#ifndef RNULLFS_GUARD_GUARD_UPGRADE_H_
#define RNULLFS_GUARD_GUARD_UPGRADE_H_

#include <sys/types.h>

#include <cstdint>

#include "guard/descriptors.h"
#include "guard/guard.h"
#include "guard/handover.h"
#include "guard/new_program.h"
#include "guard/timer.h"

namespace rnullfs {

class GuardUpgrade {
 public:
  GuardUpgrade(const GuardSetup& setup, const KeptDescriptors& kept);

  // Has the new program asked, with a line in the log when it cannot be; once more after an upgrade
  // that is under way, for one that is newer still.
  void Ask();
  // A child has ended: whether it was the one that is asked, and has agreed.  The worker's end is
  // next, and then the trial.
  bool HasAgreed(pid_t ended, int status);
  bool awaits_end() const { return step_ == Step::kEnding; }

  // From here on the worker is the new program's.  It has a time to start, and serves for another.
  void StartTrial() { step_ = Step::kTrial; }
  bool in_trial() const { return step_ == Step::kTrial; }
  void WorkerStarts() { SetTrial(kStartNsec); }
  void WorkerIsReady() { SetTrial(kTrialNsec); }
  void WorkerEnds() { SetTrial(0); }

  // When to look whether the trial's time is over.  Who is asked is killed when his is.
  const Timer& until() const { return until_; }
  bool IsTrialOver();

  // This process becomes the new program, as a worker, or as the guard, which stays what it is when
  // it cannot.
  [[noreturn]] void BecomeWorker(const Handover& handover) const;
  void BecomeGuard(const Handover& handover);

  // There is none any more.
  void Leave();

 private:
  enum class Step { kNone, kAsking, kEnding, kTrial };
  static constexpr int64_t kNsecPerSecond = 1'000'000'000;
  static constexpr int64_t kAskedNsec = 5 * kNsecPerSecond;
  static constexpr int64_t kStartNsec = 20 * kNsecPerSecond;
  static constexpr int64_t kTrialNsec = kTrialSeconds * kNsecPerSecond;

  void SetTrial(int64_t nsec);  // 0: there is nothing to wait for

  const GuardSetup& setup_;
  NewProgram program_;
  Step step_ = Step::kNone;
  pid_t asked_ = -1;
  Timer until_;
  bool ask_again_ = false;
};

}  // namespace rnullfs

#endif  // RNULLFS_GUARD_GUARD_UPGRADE_H_
