// Serves a mount over a ring, with libfuse's own threads, and sees to it that the ring came.
//
// A mount that has promised the kernel a ring and does not bring it hangs: no request is let
// through. What is refused before the promise, libfuse notices, and does without a ring.  What is
// refused after it (registering the ring's entries: by a container's filter, by a security module,
// for want of memory) libfuse leaves at that.  So such a mount has to answer before the command
// returns.
//
// Thread safety: Watch() once, before the first request; NoteRequest() and over_ring() from any
// thread; End() as well, once; Run() and silent() are the main thread's.
#ifndef RNULLFS_FUSE_RING_LOOP_H_
#define RNULLFS_FUSE_RING_LOOP_H_

#include <pthread.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "fuse/mount.h"

namespace rnullfs {

class RingLoop {
 public:
  // Made by the thread that runs it, which `mount` outlives.  `fall_back` is told, by another
  // thread, why the ring did not come.
  RingLoop(const FuseMount& mount, std::string mountpoint,
           std::function<void(const std::string&)> fall_back)
      : mount_(mount), mountpoint_(std::move(mountpoint)), fall_back_(std::move(fall_back)) {}

  // Serves until the mount is gone, or End().
  absl::Status Run(unsigned threads);

  // Calls `answering` from a thread of its own when a request has been answered, over a ring or
  // without.  `promised`: the kernel was promised one.  Throws what std::thread does.
  void Watch(bool promised, std::function<void()> answering);

  // Has Run() return soon.  `idle` is called first; then all requests have to be answered.
  void End(absl::FunctionRef<void()> idle);

  // By which way the last StatFs() came: the first one is our own.
  void NoteRequest(bool over_ring) { over_ring_.store(over_ring); }
  bool over_ring() const { return over_ring_.load(); }

  // After Run(): the ring did not come, so that the mount is to be made anew without.
  bool silent() const { return silent_ && !ending_.load(); }

 private:
  void Await(bool promised, const std::function<void()>& answering);
  void Interrupt();

  const FuseMount& mount_;
  const std::string mountpoint_;
  const std::function<void(const std::string&)> fall_back_;
  const pthread_t main_thread_ = pthread_self();
  std::thread watch_;  // Await(), which sets the next two
  bool silent_ = false;
  absl::Status error_;
  std::atomic<bool> over_ring_{false};
  std::atomic<bool> ending_{false};
  std::atomic<bool> finished_{false};  // libfuse's loop has ended
};

}  // namespace rnullfs

#endif  // RNULLFS_FUSE_RING_LOOP_H_
