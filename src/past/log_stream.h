// The log of a disk's requests as a file in some format: a head, and a record for each line, one
// behind the other.  It grows while it is read.
//
// Where a record lies follows from all that are before it.  So that whoever reads on need not begin
// at the start, the place of some is remembered.
//
// Thread safety: all calls from any thread.  The past outlives it.
// Errors: ESTALE when the history has forgotten what is to be read; ENOMEM.
#ifndef RNULLFS_PAST_LOG_STREAM_H_
#define RNULLFS_PAST_LOG_STREAM_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "past/log_cursor.h"
#include "past/past.h"
#include "rnullfs/mutex.h"
#include "rnullfs/view.h"

namespace rnullfs {

class LogStream : public View {
 public:
  // From the number on, up to `last`.
  LogStream(Past& past, uint64_t from, bool finds_fua, uint64_t last = UINT64_MAX);

  int Read(uint64_t offset, uint64_t length, Sink sink) final;
  uint64_t NextData(uint64_t offset) const final { return offset; }
  uint64_t NextHole(uint64_t /*offset*/) const final { return size_bytes(); }
  // As far as the log goes now.
  uint64_t size_bytes() const final;

 protected:
  Past& past() const { return past_; }
  uint64_t from() const { return from_; }

 private:
  // The head, after `records` of which there are some; always as long.
  virtual std::string Head(uint64_t records) const = 0;
  virtual std::string Tail() const { return {}; }  // once it is known to end
  // Whether the log goes on behind the line.
  virtual bool EndsAt(const LogEntry& /*entry*/) const { return false; }
  // How long a line's record is, 0 for none, and [begin, end) of it.
  virtual uint64_t LengthOf(const LogEntry& entry) const = 0;
  virtual int Copy(const LogEntry& entry, uint64_t begin, uint64_t end, char* to) const = 0;

  static constexpr uint64_t kRecordsPerPlace = 64;
  struct Place {
    LogCursor cursor;  // in front of it
    uint64_t offset;
  };
  std::optional<LogEntry> Next(LogCursor& cursor) const;
  void GoOn() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int CopyRecords(uint64_t begin, uint64_t end, char* to) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Past& past_;
  const uint64_t from_;
  const uint64_t last_;
  mutable Mutex mutex_;
  mutable std::vector<Place> places_ ABSL_GUARDED_BY(mutex_);
  mutable LogCursor end_ ABSL_GUARDED_BY(mutex_);
  mutable uint64_t end_offset_ ABSL_GUARDED_BY(mutex_) = 0;
  mutable uint64_t records_ ABSL_GUARDED_BY(mutex_) = 0;
  mutable bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace rnullfs

#endif  // RNULLFS_PAST_LOG_STREAM_H_
