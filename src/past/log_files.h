// The log of a disk's requests in the formats that people have tools for: text, fio's iolog, and
// that of dm-log-writes.
//
// Thread safety, errors: as log_stream.h.
#ifndef RNULLFS_PAST_LOG_FILES_H_
#define RNULLFS_PAST_LOG_FILES_H_

#include <cstdint>
#include <memory>
#include <string>

#include "past/past.h"
#include "rnullfs/view.h"

namespace rnullfs {

struct LogFormat {
  bool finds_fua = false;     // LogCursor's
  int64_t wall_nsec = 0;      // what CLOCK_REALTIME has more than CLOCK_MONOTONIC
  std::string disk = "disk";  // what it is called
};

// A line for each request: number, seconds since 1970, what (read, write, flush, discard, zero,
// mark, rollback, cut), the first of its 512-byte sectors and how many, flags (F: FUA, L: a flush
// that was lost; -: none), errno (0: none), microseconds (-: not answered yet), a mark's name.
std::unique_ptr<View> LogAsText(Past& past, const LogFormat& format);

// fio's version 3, as far as the log goes now.
std::unique_ptr<View> LogAsIolog(Past& past, const LogFormat& format);

// What LogAsWrites() begins behind: the disk was then what its first record is to be written to.
uint64_t BeginOfWrites(const Past& past);

// As Linux's drivers/md/dm-log-writes.c has it, with sectors of 512 bytes: writes, flushes,
// discards and marks.  What is no request, a rollback or a power cut, ends it; one that is opened
// later begins behind that.
std::unique_ptr<View> LogAsWrites(Past& past, const LogFormat& format);

}  // namespace rnullfs

#endif  // RNULLFS_PAST_LOG_FILES_H_
