#include "fuse/transport.h"

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "fuse/ring.h"

namespace rnullfs {

bool TransportChoice::Choose(const MountOptions& options) {
  if (options.transport == Transport::kUring) {
    const bool made_by_another = options.mountpoint.rfind("/dev/fd/", 0) == 0;
    const std::string obstacle =
        made_by_another ? "who made the mount would have to unmount it before the ring closes"
                        : RingObstacle();
    if (!obstacle.empty()) {
      FallBack(obstacle);
      return false;
    }
  }
  LockGuard lock(mutex_);
  why_ = options.transport == Transport::kAuto
             ? "auto: a ring would let a delayed request hold up its processor's other "
               "requests; transport=uring suits disks with irqmode 0"
             : "as asked";
  return options.transport == Transport::kUring;
}

void TransportChoice::FallBack(const std::string& why) {
  Log(absl::StrCat("transport=uring falls back to dev: ", why));
  LockGuard lock(mutex_);
  why_ = why;
  fell_back_ = true;
}

std::string TransportChoice::why() const {
  LockGuard lock(mutex_);
  return why_;
}

bool TransportChoice::fell_back() const {
  LockGuard lock(mutex_);
  return fell_back_;
}

}  // namespace rnullfs
