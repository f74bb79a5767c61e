// Requests that wait for a disk to be closed, without keeping a thread.
//
// FUSE tells us of a close (RELEASE) after close(2) has returned, so a program that closes a disk
// and switches it off asks before we know.  A thread that waited would be one fewer to hear of the
// close: when as many are switched off at once as there are threads, nobody would hear it.  So such
// a request is parked, and attempted again when a disk of its device is closed, every now and then
// (not everything that lets go of a disk tells us), and for the last time when its patience ends
// and all that had been received by then has been dealt with: the close may be among that, in the
// hands of a thread that has no processor.
//
// Not for requests that came through a ring: its own thread must answer them (ring.h).
//
// Thread safety: all calls from any thread, but for Start() and Stop(), which are the session's.
#ifndef RNULLFS_FUSE_PARKING_H_
#define RNULLFS_FUSE_PARKING_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <set>
#include <thread>

#include "absl/status/status.h"
#include "fuse/turns.h"
#include "rnullfs/mutex.h"
#include "tree/device_node.h"

namespace rnullfs {

// How long a request waits for a close that FUSE has not told us of yet: `losetup -d ...; echo 0 >
// power` would fail now and then if the first look decided.
inline constexpr std::chrono::milliseconds kCloseGrace(200);

class Parking {
 public:
  // Answers the request and returns true; or, with IfOpen::kAgain, returns false while it has to
  // wait.  Called by one thread at a time, not by the one that received the request.  Does not
  // throw (GuardedAttempt()).
  using Attempt = std::function<bool(IfOpen)>;

  Parking() = default;
  ~Parking() { Stop(); }
  Parking(const Parking&) = delete;
  Parking& operator=(const Parking&) = delete;

  // `turns`, which outlives it, are of who receives requests from `fuse`.  EAGAIN, with a sentence,
  // when no thread can be had.
  absl::Status Start(Turns& turns, int fuse) ABSL_LOCKS_EXCLUDED(mutex_);

  // Answers what is parked, and parks nothing any more.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  // For a request about a device, by its id: attempted from now on until `patience` ends.
  void Park(uint64_t device_id, std::chrono::milliseconds patience, Attempt attempt)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // An open of the device's disk has gone.
  void NoteClose(uint64_t device_id) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Parked {
    uint64_t device_id;
    uint64_t request;  // ReceiveLoop::CurrentRequest()
    int64_t deadline_nsec;
    Attempt attempt;
    uint64_t moment = 0;  // when that was over (Turns); 0: not yet
  };

  bool IsLast(Parked& parked);
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);

  Turns* turns_ = nullptr;
  int fuse_ = -1;
  std::thread thread_;
  Mutex mutex_;
  std::condition_variable_any stirred_;
  std::list<Parked> arrived_ ABSL_GUARDED_BY(mutex_);
  std::set<uint64_t> closed_ ABSL_GUARDED_BY(mutex_);  // devices to attend to
  size_t parked_ ABSL_GUARDED_BY(mutex_) = 0;          // with those that the thread looks at
  bool stopping_ ABSL_GUARDED_BY(mutex_) = true;
};

}  // namespace rnullfs

#endif  // RNULLFS_FUSE_PARKING_H_
