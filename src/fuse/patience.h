// How long a request may go unanswered.
//
// Thread safety: a pure function of the system's settings.
#ifndef RNULLFS_FUSE_PATIENCE_H_
#define RNULLFS_FUSE_PATIENCE_H_

#include <cstdint>

namespace rnullfs {

// Nanoseconds, half of what the kernel (fs.fuse.default_request_timeout and max_request_timeout,
// Linux 6.14) would abort the whole mount after; INT64_MAX where it waits for ever.
int64_t PatienceNsec();

}  // namespace rnullfs

#endif  // RNULLFS_FUSE_PATIENCE_H_
