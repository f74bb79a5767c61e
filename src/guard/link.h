// What a worker and its guard say to each other: the worker asks to hold descriptors, to drop them,
// and says how far it has come.  Only what it asks to be held is answered.  All else is in the
// guard's socket, and is read before the guard does anything about the worker's death.
//
// Thread safety: GuardLink from any thread.
// Errors: errno ints.  A guard that is gone is none: the worker serves on without.
#ifndef RNULLFS_GUARD_LINK_H_
#define RNULLFS_GUARD_LINK_H_

#include <sys/types.h>

#include <atomic>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "guard/descriptors.h"
#include "rnullfs/memfd_keeper.h"
#include "rnullfs/mutex.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {

// An upgrade's worker speaks to the guard of the version before: what is here stays as it is.
struct GuardMessage {
  enum class Kind : uint32_t { kKeep, kDrop, kReady, kServed, kEnding, kKept } kind;
  int32_t error = 0;  // kKept: 0, or why it is not
  FileId file = {};   // kKeep, kDrop, kKept
};

// The worker's end; where there is no guard, without a channel: then nobody is told, and nothing
// can be kept.
class GuardLink : public MemfdKeeper {
 public:
  explicit GuardLink(UniqueFd channel);

  // Waits for the guard's word, up to ten seconds (ETIMEDOUT).
  int Keep(int fd) override ABSL_LOCKS_EXCLUDED(asking_);
  void Drop(int fd) override;

  // The mount is served from here on; until then a worker's end is the mount's.
  void Ready();

  // A request has been answered: this worker does not die of what it has taken over.  Said once.
  void Served();

  // The mount is to end when its disks are closed.
  void Ending();

 private:
  int Send(const GuardMessage& message, int fd);
  int AwaitKept(const FileId& file) ABSL_EXCLUSIVE_LOCKS_REQUIRED(asking_);

  const UniqueFd channel_;
  std::atomic<bool> served_{false};
  Mutex asking_;  // one answer at a time
};

// The guard's end: the next message, without waiting, and the descriptor it carries, invalid where
// this process can have no other.  False when there is none.
bool ReceiveGuardMessage(int channel, GuardMessage& message, UniqueFd& fd);
void AnswerKeep(int channel, const FileId& file, int error);

}  // namespace rnullfs

#endif  // RNULLFS_GUARD_LINK_H_
