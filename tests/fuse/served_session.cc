#include "fuse/served_session.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "device/completion_queue.h"
#include "fuse/fake_peer.h"
#include "fuse/session.h"
#include "rnullfs/clock.h"
#include "rnullfs/error.h"
#include "tree/tree.h"

namespace rnullfs {
namespace {

int Serve(int fd, Sections sections) {
  CompletionQueue completions(Clock::Real());
  MountOptions options;
  options.mountpoint = "/dev/fd/" + std::to_string(fd);
  MemoryLimit memory;
  Session session(options, memory);
  Tree tree(
      getuid(), getgid(), [&session] { return session.StatusText(); },
      {.device = {.clock = Clock::Real(), .completions = completions},
       .memory = memory,
       .passthrough_obstacle = [&session] { return session.passthrough_obstacle(); }},
      sections);
  if (absl::Status status = session.Mount(tree); !status.ok()) return ErrnoOf(status);
  return ErrnoOf(session.Serve({.ready = [] { return absl::OkStatus(); },
                                .answering = [] {},
                                .idle = [&] { completions.Stop(); }}));
}

}  // namespace

ServedSession::ServedSession(Sections sections) {
  auto [kernel_end, session_end] = MakeConnection();
  log_ = UniqueFd(memfd_create("session's stderr", MFD_CLOEXEC));
  std::fflush(nullptr);  // or the child would print it again
  pid_ = fork();
  EXPECT_GE(pid_, 0);
  if (pid_ == 0) {
    kernel_end.Reset();
    dup2(log_.get(), STDERR_FILENO);
    const int fd = dup(session_end.get());  // libfuse closes it
    session_end.Reset();
    std::exit(Serve(fd, sections));  // not _exit(): the leak checker has a word, too
  }
  kernel_end_ = std::move(kernel_end);
}

ServedSession::~ServedSession() {
  if (ended_) return;
  kill(pid_, SIGKILL);
  Reap(0);
}

void ServedSession::Signal(int signal) const { EXPECT_EQ(kill(pid_, signal), 0); }

bool ServedSession::Running() { return !ended_ && !Reap(WNOHANG); }

int ServedSession::Wait() {
  // Every wait for a session's end may take as long as a loaded machine does, but not for ever.
  for (int i = 0; i < 3000 && Running(); ++i) usleep(10'000);
  if (!ended_) {
    ADD_FAILURE() << "the session does not end";
    kill(pid_, SIGKILL);
    Reap(0);
  }
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : -WTERMSIG(status_);
}

std::string ServedSession::Log() const {
  struct stat st = {};
  fstat(log_.get(), &st);
  std::string log(st.st_size, '\0');
  EXPECT_EQ(pread(log_.get(), log.data(), log.size(), 0), static_cast<ssize_t>(log.size()));
  return log;
}

bool ServedSession::Reap(int flags) {
  ended_ = waitpid(pid_, &status_, flags) == pid_;
  return ended_;
}

}  // namespace rnullfs
