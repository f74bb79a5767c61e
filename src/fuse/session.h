// One mount: from the command line's options to the last request.
//
// Thread safety: Serve() runs the threads that serve; StatusText() from any of them.  Construction,
// Mount() and destruction are the main thread's.
// Errors: a Status whose sentence is for stderr.
#ifndef RNULLFS_FUSE_SESSION_H_
#define RNULLFS_FUSE_SESSION_H_

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "base/pressure.h"
#include "command_line/mount_options.h"
#include "fuse/mount.h"
#include "fuse/parking.h"
#include "fuse/receive_loop.h"
#include "fuse/ring_loop.h"
#include "fuse/signals.h"
#include "fuse/text_handles.h"
#include "rnullfs/memory_limit.h"
#include "rnullfs/mutex.h"
#include "tree/huge_page_keeper.h"
#include "tree/recaller.h"
#include "tree/survival.h"

struct fuse_conn_info;

namespace rnullfs {

// The part of a mount's life that lies outside this process.
struct Heritage {
  pid_t guard_pid = 0;            // 0: no guard
  Survival* survival = nullptr;   // what outlives us; null without a guard
  unsigned replaced = 0;          // how many workers there were before us,
  std::string replaced_why = {};  // and what became of the last
  int fuse_fd = -1;               // of /dev/fuse, when the mount has been made; the session's then
  Pressure pressure = {};
};

class Session {
 public:
  // `heritage`: what other processes did and do for this mount.
  Session(const MountOptions& options, MemoryLimit& memory, Heritage heritage = {});
  ~Session() = default;  // unmounts if Serve() did not
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Mounts `tree` (which outlives the session) at the options' mountpoint, or goes on with the
  // mount that is there.
  absl::Status Mount(Tree& tree);

  // What Serve() tells its caller.
  struct Hooks {
    // The kernel has accepted the mount, and no request has come yet.  An error ends the session
    // and is returned.  Called again when a ring fails and the mount is made without.
    std::function<absl::Status()> ready;
    // The mount answers requests.
    std::function<void()> answering;
    // A request has been answered; called a few times.
    std::function<void()> served = [] {};
    // A signal has asked for the end, which waits for disks.
    std::function<void()> ending = [] {};
    // No more requests will come; the session goes when this has returned, and all answers have to
    // be given by then.  Over a ring it may be called twice.
    std::function<void()> idle;
  };

  // Serves until the mount is gone: unmounted by a user, or by SIGTERM or SIGINT.  A signal waits
  // for disks that are in use, naming them; a second one does not.
  absl::Status Serve(Hooks hooks);

  // StatFs() says by which way a request came.
  void NoteTransport(bool ring) {
    if (ring_ != nullptr) ring_->NoteRequest(ring);
  }

  // Why this mount can have no passthrough; empty when it can.
  std::string passthrough_obstacle() const;
  bool over_ring() const;

  // The text of status.json.
  std::string StatusText() const;

  Tree& tree() const { return *tree_; }
  MemoryLimit& memory() const { return memory_; }
  int fuse_fd() const { return mount_.fd(); }
  HugePageKeeper& huge_pages() { return huge_pages_; }
  TextHandles& text_handles() { return text_handles_; }
  Parking& parking() { return parking_; }

 private:
  // What is in use, known from the kernel's first request on.
  struct Negotiated {
    unsigned protocol_major = 0;
    unsigned protocol_minor = 0;
    std::vector<std::string> capabilities;
    std::string passthrough_obstacle = "the kernel has not answered yet";
  };

  bool ChooseRing();
  void FallBack(const std::string& why);
  static void Init(void* userdata, fuse_conn_info* connection);
  void Negotiate(fuse_conn_info* connection);
  absl::Status Attach(bool ring);
  absl::Status Loop();
  absl::Status Receive();
  void GoOn();
  void End();

  const MountOptions options_;
  MemoryLimit& memory_;
  const bool allow_other_;
  const Heritage heritage_;
  Signals signals_;  // first of what has threads
  Tree* tree_ = nullptr;
  FuseMount mount_;
  std::unique_ptr<ReceiveLoop> loop_;  // one of the two serves, the other is null
  std::unique_ptr<RingLoop> ring_;
  HugePageKeeper huge_pages_;
  Recaller recaller_;
  TextHandles text_handles_;
  Parking parking_;
  Hooks hooks_;

  mutable Mutex mutex_;
  Negotiated negotiated_ ABSL_GUARDED_BY(mutex_);
  std::string transport_why_ ABSL_GUARDED_BY(mutex_);  // for status.json
  absl::Status not_ready_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rnullfs

#endif  // RNULLFS_FUSE_SESSION_H_
