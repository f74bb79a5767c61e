// Goes through the log of a disk's requests, in the order in which they were counted: that in which
// they took effect where they touch the same page.
//
// A lone write that a flush follows at once is, if so wanted, one with FUA, and the flush is left
// out: that is what a loop device, which knows no FUA, has made of it.  Lone is a write that comes
// behind a flush, so that nothing else was left to be flushed.
//
// Thread safety: as of a plain value.
#ifndef RNULLFS_PAST_LOG_CURSOR_H_
#define RNULLFS_PAST_LOG_CURSOR_H_

#include <cstdint>
#include <optional>

#include "past/request_log.h"

namespace rnullfs {

class LogCursor {
 public:
  // From the number on.
  LogCursor(const RequestLog& log, uint64_t from, bool finds_fua)
      : log_(&log), next_(from), finds_fua_(finds_fua) {}

  // The next line; nothing while there is none yet, or when it has been forgotten.
  std::optional<LogEntry> Next();
  bool forgotten() const { return next_ < log_->first(); }

 private:
  std::optional<LogEntry> Look(uint64_t& number) const;
  std::optional<bool> IsFua(const LogEntry& write);

  const RequestLog* log_;
  uint64_t next_;
  bool finds_fua_;
  bool flushed_ = false;   // nothing but reads since a flush
  uint64_t left_out_ = 0;  // a flush
};

}  // namespace rnullfs

#endif  // RNULLFS_PAST_LOG_CURSOR_H_
