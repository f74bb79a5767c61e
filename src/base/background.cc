#include "base/background.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

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

void NotifyReady() {
  constexpr char kMessage[] = "READY=1";
  const char* const path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr) return;
  const size_t length = std::strlen(path);
  sockaddr_un address = {};
  if (length < 2 || length >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = '\0';  // the abstract name space
  const UniqueFd socket_fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sendto(socket_fd.get(), kMessage, sizeof kMessage - 1, MSG_NOSIGNAL,
         reinterpret_cast<const sockaddr*>(&address),
         static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
}

}  // namespace rnullfs
