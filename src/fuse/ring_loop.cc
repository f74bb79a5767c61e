#include "fuse/ring_loop.h"

#include <fuse_lowlevel.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/mountpoint.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

constexpr std::chrono::seconds kPatience{5};
constexpr std::chrono::milliseconds kLookAgain{1};

// Whether the mount answers a request before patience or the session ends.  A child asks: a thread
// could not be called back from a request that is never answered.
bool Answers(const std::string& mountpoint, const std::atomic<bool>& ended) {
  const pid_t child = fork();
  if (child == 0) {
    // If we were killed, the child's /dev/fuse would keep the mount waiting, and so the child.
    close_range(0, ~0U, 0);
    struct statfs st = {};
    _exit(statfs(mountpoint.c_str(), &st) == 0 ? 0 : 1);
  }
  if (child < 0) return true;  // nobody can tell
  for (std::chrono::milliseconds waited{0}; waited < kPatience && !ended.load();
       waited += kLookAgain) {
    if (waitpid(child, nullptr, WNOHANG) != 0) return true;
    std::this_thread::sleep_for(kLookAgain);
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  return false;
}

}  // namespace

absl::Status RingLoop::Run(unsigned threads) {
  fuse_loop_config* config = fuse_loop_cfg_create();
  fuse_loop_cfg_set_clone_fd(config, 0);
  fuse_loop_cfg_set_max_threads(config, threads);
  const int result = fuse_session_loop_mt(mount_.session(), config);
  fuse_loop_cfg_destroy(config);
  finished_.store(true);
  if (watch_.joinable()) watch_.join();
  if (!error_.ok()) return error_;
  if (result >= 0 || result == -ENODEV) return absl::OkStatus();
  return SystemError(-result, "serving the mount");
}

void RingLoop::Watch(bool promised, std::function<void()> answering) {
  watch_ = std::thread(
      [this, promised, answering = std::move(answering)] { Await(promised, answering); });
}

void RingLoop::Await(bool promised, const std::function<void()>& answering) {
  if (Answers(mountpoint_, finished_)) {
    if (!over_ring()) {
      fall_back_(promised ? "libfuse could not start it" : "the kernel does not offer it");
    }
    return answering();
  }
  // Not finished_: of a mount that was unmounted lazily, our child may have been the last user.
  if (ending_.load()) return;
  const std::string why = absl::StrCat(
      "the kernel waited ", kPatience.count(),
      " s for the ring in vain (does a container or a security module refuse io_uring_enter or "
      "its commands?)");
  // Forced, so that whoever waits for an answer gets an error.
  silent_ = umount2(mountpoint_.c_str(), MNT_FORCE | MNT_DETACH) == 0;
  if (silent_) {
    fall_back_(why);
  } else {  // somebody has unmounted it, and does not want it back
    error_ = Error(EIO, why);
  }
  Interrupt();
}

void RingLoop::End(absl::FunctionRef<void()> idle) {
  ending_.store(true);
  // A ring's thread waits for its answer; libfuse would wait for the thread.
  idle();
  // A ring that closes aborts the connection, which libfuse takes for an unmount by somebody else:
  // it would leave the mount behind.
  UnmountOurs(mountpoint_, mount_.fd());
  Interrupt();
}

// libfuse's loop sleeps until a worker ends or a signal arrives, and may just be about to.
void RingLoop::Interrupt() {
  while (!finished_.load()) {
    fuse_session_exit(mount_.session());
    pthread_kill(main_thread_, SIGUSR1);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace rnullfs
