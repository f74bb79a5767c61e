#include "base/background.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "base/log.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

// What ends a command that somebody waits for.
sigset_t EndingSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int each : {SIGHUP, SIGINT, SIGQUIT, SIGTERM}) sigaddset(&signals, each);
  return signals;
}

// As it would have been, had nobody held it up.
[[noreturn]] void EndBy(int signal) {
  const sigset_t signals = EndingSignals();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
  sigprocmask(SIG_UNBLOCK, &signals, nullptr);
  _exit(1);
}

// Until the child is ready, or has ended: 0, or the signal that came, and that it was told.  A
// second one is told as well: there it means not to wait.
int AwaitReadiness(int ready, pid_t child) {
  const sigset_t ending = EndingSignals();
  const UniqueFd signals(signalfd(-1, &ending, SFD_CLOEXEC));
  int ended_by = 0;
  while (true) {
    pollfd watched[] = {{signals.get(), POLLIN, 0}, {ready, POLLIN, 0}};
    if (poll(watched, 2, -1) < 0) continue;
    if (watched[0].revents == 0) return ended_by;
    signalfd_siginfo signal = {};
    if (read(signals.get(), &signal, sizeof signal) != sizeof signal) continue;
    ended_by = static_cast<int>(signal.ssi_signo);
    kill(child, SIGTERM);
  }
}

// The parent's part: never returns.
[[noreturn]] void AwaitReady(int ready, pid_t child) {
  const int ended_by = AwaitReadiness(ready, child);
  char byte = 0;
  if (ended_by == 0 && read(ready, &byte, 1) == 1) _exit(0);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (ended_by != 0) EndBy(ended_by);
  _exit(WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1);
}

}  // namespace

absl::StatusOr<Background> Background::Start() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return SystemError(errno, "pipe");
  UniqueFd read_end(fds[0]);
  UniqueFd write_end(fds[1]);
  const sigset_t ending = EndingSignals();
  sigprocmask(SIG_BLOCK, &ending, nullptr);
  const pid_t child = fork();
  const int error = errno;
  if (child <= 0) {
    if (child == 0) setsid();
    sigprocmask(SIG_UNBLOCK, &ending,
                nullptr);  // one that has come ends us here, with nothing made
  }
  if (child < 0) return SystemError(error, "fork");
  if (child > 0) {
    write_end.Reset();
    AwaitReady(read_end.get(), child);
  }
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
