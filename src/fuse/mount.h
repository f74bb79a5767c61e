// libfuse's session and its mount: made by us, by the process before us, or by who called us.
//
// Thread safety: fd() and session() from any thread while there is a mount; all else is the main
// thread's.
// Errors: a Status whose sentence is for stderr.
#ifndef RNULLFS_FUSE_MOUNT_H_
#define RNULLFS_FUSE_MOUNT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "command_line/mount_options.h"

struct fuse_lowlevel_ops;
struct fuse_session;

namespace rnullfs {

class FuseMount {
 public:
  // `fuse_fd`: of /dev/fuse, when the process before us has made the mount; else -1.
  FuseMount(const MountOptions& options, int fuse_fd, bool allow_other)
      : options_(options), fuse_fd_(fuse_fd), allow_other_(allow_other) {}
  ~FuseMount();  // unmounts
  FuseMount(const FuseMount&) = delete;
  FuseMount& operator=(const FuseMount&) = delete;

  // Mounts at the options' mountpoint, or goes on with the mount that is there.  The operations'
  // user data is `userdata`; `ring`: libfuse is to ask for FUSE over io_uring.
  absl::Status Make(const fuse_lowlevel_ops& operations, void* userdata, bool ring);

  // Unless another mount lies over ours.  May be called again.
  void Unmount();

  // Gives up a mount that was made just now, for another one to be made.
  void Discard();

  // Whether the process before us has made it: then its requests go on.
  bool inherited() const { return fuse_fd_ >= 0; }
  int inherited_fd() const { return fuse_fd_; }
  fuse_session* session() const { return session_; }
  int fd() const;

 private:
  std::vector<std::string> Flags(bool ring) const;

  const MountOptions& options_;
  const int fuse_fd_;
  const bool allow_other_;
  fuse_session* session_ = nullptr;  // null: not mounted
};

}  // namespace rnullfs

#endif  // RNULLFS_FUSE_MOUNT_H_
