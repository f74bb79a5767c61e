// A worker's life: how it is started, what it asks for, and what becomes of it.

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/process.h"
#include "guard/descriptors.h"
#include "guard/guard_process.h"
#include "guard/link.h"
#include "guard/refuser.h"
#include "guard/say.h"

namespace rnullfs {
namespace {

constexpr int64_t kRetryNsec = 10 * kNsecPerMsec;  // before a process is asked for again, at first
constexpr int64_t kRetryMaxNsec = 1'000 * kNsecPerMsec;
constexpr int64_t kStartNsec = 20'000 * kNsecPerMsec;  // for an upgrade's worker to serve
constexpr int64_t kTrialNsec = int64_t{kTrialSeconds} * 1'000 * kNsecPerMsec;

// The last that is taken when memory runs out, and the one before.
constexpr int kGuardOomScore = -1000;

// The kept descriptors, sorted.
void TakeKept(int fd_max, WorkerStart& start) {
  for (const int fd : CollectKept(fd_max)) {
    const KeptKind kind = KindOf(fd);
    if (kind == KeptKind::kFuse) {
      start.fuse = UniqueFd(fd);
    } else if (kind == KeptKind::kState) {
      start.state = UniqueFd(fd);
    } else {
      start.memfds.emplace_back(fd);
    }
  }
}

// SIGCHLD is the guard's.  The others stay blocked until somebody waits for them: it may hand one
// on at once.
void LeaveGuard() {
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_UNBLOCK, &child, nullptr);
  setpgid(0, 0);  // a terminal's Ctrl-C comes to the guard, which hands it on
}

}  // namespace

// A worker that runs our own program, or, in a trial, the new one.  True in the former.
bool Guard::Start() {
  start_.Clear();
  if (!HaveSpare() || (worker_ = fork()) < 0) {
    StartLater(errno);
    return false;
  }
  channel_ = std::move(worker_ == 0 ? spare_for_worker_ : spare_);
  (worker_ == 0 ? spare_ : spare_for_worker_).Reset();
  if (worker_ == 0) {
    if (step_ == Step::kTrial) BecomeNewWorker();
    return true;
  }
  worker_ready_ = served_ = told_ = false;
  retry_nsec_ = 0;
  if (step_ == Step::kTrial) trial_until_.Set(kStartNsec);
  // While there are descriptors: they may all be gone when the next one is needed.
  static_cast<void>(HaveSpare());
  return false;
}

void Guard::StartLater(int error) {
  if (!ready_) {
    Say("no process can be started to serve the mount: %s (ulimit -u, a control group's pids.max "
        "and "
        "systemd's TasksMax limit them)",
        std::strerror(error));
    _exit(1);
  }
  if (retry_nsec_ == 0) {
    Say("no worker can be started (%s): it is tried until one can", std::strerror(error));
  }
  retry_nsec_ = std::clamp(2 * retry_nsec_, kRetryNsec, kRetryMaxNsec);
  start_.Set(retry_nsec_);
}

bool Guard::HaveSpare() {
  if (spare_.valid()) return true;
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return false;
  spare_ = UniqueFd(ends[0]);
  spare_for_worker_ = UniqueFd(ends[1]);
  fd_max_ = std::max({fd_max_, ends[0], ends[1]});
  return true;
}

// Not before the first worker is there: it has a score of its own, and does not inherit locks.
// The worker says what the kernel refuses.
void Guard::Protect() {
  static_cast<void>(BecomeIoFlusher());
  static_cast<void>(ProtectFromOom(kGuardOomScore));
  static_cast<void>(LockInMemory());
}

// In the worker: out of the guard's ways, and what it kept.
WorkerStart Guard::Hand() {
  LeaveGuard();
  signals_.Reset();
  program_.Close();
  WorkerStart start;
  start.channel = std::move(channel_);
  start.guard_pid = getppid();
  start.replaced = replaced_;
  start.replaced_why = replaced_why_;
  if (replaced_ > 0) TakeKept(fd_max_, start);  // before the first, what there is is not ours
  return start;
}

// An errno when there would be none left for a worker.
int Guard::Keep(UniqueFd fd) {
  if (!fd.valid() || !LeavesRoom(fd.get())) return EMFILE;
  fd_max_ = std::max(fd_max_, fd.get());
  if (KindOf(fd.get()) == KeptKind::kFuse) fuse_ = fd.get();
  fd.Release();  // stays open
  return 0;
}

void Guard::Ready() {
  worker_ready_ = true;
  if (!std::exchange(ready_, true) && setup_.ready) setup_.ready();
  if (end_signal_ != 0 && !told_) Tell(end_signal_);
  if (step_ == Step::kTrial) trial_until_.Set(kTrialNsec);
}

// Not to one that is dead: its number may be another's.
void Guard::Tell(int signal) {
  if (worker_ < 0) return;
  told_ = true;
  kill(worker_, signal);
}

// The worker has ended.
bool Guard::Buried(int status) {
  const pid_t dead = std::exchange(worker_, -1);
  TakeMessages();
  const bool failed = WIFSIGNALED(status) || WEXITSTATUS(status) != 0;
  channel_.Reset();
  trial_until_.Clear();
  if (!ready_) _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  if (!failed && (step_ != Step::kTrial || worker_ready_)) _exit(0);
  ResendRequests(fuse_);
  if (step_ == Step::kEnding) return StartTrial();
  if (!WIFSIGNALED(status) && failed && IsUnmounted()) _exit(1);
  Describe(status);
  if (step_ == Step::kTrial) return FallBack();
  if (WIFEXITED(status) && WEXITSTATUS(status) == kExitDamaged) {
    GiveUp("what the last worker left cannot be read");
    return false;
  }
  return Replace(dead);
}

// Acts first, and speaks then: who reads the log may wait for a disk.
bool Guard::Replace(pid_t dead) {
  const bool idle = worker_ready_ && !HasRequests();
  const std::optional<int64_t> pause = crash_loop_.Died(served_ || idle);
  if (!pause.has_value()) {
    GiveUp("too many workers in a row have died before they had answered anything");
    return false;
  }
  ++replaced_;
  if (*pause > 0) {
    start_.Set(*pause);
  } else if (Start()) {
    return true;
  }
  Say("worker %d died of %s: another one takes over", dead, replaced_why_);
  return false;
}

void Guard::Describe(int status) {
  if (WIFEXITED(status)) {
    std::snprintf(replaced_why_, sizeof replaced_why_, "exit status %d", WEXITSTATUS(status));
    return;
  }
  const int signal = WTERMSIG(status);
  std::snprintf(replaced_why_, sizeof replaced_why_, "signal %d (%s)", signal,
                sigdescr_np(signal) == nullptr ? "unknown" : sigdescr_np(signal));
}

WorkerStart StartUnder(const Handover& handover) {
  LeaveGuard();
  WorkerStart start;
  start.channel = UniqueFd(handover.descriptor);
  start.guard_pid = handover.peer;
  start.replaced = handover.replaced;
  start.replaced_why = kUpgraded;
  TakeKept(HighestDescriptor(), start);
  return start;
}

}  // namespace rnullfs
