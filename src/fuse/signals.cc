#include "fuse/signals.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <ctime>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/log.h"
#include "base/threads.h"

namespace rnullfs {
namespace {

// How often a pending end looks whether the last disk has been closed.
constexpr timespec kAgain = {.tv_sec = 0, .tv_nsec = 50'000'000};

// What the kernel tells a worker whose guard dies (PR_SET_PDEATHSIG).
constexpr int kGuardDied = SIGUSR2;

sigset_t EndSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, kGuardDied}) sigaddset(&signals, signal);
  return signals;
}

}  // namespace

Signals::Signals(pid_t guard_pid, Hooks hooks) : guard_pid_(guard_pid), hooks_(std::move(hooks)) {
  const sigset_t signals = EndSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes is ENOSPC to a disk, not our end
  struct sigaction wake = {};
  wake.sa_handler = [](int) {};
  sigaction(SIGUSR1, &wake, nullptr);
  if (guard_pid_ == 0) return;
  prctl(PR_SET_PDEATHSIG, kGuardDied, 0, 0, 0);
  if (getppid() != guard_pid_) kill(getpid(), kGuardDied);  // it did not wait for that
}

absl::Status Signals::Start() {
  stopped_.store(false);
  absl::StatusOr<std::thread> started = StartThread([this] { Await(); });
  if (!started.ok()) return started.status();
  thread_ = *std::move(started);
  return absl::OkStatus();
}

void Signals::Stop() {
  stopped_.store(true);
  pthread_kill(thread_.native_handle(), SIGHUP);  // it may be waiting for one
  thread_.join();
}

std::vector<std::string> Signals::awaited() const {
  LockGuard lock(mutex_);
  return awaited_;
}

void Signals::Await() {
  for (bool ending = false, more = true; more;) {
    try {
      more = Take(ending);
    } catch (const std::bad_alloc&) {
      ending = true;  // it takes no memory to wait for a signal: looks again in a moment
    }
  }
}

// Waits for one, or a while when the end is awaited; false when there is nothing more to wait for.
bool Signals::Take(bool& ending) {
  const sigset_t signals = EndSignals();
  const int signal = sigtimedwait(&signals, nullptr, ending ? &kAgain : nullptr);
  if (stopped_.load()) return false;
  if (signal == kGuardDied) {
    if (getppid() == guard_pid_) return true;  // somebody else's idea
    guard_lost_ = true;
    Log("the guard has died: the disks are served on, but would not outlive this process now");
    return true;
  }
  const bool signalled = signal > 0;
  if (!signalled && !ending) return true;  // EINTR: the process was stopped and goes on
  const std::vector<std::string> in_use = hooks_.in_use();
  if (in_use.empty() || (signalled && ending)) {
    hooks_.end();
    return false;
  }
  if (signalled) {
    Log(absl::StrCat("still in use: ", absl::StrJoin(in_use, ", "),
                     "; unmounting when they are closed, or at once at the next signal"));
    hooks_.ending();
  }
  ending = true;
  LockGuard lock(mutex_);
  awaited_ = in_use;
  return true;
}

}  // namespace rnullfs
