#include "guard/guard.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/mountpoint.h"
#include "base/process.h"
#include "guard/crash_loop.h"
#include "guard/descriptors.h"
#include "guard/link.h"
#include "guard/refuser.h"
#include "rnullfs/clock.h"

namespace rnullfs {
namespace {

// What an upgrade hands on: how many workers there have been, or that it only asks; and where.
constexpr char kUpgradeVariable[] = "RNULLFS_UPGRADE";
constexpr char kMountpointVariable[] = "RNULLFS_MOUNTPOINT";
constexpr char kOnlyCheck[] = "check";
constexpr unsigned kCheckSeconds = 5;

// The last that is taken when memory runs out, and the one before.
constexpr int kGuardOomScore = -1000;

sigset_t GuardSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int each : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR2}) sigaddset(&signals, each);
  return signals;
}

// One line of the log, without an allocation of ours.
template <typename... Arguments>
void Say(const char* format, Arguments... arguments) {
  char line[512];
  std::snprintf(line, sizeof line, format, arguments...);
  Log(line);
}

class Guard {
 public:
  explicit Guard(const GuardSetup& setup)
      : setup_(setup), replaced_(setup.replaced), ready_(setup.replaced > 0) {
    const sigset_t signals = GuardSignals();
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    if (setup.replaced > 0) std::snprintf(replaced_why_, sizeof replaced_why_, "an upgrade");
    signals_ = UniqueFd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    fd_max_ = HighestDescriptor();
    FindFuse();
    struct stat program = {};
    if (stat("/proc/self/exe", &program) == 0) program_owner_ = program.st_uid;
  }

  // Returns in a worker.
  WorkerStart Run() {
    if (StartWorker()) return Hand();
    while (true) {
      pollfd watched[] = {{signals_.get(), POLLIN, 0},
                          {gave_up_ ? fuse_ : channel_.get(), POLLIN, 0}};
      if (poll(watched, 2, -1) < 0) continue;
      if (watched[1].revents != 0) gave_up_ ? Refuse() : TakeMessages();
      if (watched[0].revents != 0 && TakeSignals()) return Hand();
    }
  }

 private:
  // True in the worker, with its end of the channel in channel_.
  bool StartWorker() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
      GiveUp("no socket for another worker");
      return false;
    }
    worker_ = fork();
    if (worker_ < 0) {
      close(ends[0]);
      close(ends[1]);
      GiveUp("no process for another worker");
      return false;
    }
    channel_ = UniqueFd(ends[worker_ == 0 ? 1 : 0]);
    close(ends[worker_ == 0 ? 0 : 1]);
    if (worker_ == 0) return true;
    if (std::exchange(protected_, true)) return false;
    // Not before: the first worker has a score of its own, and does not inherit locks.
    static_cast<void>(ProtectFromOom(kGuardOomScore));  // the worker says what the kernel refuses
    static_cast<void>(LockInMemory());
    return false;
  }

  // In the worker: out of the guard's ways, and what it kept.
  WorkerStart Hand() {
    // The others stay blocked until somebody waits for them: the guard may hand one on at once.
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_UNBLOCK, &child, nullptr);
    signals_.Reset();
    setpgid(0, 0);  // a terminal's Ctrl-C comes to the guard, which hands it on
    WorkerStart start;
    start.channel = std::move(channel_);
    start.guard_pid = getppid();
    start.replaced = replaced_;
    start.replaced_why = replaced_why_;
    if (replaced_ == 0) return start;  // what there is then is not ours
    for (const int fd : CollectKept(fd_max_)) {
      const KeptKind kind = KindOf(fd);
      if (kind == KeptKind::kFuse) {
        start.fuse = UniqueFd(fd);
      } else if (kind == KeptKind::kState) {
        start.state = UniqueFd(fd);
      } else {
        start.memfds.emplace_back(fd);
      }
    }
    return start;
  }

  void TakeMessages() {
    GuardMessage message = {};
    UniqueFd fd;
    while (ReceiveGuardMessage(channel_.get(), /*wait=*/false, message, fd)) {
      switch (message.kind) {
        case GuardMessage::Kind::kKeep:
          fd_max_ = std::max(fd_max_, fd.get());
          if (KindOf(fd.get()) == KeptKind::kFuse) fuse_ = fd.get();
          fd.Release();  // stays open
          break;
        case GuardMessage::Kind::kDrop:
          CloseKept(fd_max_, message.inode);
          break;
        case GuardMessage::Kind::kReady:
          if (!std::exchange(ready_, true) && setup_.ready) setup_.ready();
      }
    }
  }

  // True in a new worker.
  bool TakeSignals() {
    signalfd_siginfo signal = {};
    while (read(signals_.get(), &signal, sizeof signal) == sizeof signal) {
      if (signal.ssi_signo == SIGUSR2) {
        if (Upgrade()) return true;
      } else if (signal.ssi_signo != SIGCHLD) {
        if (gave_up_) Unmount();
        kill(worker_, static_cast<int>(signal.ssi_signo));
      }
    }
    int status = 0;
    if (gave_up_ || waitpid(worker_, &status, WNOHANG) != worker_) return false;
    return Buried(status);
  }

  // The worker has ended.  True in a new one.
  bool Buried(int status) {
    TakeMessages();
    if (!ready_) _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    if (!WIFSIGNALED(status)) {
      if (WEXITSTATUS(status) == 0) _exit(0);
      GiveUp(WEXITSTATUS(status) == kExitDamaged ? "what the last worker left cannot be read"
                                                 : "the worker could not go on");
      return false;  // if it has unmounted, the first look at the mount ends it
    }
    const int signal = WTERMSIG(status);
    std::snprintf(replaced_why_, sizeof replaced_why_, "signal %d (%s)", signal,
                  sigdescr_np(signal) == nullptr ? "unknown" : sigdescr_np(signal));
    if (crash_loop_.Add(Clock::Real().NowNsec())) {
      GiveUp("five workers have died within ten seconds");
      return false;
    }
    Say("worker %d died of %s: another one takes over", worker_, replaced_why_);
    ++replaced_;
    ResendRequests(fuse_);
    return StartWorker();
  }

  void GiveUp(const char* why) {
    if (!ready_ || fuse_ < 0) _exit(1);
    Say("%s (the last died of %s): the disks of %s fail with EIO from here on; their bytes are in "
        "memory until it is unmounted: rnullfs --rescue %d DIRECTORY copies them",
        why, replaced_why_, setup_.mountpoint.c_str(), getpid());
    gave_up_ = true;
    channel_.Reset();
    fcntl(fuse_, F_SETFL, O_NONBLOCK);
    ResendRequests(fuse_);
  }

  void Refuse() const {
    if (!RefuseRequest(fuse_)) _exit(1);
  }

  [[noreturn]] void Unmount() const {
    UnmountOurs(setup_.mountpoint);
    _exit(1);
  }

  void FindFuse() {
    for (const int fd : CollectKept(fd_max_)) {
      if (KindOf(fd) == KeptKind::kFuse) fuse_ = fd;
    }
  }

  // The program that is there now is asked whether it can go on from here.  Then the worker is
  // killed, which is what it must survive anyway, and the guard becomes the new program.  True in a
  // new worker.
  bool Upgrade() {
    if (gave_up_ || !ready_) return false;
    if (IsForeign()) {
      Say("%s belongs to another user than the program that serves the mount, or anybody may write "
          "it: it is not started",
          setup_.program.c_str());
      return false;
    }
    TakeMessages();
    SetInherited(fd_max_, true);
    const bool can = CanGoOn();
    if (can) {
      EndWorker();
      SetInherited(fd_max_, true);  // also what came last
      char count[16];
      std::snprintf(count, sizeof count, "%u", replaced_ + 1);
      SetUpgradeVariables(count);
      execv(setup_.program.c_str(), setup_.argv);
    }
    Say("%s cannot take the mount over: it stays with the version that serves it",
        setup_.program.c_str());
    unsetenv(kUpgradeVariable);
    unsetenv(kMountpointVariable);
    SetInherited(fd_max_, false);
    if (!can) return false;
    ++replaced_;
    return StartWorker();  // it was executable just now
  }

  // Whether somebody may have put it there who could not have changed the one that is running: its
  // directory may be gone and made anew, in /tmp say.
  bool IsForeign() const {
    struct stat there = {};
    if (stat(setup_.program.c_str(), &there) != 0) return false;
    const uid_t owner = there.st_uid;
    const bool known = owner == 0 || owner == geteuid() || owner == program_owner_;
    return !known || (there.st_mode & S_IWOTH) != 0;
  }

  // Runs it with the same words, to say whether it understands them and what the worker has saved.
  bool CanGoOn() const {
    const pid_t child = fork();
    if (child == 0) {
      SetUpgradeVariables(kOnlyCheck);
      alarm(kCheckSeconds);  // meanwhile nobody looks after the worker
      execv(setup_.program.c_str(), setup_.argv);
      _exit(1);
    }
    int status = 1;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

  void SetUpgradeVariables(const char* what) const {
    setenv(kUpgradeVariable, what, 1);
    setenv(kMountpointVariable, setup_.mountpoint.c_str(), 1);
  }

  void EndWorker() {
    kill(worker_, SIGKILL);
    while (waitpid(worker_, nullptr, 0) < 0 && errno == EINTR) {
    }
    TakeMessages();
    std::snprintf(replaced_why_, sizeof replaced_why_, "an upgrade that failed");
    ResendRequests(fuse_);
  }

  const GuardSetup& setup_;
  UniqueFd signals_;
  UniqueFd channel_;
  pid_t worker_ = -1;
  int fuse_ = -1;
  int fd_max_ = 0;
  uid_t program_owner_ = 0;
  unsigned replaced_;
  bool ready_;
  bool gave_up_ = false;
  bool protected_ = false;
  CrashLoop crash_loop_;
  char replaced_why_[64] = "";
};

// The value of an environment variable, which is gone then; empty when it was not set.
std::string TakeVariable(const char* name) {
  const char* const value = std::getenv(name);
  std::string taken = value == nullptr ? "" : value;
  unsetenv(name);
  return taken;
}

}  // namespace

WorkerStart StartGuarded(const GuardSetup& setup) {
  Guard guard(setup);
  return guard.Run();
}

Upgrade TakeUpgrade(GuardSetup& setup) {
  const std::string what = TakeVariable(kUpgradeVariable);
  const std::string mountpoint = TakeVariable(kMountpointVariable);
  const bool check = what == kOnlyCheck;
  const int fd_max = HighestDescriptor();
  bool has_fuse = false;
  bool has_state = false;
  for (const int fd : CollectKept(fd_max)) {
    has_fuse = has_fuse || KindOf(fd) == KeptKind::kFuse;
    has_state = has_state || KindOf(fd) == KeptKind::kState;
  }
  SetInherited(fd_max, false);
  // The environment may be anybody's words; a guard also leaves what they are about.
  if (!what.empty() && has_state && (has_fuse || check)) {
    setup.mountpoint = mountpoint;
    setup.replaced = static_cast<unsigned>(std::strtoul(what.c_str(), nullptr, 10));
    return check ? Upgrade::kCheck : Upgrade::kGoOn;
  }
  // What the caller has left open would be held for ever, or even be taken for this mount's.
  for (int fd = STDERR_FILENO + 1; fd <= fd_max; ++fd) {
    if (setup.mountpoint != absl::StrCat("/dev/fd/", fd)) close(fd);
  }
  return Upgrade::kNone;
}

UniqueFd InheritedState() {
  for (const int fd : CollectKept(HighestDescriptor())) {
    if (KindOf(fd) == KeptKind::kState) return UniqueFd(fd);
  }
  return UniqueFd();
}

}  // namespace rnullfs
