// Who else holds the memfds of this process: they, and so the disks, outlive it then.
//
// Thread safety: all calls from any thread.
#ifndef RNULLFS_MEMFD_KEEPER_H_
#define RNULLFS_MEMFD_KEEPER_H_

#include "absl/status/status.h"

namespace rnullfs {

class MemfdKeeper {
 public:
  virtual ~MemfdKeeper() = default;

  // From when it returns 0 the file is also held elsewhere, until Drop() of the same file.  An
  // errno when it cannot be: EMFILE when there is no descriptor left for it.
  [[nodiscard]] virtual int Keep(int memfd) = 0;
  virtual void Drop(int memfd) = 0;

  // Holds nothing: what is stored ends with the process.
  static MemfdKeeper& None();
};

// Keep(), with a sentence.
absl::Status KeepElsewhere(MemfdKeeper& keeper, int memfd);

// EMFILE in words: what a user does about it.
absl::Status NoDescriptorLeft();

}  // namespace rnullfs

#endif  // RNULLFS_MEMFD_KEEPER_H_
