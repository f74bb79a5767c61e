#include "guard/handover.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "guard/descriptors.h"

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

void SetHandover(const Handover& handover) {
  const bool check = handover.as == Handover::As::kCheck;
  const std::string upgrade = check ? kCheck : absl::StrCat(handover.replaced);
  std::string more;
  if (check) {
    more = absl::StrCat(kCheck, " ", handover.descriptor, " ", handover.token);
  } else {
    more = absl::StrCat(handover.as == Handover::As::kWorker ? kWorker : kGuard, " ",
                        handover.descriptor, " ", handover.peer, " ", handover.end_signal);
  }
  setenv(kUpgradeVariable, upgrade.c_str(), 1);
  setenv(kMountpointVariable, handover.mountpoint.c_str(), 1);
  setenv(kHandoverVariable, more.c_str(), 1);
}

void UnsetHandover() {
  for (const char* name : {kUpgradeVariable, kMountpointVariable, kHandoverVariable}) {
    unsetenv(name);
  }
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
    return {};
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

std::string UpgradeAnswer(const std::string& token) {
  return absl::StrCat("rnullfs can go on: ", token, "\n");
}

void AnswerCheck(const Handover& handover) {
  if (handover.descriptor < 0 || handover.token.empty()) return;
  const std::string answer = UpgradeAnswer(handover.token);
  [[maybe_unused]] const ssize_t said = write(handover.descriptor, answer.data(), answer.size());
}

UniqueFd InheritedState() { return UniqueFd(KeptDescriptors().state()); }

}  // namespace rnullfs
