// Who asks for something that is done with his rights.
#ifndef RNULLFS_REQUESTER_H_
#define RNULLFS_REQUESTER_H_

#include <sys/types.h>

namespace rnullfs {

// The process (or thread), which waits for the answer, and whose groups and root directory are
// meant; 0: this one; negative: one that cannot be seen from here, which has the user's rights but
// no files.
struct Requester {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};

}  // namespace rnullfs

#endif  // RNULLFS_REQUESTER_H_
