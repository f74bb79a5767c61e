#include "base/kill_point.h"

#ifdef RNULLFS_KILL_POINTS
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace rnullfs {

// No allocation: a point may be where a lock is held or memory is out.
void KillPoint(const char* name) {
  static const char* const directory = std::getenv("RNULLFS_KILL_POINTS");
  if (directory == nullptr) return;
  char path[4096];
  std::snprintf(path, sizeof path, "%s/%s", directory, name);
  if (unlink(path) == 0) kill(getpid(), SIGKILL);
}

}  // namespace rnullfs
#endif
