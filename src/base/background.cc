#include "base/background.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/log.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

// The parent's part: never returns.
[[noreturn]] void AwaitReady(int fd, pid_t child) {
  char byte = 0;
  ssize_t got = 0;
  do {
    got = read(fd, &byte, 1);
  } while (got < 0 && errno == EINTR);
  if (got == 1) _exit(0);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  _exit(WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1);
}

}  // namespace

absl::StatusOr<Background> Background::Start() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return SystemError(errno, "pipe");
  UniqueFd read_end(fds[0]);
  UniqueFd write_end(fds[1]);
  const pid_t child = fork();
  if (child < 0) return SystemError(errno, "fork");
  if (child > 0) {
    write_end.Reset();
    AwaitReady(read_end.get(), child);
  }
  setsid();
  Background background;
  background.ready_ = std::move(write_end);
  return background;
}

void Background::Detach() {
  if (!ready_.valid()) return;
  LogToSyslog();
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null.get(), fd);
}

void Background::Ready() {
  if (!ready_.valid()) return;
  Detach();
  const char byte = 1;
  // Should the parent be gone, there is nobody to tell.
  [[maybe_unused]] const ssize_t told = write(ready_.get(), &byte, 1);
  ready_.Reset();
}

}  // namespace rnullfs
