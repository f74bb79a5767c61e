// One line of the log, without an allocation of ours: the guard makes none.
//
// Thread safety: as Log()'s.
#ifndef RNULLFS_GUARD_SAY_H_
#define RNULLFS_GUARD_SAY_H_

#include <cstdio>

#include "base/log.h"

namespace rnullfs {

template <typename... Arguments>
void Say(const char* format, Arguments... arguments) {
  char line[2048];  // a mountpoint may be long
  std::snprintf(line, sizeof line, format, arguments...);
  Log(line);
}

}  // namespace rnullfs

#endif  // RNULLFS_GUARD_SAY_H_
