#include "base/threads.h"

#include <poll.h>
#include <pthread.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <new>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

constexpr int kPauseMinMsec = 10;
constexpr int kPauseMaxMsec = 1000;

// Waits for so long; true when the connection has ended.
bool EndsWithin(int connection, int msec) {
  pollfd watched = {.fd = connection, .events = 0, .revents = 0};
  return poll(&watched, 1, msec) == 1;
}

void GoToTheBackground(const char* name) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  pthread_setname_np(pthread_self(), name);
}

}  // namespace

absl::StatusOr<std::thread> StartThread(std::function<void()> run, const char* background) {
  constexpr char kWhere[] =
      "ulimit -u, a control group's pids.max and systemd's TasksMax limit them, ulimit -v their "
      "memory";
  try {
    return std::thread([background, run = std::move(run)] {
      if (background != nullptr) GoToTheBackground(background);
      run();
    });
  } catch (const std::system_error& error) {
    return Error(EAGAIN, absl::StrCat("no thread can be had (", error.what(), "): ", kWhere));
  } catch (const std::bad_alloc&) {
    return Error(EAGAIN, absl::StrCat("no thread can be had (out of memory): ", kWhere));
  }
}

absl::Status InsistWhileMounted(int connection, absl::FunctionRef<absl::Status()> attempt) {
  absl::Status done = attempt();
  if (done.ok() || connection < 0) return done;
  Log(absl::StrCat(done.message(), "; requests wait until there is one"));
  for (int pause_msec = kPauseMinMsec; !done.ok() && !EndsWithin(connection, pause_msec);
       pause_msec = std::min(2 * pause_msec, kPauseMaxMsec)) {
    done = attempt();
  }
  return done;
}

}  // namespace rnullfs
