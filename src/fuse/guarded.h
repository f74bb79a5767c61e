// Operations that fail for want of memory, or of a thread, without taking the process with them.
//
// libfuse is C, through whose frames no exception may pass.  So every operation is entered through
// Guarded<Operation>::Call, which answers ENOMEM or EAGAIN in place of one that throws.  Hence the
// rule for operations: what has answered does not throw.
//
// Thread safety: as of the operation.
#ifndef RNULLFS_FUSE_GUARDED_H_
#define RNULLFS_FUSE_GUARDED_H_

#include <fuse_lowlevel.h>

#include <cerrno>
#include <new>
#include <system_error>

namespace rnullfs {

// For an attempt to answer a request, which returns whether it has: true after a throw.
template <typename Attempt>
bool GuardedAttempt(fuse_req_t request, Attempt attempt) {
  try {
    return attempt();
  } catch (const std::bad_alloc&) {
    fuse_reply_err(request, ENOMEM);
  } catch (const std::system_error&) {
    fuse_reply_err(request, EAGAIN);
  }
  return true;
}

template <auto kOperation>
struct Guarded;

template <typename... Arguments, void (*kOperation)(fuse_req_t, Arguments...)>
struct Guarded<kOperation> {
  static void Call(fuse_req_t request, Arguments... arguments) {
    GuardedAttempt(request, [&] {
      kOperation(request, arguments...);
      return true;
    });
  }
};

}  // namespace rnullfs

#endif  // RNULLFS_FUSE_GUARDED_H_
