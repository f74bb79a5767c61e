// An upgrade: the program that is at the guard's path now is asked whether it can go on from here,
// while the worker serves.  If so, the worker is killed, which is what it must survive anyway, and
// the new program's takes over, under this guard: should it fail, another one of ours goes on. When
// it has served for a while, the guard becomes the new program, too.

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <utility>

#include "guard/guard_process.h"
#include "guard/say.h"

namespace rnullfs {
namespace {

constexpr int64_t kAskedNsec = 5'000 * kNsecPerMsec;  // for a new program to answer

}  // namespace

void Guard::AskNewProgram() {
  ask_again_ = step_ == Step::kEnding || step_ == Step::kTrial;  // for one that is newer still
  if (!ready_ || step_ != Step::kNone || !program_.Open()) return;
  asked_ = program_.Ask(setup_.mountpoint, fd_max_);
  if (asked_ < 0) {
    Say("the new program cannot be started: %s", std::strerror(errno));
    return program_.Close();
  }
  step_ = Step::kAsking;
  asked_until_.Set(kAskedNsec);
}

bool Guard::Answered(int status) {
  asked_ = -1;
  asked_until_.Clear();
  if (!program_.HasAgreed(status)) {
    step_ = Step::kNone;
    program_.Close();
    Say("%s cannot take the mount over: it stays with the version that serves it",
        setup_.program.c_str());
    return false;
  }
  step_ = Step::kEnding;
  if (worker_ < 0) return StartTrial();
  kill(worker_, SIGKILL);
  return false;
}

bool Guard::StartTrial() {
  had_given_up_ = std::exchange(gave_up_, false);
  if (had_given_up_) fcntl(fuse_, F_SETFL, 0);
  step_ = Step::kTrial;
  ++replaced_;
  return Start();
}

bool Guard::FallBack() {
  char why[sizeof replaced_why_];
  std::snprintf(why, sizeof why, "%s", replaced_why_);
  std::snprintf(replaced_why_, sizeof replaced_why_, "%s", kNotUpgraded);
  step_ = Step::kNone;
  ask_again_ = false;
  program_.Close();
  if (had_given_up_) {
    GiveUp("the new program's worker failed as well");
    return false;
  }
  ++replaced_;
  if (Start()) return true;
  Say("the new program's worker failed (%s): the mount stays with the version before", why);
  return false;
}

// In a fork of the guard, which is the new worker's process.
void Guard::BecomeNewWorker() {
  program_.Execute({.as = Handover::As::kWorker,
                    .mountpoint = setup_.mountpoint,
                    .replaced = replaced_,
                    .descriptor = channel_.get(),
                    .peer = getppid()},
                   fd_max_);
  _exit(1);
}

void Guard::BecomeNewGuard() {
  if (std::exchange(ask_again_, false)) kill(getpid(), SIGUSR2);  // it is blocked: for who comes
  program_.Execute({.as = Handover::As::kGuard,
                    .mountpoint = setup_.mountpoint,
                    .replaced = replaced_,
                    .descriptor = channel_.get(),
                    .peer = worker_,
                    .end_signal = end_signal_},
                   fd_max_);
  step_ = Step::kNone;
  program_.Close();
  Say("the guard cannot become the new program (%s): it stays as it is, with the new worker",
      std::strerror(errno));
}

}  // namespace rnullfs
