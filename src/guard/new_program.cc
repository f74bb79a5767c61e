#include "guard/new_program.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "absl/strings/escaping.h"
#include "guard/say.h"

namespace rnullfs {
namespace {

// 128 bits in hexadecimal digits.
std::string MakeToken() {
  std::string bytes(16, '\0');
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return {};
  return absl::BytesToHexString(bytes);
}

}  // namespace

NewProgram::NewProgram(const std::string& path, char** argv, const KeptDescriptors& kept)
    : path_(path), argv_(argv), kept_(kept) {
  struct stat running = {};
  if (stat("/proc/self/exe", &running) == 0) owner_ = running.st_uid;
}

bool NewProgram::Open() {
  file_ = UniqueFd(open(path_.c_str(), O_PATH | O_CLOEXEC));
  if (!file_.valid()) {
    Say("%s cannot be opened for an upgrade: %s", path_.c_str(), std::strerror(errno));
    return false;
  }
  if (!IsForeign()) return true;
  Close();
  Say("%s belongs to another user than the program that serves the mount, or anybody may write "
      "it: it is not started",
      path_.c_str());
  return false;
}

void NewProgram::Close() {
  file_.Reset();
  answer_.Reset();
}

// Whether somebody may have put it there who could not have changed the one that is running: its
// directory may be gone and made anew, in /tmp say.
bool NewProgram::IsForeign() const {
  struct stat there = {};
  if (fstat(file_.get(), &there) != 0) return true;
  const uid_t owner = there.st_uid;
  const bool known = owner == 0 || owner == geteuid() || owner == owner_;
  return !known || (there.st_mode & S_IWOTH) != 0;
}

pid_t NewProgram::Ask(const std::string& mountpoint) {
  token_ = MakeToken();
  int ends[2];
  if (token_.empty() || pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return -1;
  answer_ = UniqueFd(ends[0]);
  const UniqueFd theirs(ends[1]);
  const pid_t guard = getpid();
  const pid_t child = fork();
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (getppid() != guard) _exit(1);
  Execute({.as = Handover::As::kCheck,
           .mountpoint = mountpoint,
           .descriptor = theirs.get(),
           .token = token_});
  _exit(1);
}

bool NewProgram::HasAgreed(int status) {
  char said[256];
  const ssize_t length = read(answer_.get(), said, sizeof said);
  answer_.Reset();
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 && length > 0 &&
         std::string(said, static_cast<size_t>(length)) == UpgradeAnswer(token_);
}

int NewProgram::Execute(const Handover& handover) const {
  kept_.SetInherited(true);
  fcntl(handover.descriptor, F_SETFD, 0);
  SetHandover(handover);
  // What has no file of its own, as a script, cannot be executed in this way.
  syscall(SYS_execveat, file_.get(), "", argv_, environ, AT_EMPTY_PATH);
  const int error = errno;
  UnsetHandover();
  fcntl(handover.descriptor, F_SETFD, FD_CLOEXEC);
  kept_.SetInherited(false);
  return error;
}

}  // namespace rnullfs
