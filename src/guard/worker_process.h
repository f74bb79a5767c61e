// The process that serves, as its guard sees it: how it is started, what it says of itself (link.h)
// and what it is told.
//
// Thread safety: none; the guard has one thread.  Allocates nothing.
#ifndef RNULLFS_GUARD_WORKER_PROCESS_H_
#define RNULLFS_GUARD_WORKER_PROCESS_H_

#include <sys/types.h>

#include <utility>

#include "guard/descriptors.h"
#include "guard/link.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {

// How a process has ended, by waitpid(2)'s status: "signal 9 (Killed)".
using EndText = char[64];
void DescribeEnd(int status, EndText& text);

class WorkerProcess {
 public:
  // One of the guard before, which has proved itself.
  void Adopt(pid_t pid, UniqueFd channel);

  // As fork(2), with a channel between the two.  The next one's is made as well, while there are
  // descriptors: they may all be gone when it is needed.
  pid_t Fork();
  // False, with errno, when there can be none.
  bool HasNextChannel();
  // In the child: its end, for it to close.
  int ReleaseChannel() { return channel_.Release(); }

  bool lives() const { return pid_ > 0; }
  pid_t pid() const { return pid_; }
  int channel() const { return channel_.get(); }

  // Of this one, or of the last when there is none.
  bool is_ready() const { return ready_; }
  bool has_served() const { return served_; }
  bool was_told() const { return told_; }  // that the mount is to end

  // What it says next, without waiting; false when that is nothing.  What it asks to be held or
  // dropped is.
  bool TakeMessage(KeptDescriptors& kept, GuardMessage::Kind& said);
  void CloseChannel() { channel_.Reset(); }

  // Not to one that is dead: its number may be another's.
  void Tell(int signal);
  void Kill() const;

  // It has ended: what it was.  Its messages are still to be read.
  pid_t Bury() { return std::exchange(pid_, -1); }

 private:
  pid_t pid_ = -1;
  UniqueFd channel_;
  UniqueFd next_;
  UniqueFd next_theirs_;
  bool ready_ = false;
  bool served_ = false;
  bool told_ = false;
};

}  // namespace rnullfs

#endif  // RNULLFS_GUARD_WORKER_PROCESS_H_
