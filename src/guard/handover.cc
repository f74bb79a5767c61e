#include "guard/handover.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "absl/strings/str_cat.h"

namespace rnullfs {
namespace {

// How many workers there have been, or that it only asks; and where.
constexpr char kUpgradeVariable[] = "RNULLFS_UPGRADE";
constexpr char kMountpointVariable[] = "RNULLFS_MOUNTPOINT";
// "check DESCRIPTOR TOKEN", "worker CHANNEL GUARD", "guard CHANNEL WORKER SIGNAL".
constexpr char kHandoverVariable[] = "RNULLFS_HANDOVER";
constexpr char kCheck[] = "check";
constexpr char kWorker[] = "worker";
constexpr char kGuard[] = "guard";

// As setenv(3) of the three; false with errno.
bool SetVariables(const Handover& handover) {
  char upgrade[16];
  char more[128];
  if (handover.as == Handover::As::kCheck) {
    std::snprintf(upgrade, sizeof upgrade, "%s", kCheck);
    std::snprintf(more, sizeof more, "%s %d %s", kCheck, handover.descriptor,
                  handover.token.c_str());
  } else {
    std::snprintf(upgrade, sizeof upgrade, "%u", handover.replaced);
    std::snprintf(more, sizeof more, "%s %d %d %d",
                  handover.as == Handover::As::kWorker ? kWorker : kGuard, handover.descriptor,
                  handover.peer, handover.end_signal);
  }
  return setenv(kUpgradeVariable, upgrade, 1) == 0 && setenv(kHandoverVariable, more, 1) == 0 &&
         setenv(kMountpointVariable, handover.mountpoint.c_str(), 1) == 0;
}

// The value of an environment variable, which is gone then; empty when it was not set.
std::string TakeVariable(const char* name) {
  const char* const value = std::getenv(name);
  std::string taken = value == nullptr ? "" : value;
  unsetenv(name);
  return taken;
}

// What only guards of this version say.
void Read(const std::string& text, Handover& handover) {
  std::istringstream words(text);
  std::string as;
  words >> as >> handover.descriptor;
  if (as == kCheck) {
    words >> handover.token;
    return;
  }
  words >> handover.peer >> handover.end_signal;
  if (as == kWorker) handover.as = Handover::As::kWorker;
  struct stat channel = {};
  if (fstat(handover.descriptor, &channel) == 0 && S_ISSOCK(channel.st_mode)) return;
  handover.descriptor = -1;
  handover.peer = 0;
  handover.as = Handover::As::kGuard;  // it starts a worker
}

}  // namespace

int HandOver(const Handover& handover, int program, char** argv, const KeptDescriptors& kept) {
  kept.SetInherited(true);
  fcntl(handover.descriptor, F_SETFD, 0);
  // What has no file of its own, as a script, cannot be executed in this way.
  if (SetVariables(handover)) {
    syscall(SYS_execveat, program, "", argv, environ, AT_EMPTY_PATH);
  }
  const int error = errno;
  for (const char* name : {kUpgradeVariable, kMountpointVariable, kHandoverVariable}) {
    unsetenv(name);
  }
  fcntl(handover.descriptor, F_SETFD, FD_CLOEXEC);
  kept.SetInherited(false);
  return error;
}

Handover TakeHandover(const std::string& mountpoint) {
  Handover handover;
  const std::string what = TakeVariable(kUpgradeVariable);
  const std::string more = TakeVariable(kHandoverVariable);
  handover.mountpoint = TakeVariable(kMountpointVariable);
  const bool check = what == kCheck;
  const KeptDescriptors kept;
  kept.SetInherited(false);
  // The environment may be anybody's words; a guard also leaves what they are about.
  if (what.empty() || kept.state() < 0 || (kept.fuse() < 0 && !check)) {
    // What the caller has left open would be held for ever, or even be taken for this mount's.
    for (int fd = STDERR_FILENO + 1; fd <= kept.highest(); ++fd) {
      if (mountpoint != absl::StrCat("/dev/fd/", fd)) close(fd);
    }
    return {.mountpoint = mountpoint};
  }
  handover.as = check ? Handover::As::kCheck : Handover::As::kGuard;
  handover.replaced = static_cast<unsigned>(std::strtoul(what.c_str(), nullptr, 10));
  if (!more.empty()) Read(more, handover);
  // Of a program that is executed by its descriptor kernels before 6.14 say the descriptor's
  // number.
  prctl(PR_SET_NAME, program_invocation_short_name, 0, 0, 0);
  if (handover.descriptor >= 0) fcntl(handover.descriptor, F_SETFD, FD_CLOEXEC);
  return handover;
}

void AnswerCheck(const Handover& handover) {
  if (handover.descriptor < 0 || handover.token.empty()) return;
  const std::string answer = absl::StrCat(kUpgradeAnswer, handover.token, "\n");
  [[maybe_unused]] const ssize_t said = write(handover.descriptor, answer.data(), answer.size());
}

WorkerStart StartWorker(const Handover& handover, const KeptDescriptors& kept,
                        const char* replaced_why) {
  // SIGCHLD is the guard's.  The others stay blocked until somebody waits for them: it may hand one
  // on at once.
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_UNBLOCK, &child, nullptr);
  setpgid(0, 0);  // a terminal's Ctrl-C comes to the guard, which hands it on
  WorkerStart start = {.channel = UniqueFd(handover.descriptor),
                       .guard_pid = handover.peer,
                       .replaced = handover.replaced,
                       .replaced_why = replaced_why};
  if (start.replaced == 0) return start;  // before the first, what there is is not ours
  start.fuse = UniqueFd(kept.fuse());
  start.state = UniqueFd(kept.state());
  for (const int fd : kept.Disks()) start.memfds.emplace_back(fd);
  return start;
}

}  // namespace rnullfs
