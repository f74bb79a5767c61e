#include "ctl/interrupt.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>

namespace rnullfs {
namespace {

// A pipe of which the handler closes nothing and reads nothing: one byte, and it stays readable.
int g_pipe[2] = {-1, -1};

void Hear(int /*signal*/) {
  const int error = errno;
  [[maybe_unused]] const ssize_t written = write(g_pipe[1], "", 1);
  errno = error;
}

}  // namespace

void Interrupt::Install() {
  if (pipe2(g_pipe, O_CLOEXEC | O_NONBLOCK) != 0) return;
  struct sigaction action = {};
  action.sa_handler = Hear;
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaction(number, &action, nullptr);
}

bool Interrupt::happened() {
  pollfd wait = {.fd = g_pipe[0], .events = POLLIN, .revents = 0};
  return g_pipe[0] >= 0 && poll(&wait, 1, 0) == 1;
}

int Interrupt::fd() { return g_pipe[0]; }

}  // namespace rnullfs
