// ctrl-C and its like, as what one can ask and wait for: work ends where it is, and what is known
// is told.
//
// Thread safety: all but Install() from any thread.
#ifndef RNULLFS_CTL_INTERRUPT_H_
#define RNULLFS_CTL_INTERRUPT_H_

namespace rnullfs {

class Interrupt {
 public:
  // SIGINT, SIGTERM and SIGHUP are heard from here on.  Once, before there are threads.
  static void Install();
  static bool happened();
  // Readable from then on.
  static int fd();
};

}  // namespace rnullfs

#endif  // RNULLFS_CTL_INTERRUPT_H_
