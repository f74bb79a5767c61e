// A mount as its guard sees it: /dev/fuse, where somebody waits for an answer whether there is a
// worker or not.
//
// When workers die again and again, it refuses: every request fails with EIO, so that nobody waits
// for ever and it can be unmounted; what is stored stays in memory until then.
//
// Thread safety: none; the guard has one thread.  Allocates nothing but in Unmount().
#ifndef RNULLFS_GUARD_GUARDED_MOUNT_H_
#define RNULLFS_GUARD_GUARDED_MOUNT_H_

#include <string>

#include "guard/descriptors.h"

namespace rnullfs {

class GuardedMount {
 public:
  GuardedMount(const std::string& path, const KeptDescriptors& kept) : path_(path), kept_(kept) {}

  int fuse() const { return kept_.fuse(); }

  // Has the kernel send again what it sent to who died.
  void ResendRequests() const;

  // Both are true while none is held.  What had been handed out is among the requests once it
  // is sent again.
  bool HasRequests() const;
  bool IsUnmounted() const;

  bool refuses() const { return refuses_; }
  void StartRefusing();
  bool StopRefusing();  // whether it did refuse
  // Answers one request, if there is one.  False when the mount is gone.
  bool RefuseRequest() const;

  void Unmount() const;

 private:
  bool Polls(short events) const;

  const std::string& path_;
  const KeptDescriptors& kept_;
  bool refuses_ = false;
};

}  // namespace rnullfs

#endif  // RNULLFS_GUARD_GUARDED_MOUNT_H_
