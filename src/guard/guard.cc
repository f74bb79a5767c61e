#include "guard/guard.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include "base/mountpoint.h"
#include "base/pressure.h"
#include "guard/descriptors.h"
#include "guard/fuse_device.h"
#include "guard/guard_upgrade.h"
#include "guard/link.h"
#include "guard/say.h"
#include "guard/worker_process.h"
#include "rnullfs/clock.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {
namespace {

constexpr int64_t kRetryNsec = 50'000'000;  // before a process is asked for again

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

  // What becomes of a worker.
  void ForkWorker();
  void ForkLater(int error);
  [[noreturn]] void BecomeWorker();
  void WorkerIsReady();
  void WorkerEnded(int status);
  void Replace(pid_t dead);
  void StartTrial();
  void FallBack();
  void BecomeNewGuard();
  void GiveUp(const char* why);

  const GuardSetup& setup_;
  Handover handover_;  // what the next worker or guard gets
  UniqueFd signals_;
  KeptDescriptors kept_;
  WorkerProcess worker_;
  GuardUpgrade upgrade_;
  CrashLoop crash_loop_;
  int64_t start_ = kNever;  // of the next worker
  bool retries_ = false;    // the last could not be forked
  bool ready_;              // there is a mount
  bool refuses_ = false;    // all that is asked, as no worker could go on
  bool had_refused_ = false;
  EndText end_ = "";  // of the last worker
  const char* replaced_why_;
};

Guard::Guard(const GuardSetup& setup)
    : setup_(setup),
      handover_(setup.handover),
      upgrade_(setup, kept_),
      crash_loop_(setup.deaths_max),
      ready_(handover_.as == Handover::As::kGuard),
      replaced_why_(ready_ ? kUpgraded : "") {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int each : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR2}) sigaddset(&signals, each);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  signals_ = UniqueFd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  static_cast<void>(worker_.HasNextChannel());
  if (handover_.peer > 0) worker_.Adopt(handover_.peer, UniqueFd(handover_.descriptor));
}

// For poll(2): milliseconds, -1 for ever.
int MsecUntil(int64_t moment) {
  if (moment == kNever) return -1;
  const int64_t left = std::max<int64_t>(moment - Clock::Real().NowNsec(), 0);
  return static_cast<int>((left + 999'999) / 1'000'000);
}

void Guard::Run() {
  worker_.lives() ? Reap() : ForkWorker();
  // Not before the first worker is there: it has a score of its own, and does not inherit locks.
  // The worker says what the kernel refuses.
  static_cast<void>(PrepareForPressure(kGuardOomScore));
  while (true) {
    pollfd watched[] = {{signals_.get(), POLLIN, 0},
                        {refuses_ ? kept_.fuse() : worker_.channel(), POLLIN, 0}};
    if (poll(watched, 2, MsecUntil(std::min(start_, upgrade_.until()))) < 0) continue;
    if (!refuses_) {
      if (watched[1].revents != 0) TakeMessages();
      // All has been read, and the other end is closed: SIGCHLD comes.
      if ((watched[1].revents & POLLHUP) != 0) worker_.CloseChannel();
    } else if (watched[1].revents != 0 && !RefuseRequest(kept_.fuse())) {
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
  if (Clock::Real().NowNsec() >= start_) ForkWorker();
}

// The worker knows which disks are in use.  Should it die before they are closed, the next one is
// told; where there is none, the second signal does not wait, as with a worker.
void Guard::End(int signal) {
  const bool again = std::exchange(handover_.end_signal, signal) != 0;
  if (refuses_ || (!worker_.lives() && again)) {
    UnmountOurs(handover_.mountpoint, kept_.fuse());
    _exit(1);
  }
  if (!upgrade_.in_trial() || worker_.is_ready()) worker_.Tell(signal);
}

void Guard::TakeMessages() {
  GuardMessage::Kind said;
  while (worker_.TakeMessage(kept_, said)) {
    if (said == GuardMessage::Kind::kReady) WorkerIsReady();
    if (said == GuardMessage::Kind::kEnding && handover_.end_signal == 0) {
      handover_.end_signal = SIGTERM;
    }
  }
}

void Guard::ForkWorker() {
  start_ = kNever;
  const pid_t pid = worker_.Fork();
  if (pid == 0) BecomeWorker();
  if (pid < 0) return ForkLater(errno);
  retries_ = false;
  upgrade_.SetTrialEnd(MomentIn(GuardUpgrade::kStartNsec));
}

void Guard::ForkLater(int error) {
  if (!ready_) {
    Say("no process can be started to serve the mount: %s (ulimit -u, a control group's pids.max "
        "and systemd's TasksMax limit them)",
        std::strerror(error));
    _exit(1);
  }
  if (!std::exchange(retries_, true)) {
    Say("no worker can be started (%s): it is tried until one can", std::strerror(error));
  }
  start_ = MomentIn(kRetryNsec);
}

// One of our own program, or, in a trial, of the new one.
void Guard::BecomeWorker() {
  handover_.as = Handover::As::kWorker;
  handover_.descriptor = worker_.ReleaseChannel();
  handover_.peer = getppid();
  if (upgrade_.in_trial()) upgrade_.BecomeInChild(handover_);
  signals_.Reset();
  upgrade_.Leave();
  std::exit(setup_.serve(StartWorker(handover_, kept_, replaced_why_)));
}

void Guard::WorkerIsReady() {
  if (!std::exchange(ready_, true) && setup_.ready) setup_.ready();
  if (handover_.end_signal != 0 && !worker_.was_told()) worker_.Tell(handover_.end_signal);
  upgrade_.SetTrialEnd(MomentIn(GuardUpgrade::kServeNsec));
}

void Guard::WorkerEnded(int status) {
  const pid_t dead = worker_.Bury();
  const int exited = WIFEXITED(status) ? WEXITSTATUS(status) : -1;  // -1: by a signal
  TakeMessages();
  worker_.CloseChannel();
  upgrade_.SetTrialEnd(kNever);
  if (!ready_) _exit(exited >= 0 ? exited : 1);
  if (exited == 0 && (!upgrade_.in_trial() || worker_.is_ready())) _exit(0);
  ResendRequests(kept_.fuse());
  if (upgrade_.awaits_end()) return StartTrial();
  if (exited > 0 && IsUnmounted(kept_.fuse())) _exit(1);
  DescribeEnd(status, end_);
  replaced_why_ = end_;
  if (upgrade_.in_trial()) return FallBack();
  if (exited == kExitDamaged) return GiveUp("what the last worker left cannot be read");
  Replace(dead);
}

// Acts first, and speaks then: who reads the log may wait for a disk.
void Guard::Replace(pid_t dead) {
  const bool idle = worker_.is_ready() && !HasRequests(kept_.fuse());
  const std::optional<int64_t> pause = crash_loop_.Died(worker_.has_served() || idle);
  if (!pause.has_value()) {
    return GiveUp("too many workers in a row have died before they had answered anything");
  }
  ++handover_.replaced;
  start_ = MomentIn(*pause);
  if (*pause == 0) ForkWorker();
  Say("worker %d died of %s: another one takes over", dead, end_);
}

void Guard::StartTrial() {
  had_refused_ = std::exchange(refuses_, false);
  if (had_refused_) SetRefusing(kept_.fuse(), false);
  upgrade_.StartTrial();
  ++handover_.replaced;
  ForkWorker();
}

void Guard::FallBack() {
  replaced_why_ = kNotUpgraded;
  const bool again = upgrade_.Leave();
  if (had_refused_) {
    GiveUp("the new program's worker failed as well");
  } else {
    ++handover_.replaced;
    ForkWorker();
    Say("the new program's worker failed (%s): the mount stays with the version before", end_);
  }
  if (again) upgrade_.Ask();
}

void Guard::BecomeNewGuard() {
  handover_.as = Handover::As::kGuard;
  handover_.descriptor = worker_.channel();
  handover_.peer = worker_.pid();
  upgrade_.BecomeGuard(handover_);
}

void Guard::GiveUp(const char* why) {
  if (kept_.fuse() < 0) _exit(1);
  refuses_ = true;
  SetRefusing(kept_.fuse(), true);
  Say("%s (the last died of %s): the disks of %s fail with EIO from here on; their bytes are in "
      "memory until it is unmounted: rnullfs --rescue %d DIRECTORY copies them, and a program "
      "that can go on is taken by --upgrade",
      why, replaced_why_, handover_.mountpoint.c_str(), getpid());
}

}  // namespace

void RunGuard(const GuardSetup& setup) {
  if (setup.handover.as == Handover::As::kWorker) {
    std::exit(setup.serve(StartWorker(setup.handover, KeptDescriptors(), kUpgraded)));
  }
  Guard(setup).Run();
}

}  // namespace rnullfs
