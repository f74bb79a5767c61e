#include "base/log.h"

#include <syslog.h>

#include <atomic>
#include <cstdio>
#include <string>

#include "base/visible.h"

namespace rnullfs {
namespace {

std::atomic<bool> to_syslog{false};

}  // namespace

void Log(std::string_view text) {
  const std::string line = Visible(text);  // names that others chose are in it
  const int length = static_cast<int>(line.size());
  if (to_syslog.load()) {
    syslog(LOG_NOTICE, "%.*s", length, line.data());
  } else {
    std::fprintf(stderr, "rnullfs: %.*s\n", length, line.data());
  }
}

void LogToSyslog() {
  openlog("rnullfs", LOG_PID, LOG_DAEMON);
  to_syslog.store(true);
}

}  // namespace rnullfs
