// A process that serves a file system to the test, wired as src/main.cc does it; a socket stands in
// for /dev/fuse.  A process of its own can be sent signals, can end, and shows when it crashes.
//
// Thread safety: none; it must be made while the test has one thread only.
#ifndef RNULLFS_TESTS_FUSE_SERVED_SESSION_H_
#define RNULLFS_TESTS_FUSE_SERVED_SESSION_H_

#include <sys/types.h>

#include <string>
#include <utility>

#include "rnullfs/unique_fd.h"
#include "tree/device_directory.h"

namespace rnullfs {

class ServedSession {
 public:
  // `sections`: what the devices have.
  explicit ServedSession(Sections sections = DeviceSections());
  ~ServedSession();  // kills it if it still runs
  ServedSession(const ServedSession&) = delete;
  ServedSession& operator=(const ServedSession&) = delete;

  // The connection's other end.
  UniqueFd TakeKernelEnd() { return std::move(kernel_end_); }

  void Signal(int signal) const;
  bool Running();

  // Waits until it has ended: the errno of Session::Serve(), 0 for OK, or what a sanitizer exits
  // with; negative for the signal that killed it.
  int Wait();

  // What it has written to stderr.
  std::string Log() const;

 private:
  bool Reap(int flags);

  UniqueFd kernel_end_;
  UniqueFd log_;
  pid_t pid_ = -1;
  bool ended_ = false;
  int status_ = 0;
};

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_FUSE_SERVED_SESSION_H_
