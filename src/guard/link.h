// What a worker and its guard say to each other: the worker asks to hold descriptors, to drop them,
// and says that it is ready.  The guard never answers: what has been sent is in its socket, and is
// read before it does anything about a worker's death.
//
// A file is known by its inode number: descriptors' numbers differ between processes.
// Thread safety: GuardLink from any thread.
#ifndef RNULLFS_GUARD_LINK_H_
#define RNULLFS_GUARD_LINK_H_

#include <sys/types.h>

#include <cstdint>

#include "absl/status/status.h"
#include "rnullfs/memfd_keeper.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {

struct GuardMessage {
  enum class Kind : uint32_t { kKeep, kDrop, kReady } kind;
  uint64_t inode = 0;  // kDrop
};

// The worker's end.
class GuardLink : public MemfdKeeper {
 public:
  explicit GuardLink(UniqueFd channel) : channel_(std::move(channel)) {}

  void Keep(int fd) override;
  void Drop(int fd) override;

  // The mount is served from here on; until then a worker's end is the mount's.
  void Ready();

 private:
  void Send(const GuardMessage& message, int fd);
  const UniqueFd channel_;
};

// The guard's end: the next message, waiting for it if `wait`, and the descriptor it carries. False
// when there is none.
bool ReceiveGuardMessage(int channel, bool wait, GuardMessage& message, UniqueFd& fd);

}  // namespace rnullfs

#endif  // RNULLFS_GUARD_LINK_H_
