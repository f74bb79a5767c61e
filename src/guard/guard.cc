#include "guard/guard.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include "base/pressure.h"
#include "guard/descriptors.h"
#include "guard/guard_upgrade.h"
#include "guard/guarded_mount.h"
#include "guard/link.h"
#include "guard/say.h"
#include "guard/timer.h"
#include "guard/worker_process.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {
namespace {

constexpr int64_t kRetryNsec = 10'000'000;  // before a process is asked for again, at first
constexpr int64_t kRetryMaxNsec = 1'000'000'000;

// The last that is taken when memory runs out.
constexpr int kGuardOomScore = -1000;

// One loop.  What forks a worker does not return there: it is BecomeWorker() from then on.
class Guard {
 public:
  explicit Guard(const GuardSetup& setup);
  [[noreturn]] void Run();

 private:
  // What comes.
  void TakeSignals();
  void Reap();
  void TakeTimers();
  void TakeMessages();
  void End(int signal);
  void WorkerIsReady();

  // What becomes of a worker.
  void ForkWorker();
  void ForkLater(int error);
  [[noreturn]] void BecomeWorker();
  void WorkerEnded(int status);
  void Replace(pid_t dead);
  void StartTrial();
  void FallBack();
  void BecomeNewGuard();
  void GiveUp(const char* why);

  const GuardSetup& setup_;
  UniqueFd signals_;
  KeptDescriptors kept_;
  GuardedMount mount_;
  WorkerProcess worker_;
  GuardUpgrade upgrade_;
  CrashLoop crash_loop_;
  Timer start_;  // of the next worker
  int64_t retry_nsec_ = 0;
  bool ready_;      // there is a mount
  int end_signal_;  // the mount is to end; 0: it is not
  bool had_given_up_ = false;
  unsigned replaced_;
  EndText replaced_why_ = "";
};

Guard::Guard(const GuardSetup& setup)
    : setup_(setup),
      mount_(setup.mountpoint, kept_),
      upgrade_(setup, kept_),
      crash_loop_(setup.deaths_max),
      ready_(setup.handover.as == Handover::As::kGuard),
      end_signal_(setup.handover.end_signal),
      replaced_(setup.handover.replaced) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int each : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR2}) sigaddset(&signals, each);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::snprintf(replaced_why_, sizeof replaced_why_, "%s", ready_ ? kUpgraded : "");
  signals_ = UniqueFd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  static_cast<void>(worker_.HasNextChannel());
  if (setup.handover.peer <= 0) return;
  worker_.Adopt(setup.handover.peer, UniqueFd(setup.handover.descriptor));
}

void Guard::Run() {
  worker_.lives() ? Reap() : ForkWorker();
  // Not before the first worker is there: it has a score of its own, and does not inherit locks.
  // The worker says what the kernel refuses.
  static_cast<void>(PrepareForPressure(kGuardOomScore));
  while (true) {
    pollfd watched[] = {{signals_.get(), POLLIN, 0},
                        {mount_.refuses() ? mount_.fuse() : worker_.channel(), POLLIN, 0}};
    if (poll(watched, 2, Timer::MsecToFirst({&start_, &upgrade_.until()})) < 0) continue;
    if (!mount_.refuses()) {
      if (watched[1].revents != 0) TakeMessages();
      // All has been read, and the other end is closed: SIGCHLD comes.
      if ((watched[1].revents & POLLHUP) != 0) worker_.CloseChannel();
    } else if (watched[1].revents != 0 && !mount_.RefuseRequest()) {
      _exit(1);
    }
    if (watched[0].revents != 0) TakeSignals();
    TakeTimers();
  }
}

void Guard::TakeSignals() {
  signalfd_siginfo signal = {};
  while (read(signals_.get(), &signal, sizeof signal) == sizeof signal) {
    if (signal.ssi_signo == SIGUSR2) {
      if (ready_) upgrade_.Ask();
    } else if (signal.ssi_signo != SIGCHLD) {
      End(static_cast<int>(signal.ssi_signo));
    }
  }
  Reap();
}

void Guard::Reap() {
  int status = 0;
  pid_t pid = 0;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
    if (upgrade_.HasAgreed(pid, status)) {
      worker_.lives() ? worker_.Kill() : StartTrial();
    } else if (pid == worker_.pid()) {
      WorkerEnded(status);
    }
  }
  // Nobody says how it ended.
  if (pid < 0 && errno == ECHILD && worker_.lives()) WorkerEnded(SIGKILL);
}

void Guard::TakeTimers() {
  if (upgrade_.IsTrialOver()) worker_.is_ready() ? BecomeNewGuard() : worker_.Kill();
  if (start_.Expired()) ForkWorker();
}

// The worker knows which disks are in use.  Should it die before they are closed, the next one is
// told; where there is none, the second signal does not wait, as with a worker.
void Guard::End(int signal) {
  const bool again = std::exchange(end_signal_, signal) != 0;
  if (mount_.refuses() || (!worker_.lives() && again)) {
    mount_.Unmount();
    _exit(1);
  }
  if (!upgrade_.in_trial() || worker_.is_ready()) worker_.Tell(signal);
}

void Guard::TakeMessages() {
  GuardMessage::Kind said;
  while (worker_.TakeMessage(kept_, said)) {
    if (said == GuardMessage::Kind::kReady) WorkerIsReady();
    if (said == GuardMessage::Kind::kEnding && end_signal_ == 0) end_signal_ = SIGTERM;
  }
}

void Guard::WorkerIsReady() {
  if (!std::exchange(ready_, true) && setup_.ready) setup_.ready();
  if (end_signal_ != 0 && !worker_.was_told()) worker_.Tell(end_signal_);
  upgrade_.WorkerIsReady();
}

void Guard::ForkWorker() {
  start_.Clear();
  const pid_t pid = worker_.Fork();
  if (pid == 0) BecomeWorker();
  if (pid < 0) return ForkLater(errno);
  retry_nsec_ = 0;
  upgrade_.WorkerStarts();
}

void Guard::ForkLater(int error) {
  if (!ready_) {
    Say("no process can be started to serve the mount: %s (ulimit -u, a control group's pids.max "
        "and systemd's TasksMax limit them)",
        std::strerror(error));
    _exit(1);
  }
  if (retry_nsec_ == 0) {
    Say("no worker can be started (%s): it is tried until one can", std::strerror(error));
  }
  retry_nsec_ = std::clamp(2 * retry_nsec_, kRetryNsec, kRetryMaxNsec);
  start_.Set(retry_nsec_);
}

// One of our own program, or, in a trial, of the new one.
void Guard::BecomeWorker() {
  const Handover handover = {.as = Handover::As::kWorker,
                             .mountpoint = setup_.mountpoint,
                             .replaced = replaced_,
                             .descriptor = worker_.ReleaseChannel(),
                             .peer = getppid()};
  if (upgrade_.in_trial()) upgrade_.BecomeWorker(handover);
  signals_.Reset();
  upgrade_.Leave();
  std::exit(setup_.serve(StartWorker(handover, kept_, replaced_why_)));
}

void Guard::WorkerEnded(int status) {
  const pid_t dead = worker_.Bury();
  TakeMessages();
  worker_.CloseChannel();
  upgrade_.WorkerEnds();
  const bool failed = WIFSIGNALED(status) || WEXITSTATUS(status) != 0;
  if (!ready_) _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  if (!failed && (!upgrade_.in_trial() || worker_.is_ready())) _exit(0);
  mount_.ResendRequests();
  if (upgrade_.awaits_end()) return StartTrial();
  if (!WIFSIGNALED(status) && failed && mount_.IsUnmounted()) _exit(1);
  DescribeEnd(status, replaced_why_);
  if (upgrade_.in_trial()) return FallBack();
  if (WIFEXITED(status) && WEXITSTATUS(status) == kExitDamaged) {
    return GiveUp("what the last worker left cannot be read");
  }
  Replace(dead);
}

// Acts first, and speaks then: who reads the log may wait for a disk.
void Guard::Replace(pid_t dead) {
  const bool idle = worker_.is_ready() && !mount_.HasRequests();
  const std::optional<int64_t> pause = crash_loop_.Died(worker_.has_served() || idle);
  if (!pause.has_value()) {
    return GiveUp("too many workers in a row have died before they had answered anything");
  }
  ++replaced_;
  *pause > 0 ? start_.Set(*pause) : ForkWorker();
  Say("worker %d died of %s: another one takes over", dead, replaced_why_);
}

void Guard::StartTrial() {
  had_given_up_ = mount_.StopRefusing();
  upgrade_.StartTrial();
  ++replaced_;
  ForkWorker();
}

void Guard::FallBack() {
  EndText why;
  std::snprintf(why, sizeof why, "%s", replaced_why_);
  std::snprintf(replaced_why_, sizeof replaced_why_, "%s", kNotUpgraded);
  upgrade_.Leave();
  if (had_given_up_) return GiveUp("the new program's worker failed as well");
  ++replaced_;
  ForkWorker();
  Say("the new program's worker failed (%s): the mount stays with the version before", why);
}

void Guard::BecomeNewGuard() {
  upgrade_.BecomeGuard({.as = Handover::As::kGuard,
                        .mountpoint = setup_.mountpoint,
                        .replaced = replaced_,
                        .descriptor = worker_.channel(),
                        .peer = worker_.pid(),
                        .end_signal = end_signal_});
}

void Guard::GiveUp(const char* why) {
  if (mount_.fuse() < 0) _exit(1);
  mount_.StartRefusing();
  Say("%s (the last died of %s): the disks of %s fail with EIO from here on; their bytes are in "
      "memory until it is unmounted: rnullfs --rescue %d DIRECTORY copies them, and a program "
      "that can go on is taken by --upgrade",
      why, replaced_why_, setup_.mountpoint.c_str(), getpid());
}

}  // namespace

void RunGuard(const GuardSetup& setup) { Guard(setup).Run(); }

}  // namespace rnullfs
