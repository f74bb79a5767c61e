// What the program has to say while it runs: to stderr, and to syslog once it is in the background.
//
// Thread safety: Log() from any thread; LogToSyslog() before threads that log.
#ifndef RNULLFS_BASE_LOG_H_
#define RNULLFS_BASE_LOG_H_

#include <string_view>

namespace rnullfs {

// One line, without its newline; it is shown behind "rnullfs: ".
void Log(std::string_view line);

// From here on lines go to syslog, because stderr leads nowhere.
void LogToSyslog();

}  // namespace rnullfs

#endif  // RNULLFS_BASE_LOG_H_
