// rnullctl crash-check: whether all that a power cut could have left of a disk recovers.
//
// Thread safety: none.
#ifndef RNULLFS_CTL_CRASH_CHECK_H_
#define RNULLFS_CTL_CRASH_CHECK_H_

#include <string>

namespace rnullfs {

struct CrashCheckOptions {
  std::string disk;  // a device's directory
  std::string from;
  std::string to;
  std::string state;  // CUT/NAME: that one alone
  std::string recover;
  std::string check;
  std::string acked;
  std::string explain;
  std::string atomic;
  unsigned jobs = 0;
  unsigned depth = 1;
  unsigned budget_s = 600;
  unsigned timeout_s = 60;
  bool json = false;
  bool first = false;   // end at the first failure
  bool remove = false;  // from scratch: nothing stays
  // From scratch:
  std::string mkfs;
  std::string mount_options;
  std::string size = "64M";
  std::string block_size = "4096";
  std::string run;
  std::string rnullfs;  // the program
};

// The program's exit status: CrashReport::status(), 2 where nothing could be judged.
int CrashCheck(CrashCheckOptions options);

}  // namespace rnullfs

#endif  // RNULLFS_CTL_CRASH_CHECK_H_
