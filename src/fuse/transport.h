// Which way requests take from the kernel: what is asked for, and what came of it.
//
// Thread safety: all calls from any thread; Choose() before any other.
#ifndef RNULLFS_FUSE_TRANSPORT_H_
#define RNULLFS_FUSE_TRANSPORT_H_

#include <atomic>
#include <string>

#include "command_line/mount_options.h"
#include "rnullfs/mutex.h"

namespace rnullfs {

class TransportChoice {
 public:
  // Whether to ask for a ring.
  bool Choose(const MountOptions& options);

  // A ring was asked for, and there is none.
  void FallBack(const std::string& why);

  // By which way the last StatFs() came: the first one is our own (ring_loop.cc).
  void Note(bool over_ring) { over_ring_.store(over_ring); }
  bool over_ring() const { return over_ring_.load(); }

  // For status.json.
  std::string why() const;
  bool fell_back() const;

 private:
  std::atomic<bool> over_ring_{false};
  mutable Mutex mutex_;
  std::string why_ ABSL_GUARDED_BY(mutex_);
  bool fell_back_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace rnullfs

#endif  // RNULLFS_FUSE_TRANSPORT_H_
