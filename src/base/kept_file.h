// Files of the machine that a guard keeps, as it does memfds.  It tells by a descriptor alone what
// that is: a memfd by its name; a file by the signal of F_SETSIG, which nobody sends, and which
// goes with the open file to other processes.
//
// Thread safety: pure functions.
#ifndef RNULLFS_BASE_KEPT_FILE_H_
#define RNULLFS_BASE_KEPT_FILE_H_

#include <fcntl.h>

namespace rnullfs {

inline constexpr int kKeptFileSignal = 61;

// False, with errno, when that cannot be.
inline bool MarkAsKept(int fd) { return fcntl(fd, F_SETSIG, kKeptFileSignal) == 0; }
inline bool IsKeptFile(int fd) { return fcntl(fd, F_GETSIG) == kKeptFileSignal; }

}  // namespace rnullfs

#endif  // RNULLFS_BASE_KEPT_FILE_H_
