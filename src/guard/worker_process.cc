#include "guard/worker_process.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <utility>

namespace rnullfs {

void DescribeEnd(int status, EndText& text) {
  if (WIFEXITED(status)) {
    std::snprintf(text, sizeof text, "exit status %d", WEXITSTATUS(status));
    return;
  }
  const int signal = WTERMSIG(status);
  std::snprintf(text, sizeof text, "signal %d (%s)", signal,
                sigdescr_np(signal) == nullptr ? "unknown" : sigdescr_np(signal));
}

void WorkerProcess::Adopt(pid_t pid, UniqueFd channel) {
  pid_ = pid;
  channel_ = std::move(channel);
  ready_ = served_ = told_ = true;
}

bool WorkerProcess::HasNextChannel() {
  if (next_.valid()) return true;
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return false;
  next_ = UniqueFd(ends[0]);
  next_theirs_ = UniqueFd(ends[1]);
  return true;
}

pid_t WorkerProcess::Fork() {
  if (!HasNextChannel() || (pid_ = fork()) < 0) return -1;
  channel_ = std::move(pid_ == 0 ? next_theirs_ : next_);
  (pid_ == 0 ? next_ : next_theirs_).Reset();
  if (pid_ == 0) return 0;
  ready_ = served_ = told_ = false;
  static_cast<void>(HasNextChannel());
  return pid_;
}

bool WorkerProcess::TakeMessage(KeptDescriptors& kept, GuardMessage::Kind& said) {
  using Kind = GuardMessage::Kind;
  GuardMessage message = {};
  UniqueFd fd;
  if (!ReceiveGuardMessage(channel_.get(), message, fd)) return false;
  said = message.kind;
  if (said == Kind::kKeep) AnswerKeep(channel_.get(), message.file, kept.Keep(std::move(fd)));
  if (said == Kind::kDrop) kept.Drop(message.file);
  ready_ = ready_ || said == Kind::kReady;
  served_ = served_ || said == Kind::kServed;
  told_ = told_ || said == Kind::kEnding;
  return true;
}

void WorkerProcess::Tell(int signal) {
  if (!lives()) return;
  told_ = true;
  kill(pid_, signal);
}

void WorkerProcess::Kill() const {
  if (lives()) kill(pid_, SIGKILL);
}

}  // namespace rnullfs
