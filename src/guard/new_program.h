// The program that an upgrade goes on with: what is at the guard's path now, looked at once.
//
// One descriptor serves all that is done with it, so that what has been looked at is what is asked
// and what is started, whatever comes to be at that path meanwhile.
//
// Thread safety: none; the guard has one thread.
#ifndef RNULLFS_GUARD_NEW_PROGRAM_H_
#define RNULLFS_GUARD_NEW_PROGRAM_H_

#include <sys/types.h>

#include <string>

#include "guard/descriptors.h"
#include "guard/handover.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {

class NewProgram {
 public:
  // `argv`: main's, for it as well.  It gets what is kept.
  NewProgram(const std::string& path, char** argv, const KeptDescriptors& kept);

  // False, with a line in the log, when there is none or it is not to be started.
  bool Open();
  void Close();

  // Has a child run it, to say whether it understands `argv` and what the worker has saved: the
  // child, or -1 when there can be none.
  pid_t Ask(const std::string& mountpoint);
  // The child has ended: whether its answer is yes.
  bool HasAgreed(int status);

  // This process becomes it, with handover.descriptor.  Returns when it cannot: an errno.
  int Execute(const Handover& handover) const;

 private:
  bool IsForeign() const;

  const std::string& path_;
  char** const argv_;
  const KeptDescriptors& kept_;
  uid_t owner_ = 0;  // of the program that runs
  UniqueFd file_;
  UniqueFd answer_;
  std::string token_;
};

}  // namespace rnullfs

#endif  // RNULLFS_GUARD_NEW_PROGRAM_H_
