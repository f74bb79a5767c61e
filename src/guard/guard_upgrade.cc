#include "guard/guard_upgrade.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>

#include "guard/say.h"
#include "rnullfs/clock.h"

namespace rnullfs {
namespace {

constexpr int64_t kAskedNsec = 5'000'000'000;

}  // namespace

int64_t MomentIn(int64_t nsec) { return Clock::Real().NowNsec() + nsec; }

GuardUpgrade::GuardUpgrade(const GuardSetup& setup, const KeptDescriptors& kept)
    : setup_(setup), kept_(kept) {
  struct stat running = {};
  if (stat("/proc/self/exe", &running) == 0) owner_ = running.st_uid;
}

void GuardUpgrade::Ask() {
  ask_again_ = step_ != Step::kNone;
  if (ask_again_ || !Open()) return;
  asked_ = StartAsking();
  if (asked_ < 0) {
    Say("the new program cannot be started: %s", std::strerror(errno));
    Leave();
    return;
  }
  step_ = Step::kAsking;
  until_ = MomentIn(kAskedNsec);
}

bool GuardUpgrade::Open() {
  const char* const path = setup_.program.c_str();
  program_ = UniqueFd(open(path, O_PATH | O_CLOEXEC));
  if (!program_.valid()) {
    Say("%s cannot be opened for an upgrade: %s", path, std::strerror(errno));
    return false;
  }
  if (!IsForeign()) return true;
  Leave();
  Say("%s belongs to another user than the program that serves the mount, or anybody may write "
      "it: it is not started",
      path);
  return false;
}

// Whether somebody may have put it there who could not have changed the one that is running: its
// directory may be gone and made anew, in /tmp say.
bool GuardUpgrade::IsForeign() const {
  struct stat there = {};
  if (fstat(program_.get(), &there) != 0) return true;
  const uid_t owner = there.st_uid;
  const bool known = owner == 0 || owner == geteuid() || owner == owner_;
  return !known || (there.st_mode & S_IWOTH) != 0;
}

// Has a child run it, to say whether it understands the command line and what the worker has saved:
// the child, or -1 when there can be none.
pid_t GuardUpgrade::StartAsking() {
  uint64_t random[2];
  int ends[2];
  if (getrandom(random, sizeof random, 0) != sizeof random) return -1;
  std::snprintf(token_, sizeof token_, "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return -1;
  answer_ = UniqueFd(ends[0]);
  const UniqueFd theirs(ends[1]);
  const pid_t guard = getpid();
  const pid_t child = fork();
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (getppid() != guard) _exit(1);
  BecomeInChild({.as = Handover::As::kCheck,
                 .mountpoint = setup_.handover.mountpoint,
                 .descriptor = theirs.get(),
                 .token = token_});
}

bool GuardUpgrade::HasAgreed(pid_t ended, int status) {
  if (ended != asked_) return false;
  asked_ = -1;
  until_ = kNever;
  char said[256];
  char yes[sizeof kUpgradeAnswer + sizeof token_];
  const ssize_t length = read(answer_.get(), said, sizeof said);
  std::snprintf(yes, sizeof yes, "%s%s\n", kUpgradeAnswer, token_);
  answer_.Reset();
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && length > 0 &&
      std::string_view(said, static_cast<size_t>(length)) == yes) {
    step_ = Step::kEnding;
    return true;
  }
  const bool again = Leave();
  Say("%s cannot take the mount over: it stays with the version that serves it",
      setup_.program.c_str());
  if (again) Ask();
  return false;
}

void GuardUpgrade::SetTrialEnd(int64_t moment) {
  if (in_trial()) until_ = moment;
}

bool GuardUpgrade::IsTrialOver() {
  if (Clock::Real().NowNsec() < until_) return false;
  until_ = kNever;
  if (step_ == Step::kAsking) kill(asked_, SIGKILL);
  return in_trial();
}

void GuardUpgrade::BecomeInChild(const Handover& handover) const {
  HandOver(handover, program_.get(), setup_.argv, kept_);
  _exit(1);
}

void GuardUpgrade::BecomeGuard(const Handover& handover) {
  if (std::exchange(ask_again_, false)) kill(getpid(), SIGUSR2);  // it is blocked: for who comes
  const int error = HandOver(handover, program_.get(), setup_.argv, kept_);
  Leave();
  Say("the guard cannot become the new program (%s): it stays as it is, with the new worker",
      std::strerror(error));
}

bool GuardUpgrade::Leave() {
  step_ = Step::kNone;
  program_.Reset();
  answer_.Reset();
  return std::exchange(ask_again_, false);
}

}  // namespace rnullfs
