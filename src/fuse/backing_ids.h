// The kernel's numbers for the files that it serves by itself, when a process that had got them is
// gone.
//
// Between getting a number and noting it, and between noting that nobody needs it and giving it
// back, a process may die.  The kernel would then keep the file, a disk's memory, until the mount
// ends.  It gives numbers in ascending order (idr_alloc_cyclic() in fs/fuse/backing.c), and only a
// few requests can be under way at once.
//
// Thread safety: none needed; before the first request is served.
#ifndef RNULLFS_FUSE_BACKING_IDS_H_
#define RNULLFS_FUSE_BACKING_IDS_H_

#include <set>

#include "absl/functional/function_ref.h"

namespace rnullfs {

// Gives a number back, 0 is none, to the kernel at the other end of /dev/fuse.
void CloseBacking(int fuse_fd, int backing_id);

// How far below the next number a stray one is looked for.
inline constexpr int kStrayBackingsMax = 1024;

// Gives back each of the newest numbers that is not in `used`; what nobody has is no loss.  `open`
// gets a number, 0 where that is not possible.
void ForgetStrayBackings(const std::set<int>& used, absl::FunctionRef<int()> open,
                         absl::FunctionRef<void(int)> close);

// The same with the kernel at the other end of /dev/fuse; and gives `retired` back.
void ForgetStrayBackings(int fuse_fd, const std::set<int>& used, const std::set<int>& retired);

}  // namespace rnullfs

#endif  // RNULLFS_FUSE_BACKING_IDS_H_
