// A log that dm-log-writes has written, or a disk of ours (log_files.h), as what a disk is to go
// through: its requests, in order.  What the disk was before that is not in it: zeros.
//
// Thread safety: all calls from any thread; ReplayTo() is as what it changes.
// Units: bytes.
// Errors: EINVAL for what such a log does not have, EIO for a file that has changed since it was
// opened, ENOSPC; with a sentence.
#ifndef RNULLFS_PAST_WRITTEN_LOG_H_
#define RNULLFS_PAST_WRITTEN_LOG_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "past/file_view.h"
#include "past/past.h"
#include "past/written_record.h"
#include "rnullfs/clock.h"

namespace rnullfs {

class WrittenLog {
 public:
  // Whether it begins as one.
  static bool IsOne(FileView& file);

  // Reads all of it but the data.  `name` is for sentences.
  static absl::StatusOr<std::shared_ptr<WrittenLog>> Open(std::string name,
                                                          std::shared_ptr<FileView> file);
  // As another process had opened it.
  WrittenLog(std::string name, std::shared_ptr<FileView> file)
      : name_(std::move(name)), file_(std::move(file)) {}

  // What a disk has to be that goes through it.
  struct Needs {
    uint64_t size_bytes = 0;   // where the last ends of what it changes
    uint32_t block_bytes = 0;  // its sectors
    uint64_t history_bytes = 0;
  };
  // Of one that has been read.
  const Needs& needs() const { return needs_; }

  // Does all of it, as requests each of which has been answered when the next comes.  EINVAL for a
  // disk that is smaller.
  absl::Status ReplayTo(Past& past, const Clock& clock) const;

  const FileView& file() const { return *file_; }

 private:
  struct Place {
    uint64_t number;  // of a record, from 0
    uint64_t at;      // in the file
    uint32_t sector_bytes;
    uint64_t data() const { return at + sector_bytes; }
  };
  using Each = absl::FunctionRef<absl::Status(const Place&, const WrittenRecord&)>;

  absl::Status Look();
  absl::Status Wrong(std::string_view what) const;
  absl::Status Read(uint64_t offset, uint64_t length, View::Sink sink) const;
  template <typename T>
  absl::Status ReadAs(uint64_t offset, T& to) const;
  absl::StatusOr<WrittenHead> ReadHead() const;
  absl::Status CheckRecord(const Place& place, const WrittenRecord& record) const;
  absl::Status ForEach(Each each) const;
  absl::Status Done(int error) const;
  absl::Status Write(const Place& place, const WrittenRecord& record, Past& past) const;
  absl::Status Replay(const Place& place, const WrittenRecord& record, Past& past,
                      const Clock& clock) const;

  const std::string name_;
  const std::shared_ptr<FileView> file_;
  Needs needs_;
};

}  // namespace rnullfs

#endif  // RNULLFS_PAST_WRITTEN_LOG_H_
