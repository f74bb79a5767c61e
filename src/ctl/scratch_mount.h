// A mount of rnullfs for one command, gone with the object: its directory, and the processes that
// served it.
//
// Thread safety: none.
// Errors: what a command said that failed (EIO); ECANCELED when the user wants no more.
#ifndef RNULLFS_CTL_SCRATCH_MOUNT_H_
#define RNULLFS_CTL_SCRATCH_MOUNT_H_

#include <string>

#include "absl/status/status.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {

// umount(8) for root, else fusermount3.  Who had something open there, as the kernel's loop device,
// may not have closed it yet: it is tried for some seconds.
absl::Status Unmount(const std::string& path);
// Out of sight, and gone when nobody uses it any more.
void UnmountLazily(const std::string& path);

class ScratchMount {
 public:
  ScratchMount() = default;
  ScratchMount(const ScratchMount&) = delete;
  ScratchMount& operator=(const ScratchMount&) = delete;
  ~ScratchMount();

  // `rnullfs` is the program.  It has no disks yet.
  absl::Status Make(const std::string& rnullfs);
  const std::string& path() const { return path_; }
  void Keep() { keep_ = true; }

 private:
  std::string path_;
  UniqueFd guard_;  // the process that ends last
  bool serving_ = false;
  bool keep_ = false;
};

}  // namespace rnullfs

#endif  // RNULLFS_CTL_SCRATCH_MOUNT_H_
