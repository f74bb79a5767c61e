#include "base/log.h"

#include <syslog.h>

#include <atomic>
#include <cstdio>

#include "base/visible.h"

namespace rnullfs {
namespace {

std::atomic<bool> to_syslog{false};

}  // namespace

// Names that others chose are in it.  No allocation: there may be no memory to speak of.
void Log(std::string_view text) {
  char line[2048];
  const int length = static_cast<int>(VisibleInto(text, line, sizeof line));
  if (to_syslog.load()) {
    syslog(LOG_NOTICE, "%.*s", length, line);
  } else {
    std::fprintf(stderr, "rnullfs: %.*s\n", length, line);
  }
}

void LogToSyslog() {
  openlog("rnullfs", LOG_PID, LOG_DAEMON);
  to_syslog.store(true);
}

}  // namespace rnullfs
