// An upgrade, as far as the guard has come with it: the program that is at the guard's path now is
// asked whether it can go on from here, while the worker serves.  If so, the worker is killed,
// which is what it must survive anyway, and the new program's takes over, under this guard: should
// it fail, another one of ours goes on.  When it has served for a while, the guard becomes the new
// program, too.
//
// One descriptor serves all that is done with that program, so that what has been looked at is what
// is asked and what is started, whatever comes to be at that path meanwhile.
//
// Thread safety: none; the guard has one thread.  Allocates nothing of ours in the guard.
// Units: nanoseconds of Clock::Real().
#ifndef RNULLFS_GUARD_GUARD_UPGRADE_H_
#define RNULLFS_GUARD_GUARD_UPGRADE_H_

#include <sys/types.h>

#include <cstdint>

#include "guard/descriptors.h"
#include "guard/guard.h"
#include "guard/handover.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {

inline constexpr int64_t kNever = INT64_MAX;
// When it is so much later than now.
int64_t MomentIn(int64_t nsec);

class GuardUpgrade {
 public:
  // How long a trial's worker has to start, and then serves.
  static constexpr int64_t kStartNsec = 20'000'000'000;
  static constexpr int64_t kServeNsec = kTrialSeconds * int64_t{1'000'000'000};

  // The new program gets what is kept.
  GuardUpgrade(const GuardSetup& setup, const KeptDescriptors& kept);

  // Has the new program asked, with a line in the log when it cannot be; once more after an upgrade
  // that is under way, for one that is newer still.
  void Ask();
  // A child has ended: whether it was the one that is asked, and has agreed.  The worker's end is
  // next, and then the trial.
  bool HasAgreed(pid_t ended, int status);
  bool awaits_end() const { return step_ == Step::kEnding; }

  // From here on the worker is the new program's.
  void StartTrial() { step_ = Step::kTrial; }
  bool in_trial() const { return step_ == Step::kTrial; }
  // The trial, if there is one, is over at that moment.
  void SetTrialEnd(int64_t moment);
  bool IsTrialOver();

  // When IsTrialOver() is to be asked.  Who is asked is killed there when his time is over.
  int64_t until() const { return until_; }

  // A child of the guard, or the guard itself, becomes the new program.  A child ends when it
  // cannot; the guard stays what it is, with a line in the log.
  [[noreturn]] void BecomeInChild(const Handover& handover) const;
  void BecomeGuard(const Handover& handover);

  // There is none any more: whether to ask anew, as Ask() has been called meanwhile.
  bool Leave();

 private:
  enum class Step { kNone, kAsking, kEnding, kTrial };

  bool Open();
  bool IsForeign() const;
  pid_t StartAsking();

  const GuardSetup& setup_;
  const KeptDescriptors& kept_;
  uid_t owner_ = 0;  // of the program that runs
  UniqueFd program_;
  UniqueFd answer_;
  char token_[33] = "";  // 128 bits in hexadecimal digits
  Step step_ = Step::kNone;
  pid_t asked_ = -1;
  int64_t until_ = kNever;
  bool ask_again_ = false;
};

}  // namespace rnullfs

#endif  // RNULLFS_GUARD_GUARD_UPGRADE_H_
