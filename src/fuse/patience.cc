#include "fuse/patience.h"

#include <algorithm>
#include <fstream>

namespace rnullfs {

int64_t PatienceNsec() {
  int64_t patience_nsec = INT64_MAX;
  for (const char* file :
       {"/proc/sys/fs/fuse/default_request_timeout", "/proc/sys/fs/fuse/max_request_timeout"}) {
    int64_t seconds = 0;
    std::ifstream(file) >> seconds;
    if (seconds > 0) patience_nsec = std::min(patience_nsec, seconds * 1'000'000'000 / 2);
  }
  return patience_nsec;
}

}  // namespace rnullfs
