#include "guard/guard_upgrade.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "guard/say.h"

namespace rnullfs {
GuardUpgrade::GuardUpgrade(const GuardSetup& setup, const KeptDescriptors& kept)
    : setup_(setup), program_(setup.program, setup.argv, kept) {}

void GuardUpgrade::Ask() {
  ask_again_ = step_ == Step::kEnding || step_ == Step::kTrial;
  if (step_ != Step::kNone || !program_.Open()) return;
  asked_ = program_.Ask(setup_.mountpoint);
  if (asked_ < 0) {
    Say("the new program cannot be started: %s", std::strerror(errno));
    return Leave();
  }
  step_ = Step::kAsking;
  until_.Set(kAskedNsec);
}

bool GuardUpgrade::HasAgreed(pid_t ended, int status) {
  if (ended != asked_) return false;
  asked_ = -1;
  until_.Clear();
  if (program_.HasAgreed(status)) {
    step_ = Step::kEnding;
    return true;
  }
  Leave();
  Say("%s cannot take the mount over: it stays with the version that serves it",
      setup_.program.c_str());
  return false;
}

void GuardUpgrade::SetTrial(int64_t nsec) {
  if (!in_trial()) return;
  nsec > 0 ? until_.Set(nsec) : until_.Clear();
}

bool GuardUpgrade::IsTrialOver() {
  if (!until_.Expired()) return false;
  if (step_ == Step::kAsking) kill(asked_, SIGKILL);
  return in_trial();
}

void GuardUpgrade::BecomeWorker(const Handover& handover) const {
  program_.Execute(handover);
  _exit(1);
}

void GuardUpgrade::BecomeGuard(const Handover& handover) {
  if (std::exchange(ask_again_, false)) kill(getpid(), SIGUSR2);  // it is blocked: for who comes
  const int error = program_.Execute(handover);
  Leave();
  Say("the guard cannot become the new program (%s): it stays as it is, with the new worker",
      std::strerror(error));
}

void GuardUpgrade::Leave() {
  step_ = Step::kNone;
  ask_again_ = false;
  program_.Close();
}

}  // namespace rnullfs
