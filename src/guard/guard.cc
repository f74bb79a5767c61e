#include "guard/guard.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <utility>

#include "base/mountpoint.h"
#include "guard/descriptors.h"
#include "guard/guard_process.h"
#include "guard/link.h"
#include "guard/refuser.h"
#include "guard/say.h"

namespace rnullfs {
namespace {

sigset_t GuardSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int each : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR2}) sigaddset(&signals, each);
  return signals;
}

}  // namespace

Guard::Guard(const GuardSetup& setup)
    : setup_(setup),
      replaced_(setup.handover.replaced),
      ready_(setup.handover.as == Handover::As::kGuard),
      end_signal_(setup.handover.end_signal),
      program_(setup.program, setup.argv),
      crash_loop_(setup.deaths_max) {
  const sigset_t signals = GuardSignals();
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::snprintf(replaced_why_, sizeof replaced_why_, "%s", ready_ ? kUpgraded : "");
  signals_ = UniqueFd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  fd_max_ = HighestDescriptor();
  for (const int fd : CollectKept(fd_max_)) {
    if (KindOf(fd) == KeptKind::kFuse) fuse_ = fd;
  }
  static_cast<void>(HaveSpare());
  if (setup.handover.peer <= 0) return;
  worker_ = setup.handover.peer;  // it has proved itself
  channel_ = UniqueFd(setup.handover.descriptor);
  worker_ready_ = served_ = told_ = true;
}

// Returns in a worker.
WorkerStart Guard::Run() {
  if (worker_ < 0 ? Start() : Reap()) return Hand();
  Protect();
  while (true) {
    pollfd watched[] = {{signals_.get(), POLLIN, 0},
                        {gave_up_ ? fuse_ : channel_.get(), POLLIN, 0}};
    if (poll(watched, 2, Timer::MsecToFirst({&start_, &asked_until_, &trial_until_})) < 0) {
      continue;
    }
    if (watched[1].revents != 0) gave_up_ ? Refuse() : TakeMessages();
    // All has been read, and the other end is closed: SIGCHLD comes.
    if (!gave_up_ && (watched[1].revents & POLLHUP) != 0) channel_.Reset();
    if (watched[0].revents != 0 && TakeSignals()) return Hand();
    if (TakeTimers()) return Hand();
  }
}

// True in a new worker, as all that return so.
bool Guard::TakeSignals() {
  signalfd_siginfo signal = {};
  while (read(signals_.get(), &signal, sizeof signal) == sizeof signal) {
    if (signal.ssi_signo == SIGUSR2) {
      AskNewProgram();
    } else if (signal.ssi_signo != SIGCHLD) {
      End(static_cast<int>(signal.ssi_signo));
    }
  }
  return Reap();
}

bool Guard::Reap() {
  int status = 0;
  pid_t pid = 0;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
    if (pid == asked_ && Answered(status)) return true;
    if (pid == worker_ && Buried(status)) return true;
  }
  // Nobody says how it ended.
  return pid < 0 && errno == ECHILD && worker_ > 0 && Buried(SIGKILL);
}

bool Guard::TakeTimers() {
  if (asked_until_.Expired()) kill(asked_, SIGKILL);
  if (trial_until_.Expired()) {
    if (worker_ready_) {
      BecomeNewGuard();
    } else {
      kill(worker_, SIGKILL);
    }
  }
  return start_.Expired() && Start();
}

// The worker knows which disks are in use.  Should it die before they are closed, the next one is
// told; where there is none, the second signal does not wait, as with a worker.
void Guard::End(int signal) {
  const bool again = std::exchange(end_signal_, signal) != 0;
  if (gave_up_ || (worker_ < 0 && again)) Unmount();
  if (step_ != Step::kTrial || worker_ready_) Tell(signal);
}

void Guard::TakeMessages() {
  GuardMessage message = {};
  UniqueFd fd;
  while (ReceiveGuardMessage(channel_.get(), message, fd)) {
    switch (message.kind) {
      case GuardMessage::Kind::kKeep:
        AnswerKeep(channel_.get(), message.file, Keep(std::move(fd)));
        break;
      case GuardMessage::Kind::kDrop:
        CloseKept(fd_max_, message.file);
        break;
      case GuardMessage::Kind::kReady:
        Ready();
        break;
      case GuardMessage::Kind::kServed:
        served_ = true;
        break;
      case GuardMessage::Kind::kEnding:
        if (end_signal_ == 0) end_signal_ = SIGTERM;
        told_ = true;
        break;
      case GuardMessage::Kind::kKept:
        break;  // ours
    }
  }
}

short Guard::FuseEvents() const {
  pollfd fuse = {fuse_, POLLIN, 0};
  return poll(&fuse, 1, 0) == 1 ? fuse.revents : short{0};
}
// What had been handed out to the dead worker has been put back just before.
bool Guard::HasRequests() const { return fuse_ < 0 || (FuseEvents() & POLLIN) != 0; }
bool Guard::IsUnmounted() const { return fuse_ < 0 || (FuseEvents() & POLLERR) != 0; }

void Guard::GiveUp(const char* why) {
  if (fuse_ < 0) _exit(1);
  gave_up_ = true;
  fcntl(fuse_, F_SETFL, O_NONBLOCK);
  Say("%s (the last died of %s): the disks of %s fail with EIO from here on; their bytes are in "
      "memory until it is unmounted: rnullfs --rescue %d DIRECTORY copies them, and a program "
      "that can go on is taken by --upgrade",
      why, replaced_why_, setup_.mountpoint.c_str(), getpid());
}

void Guard::Refuse() const {
  if (!RefuseRequest(fuse_)) _exit(1);
}

void Guard::Unmount() const {
  UnmountOurs(setup_.mountpoint, fuse_);
  _exit(1);
}

WorkerStart StartGuarded(const GuardSetup& setup) {
  Guard guard(setup);
  return guard.Run();
}

}  // namespace rnullfs
