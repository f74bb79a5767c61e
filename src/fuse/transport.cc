// Which way requests take from the kernel: what is asked for, and what came of it.
//
// A mount that has promised the kernel a ring and does not bring it hangs: no request is let
// through. What is refused before the promise, libfuse notices, and does without a ring.  What is
// refused after it (registering the ring's entries: by a container's filter, by a security module,
// for want of memory) libfuse leaves at that.  So such a mount has to answer before the command
// returns.

#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "fuse/negotiate.h"
#include "fuse/ring.h"
#include "fuse/session.h"
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

void Session::ChooseTransport() {
  if (options_.transport == Transport::kUring) {
    const bool made_by_another = options_.mountpoint.rfind("/dev/fd/", 0) == 0;
    const std::string obstacle =
        made_by_another ? "who made the mount would have to unmount it before the ring closes"
                        : RingObstacle();
    wants_ring_ = obstacle.empty();
    if (!wants_ring_) return FallBack(obstacle);
  }
  LockGuard lock(mutex_);
  transport_why_ = options_.transport == Transport::kAuto
                       ? "auto: a ring would let a delayed request hold up its processor's other "
                         "requests; transport=uring suits disks with irqmode 0"
                       : "as asked";
}

void Session::FallBack(const std::string& why) {
  Log(absl::StrCat("transport=uring falls back to dev: ", why));
  LockGuard lock(mutex_);
  transport_why_ = why;
  std::erase(negotiated_.capabilities, kRingCapability);
}

bool Session::RingPromised() const {
  LockGuard lock(mutex_);
  const auto& used = negotiated_.capabilities;
  return std::find(used.begin(), used.end(), kRingCapability) != used.end();
}

void Session::AwaitRing() {
  if (Answers(options_.mountpoint, finished_)) {
    if (!over_ring_.load()) {
      FallBack(RingPromised() ? "libfuse could not start it" : "the kernel does not offer it");
    }
    return hooks_.answering();
  }
  // Not finished_: of a mount that was unmounted lazily, our child may have been the last user.
  if (ending_.load()) return;
  const std::string why = absl::StrCat(
      "the kernel waited ", kPatience.count(),
      " s for the ring in vain (does a container or a security module refuse io_uring_enter or "
      "its commands?)");
  // Forced, so that whoever waits for an answer gets an error.
  ring_is_silent_ = umount2(options_.mountpoint.c_str(), MNT_FORCE | MNT_DETACH) == 0;
  if (ring_is_silent_) {
    FallBack(why);
  } else {  // somebody has unmounted it, and does not want it back
    LockGuard lock(mutex_);
    not_ready_ = Error(EIO, why);
  }
  EndLoop();
}

}  // namespace rnullfs
