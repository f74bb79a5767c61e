#include "past/log_stream.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <new>
#include <optional>

namespace rnullfs {

LogStream::LogStream(Past& past, uint64_t from, bool finds_fua, uint64_t last)
    : past_(past), from_(from), last_(last), end_(past.log(), from, finds_fua) {}

std::optional<LogEntry> LogStream::Next(LogCursor& cursor) const {
  std::optional<LogEntry> entry = cursor.Next();
  if (!entry || entry->number > last_ || EndsAt(*entry)) return std::nullopt;
  return entry;
}

// Offsets of records are those in the file, without the head.
void LogStream::GoOn() const {
  while (!ended_) {
    LogCursor cursor = end_;
    const std::optional<LogEntry> entry = Next(cursor);
    if (!entry) break;
    const uint64_t length = LengthOf(*entry);
    if (length > 0 && records_ % kRecordsPerPlace == 0) places_.push_back({end_, end_offset_});
    end_ = cursor;
    end_offset_ += length;
    if (length > 0) ++records_;
  }
  if (last_ != UINT64_MAX) ended_ = true;
}

uint64_t LogStream::size_bytes() const {
  const LockGuard lock(mutex_);
  GoOn();
  return Head(0).size() + end_offset_ + (ended_ ? Tail().size() : 0);
}

int LogStream::Read(uint64_t offset, uint64_t length, Sink sink) {
  const std::unique_ptr<char[]> bytes(new (std::nothrow) char[length + 1]);
  if (bytes == nullptr) return ENOMEM;
  {
    const LockGuard lock(mutex_);
    GoOn();
    if (!ended_ && end_.forgotten()) return ESTALE;  // it will never go on
    const std::string head = Head(records_);
    const std::string tail = ended_ ? Tail() : "";
    const uint64_t end = offset + length;
    const uint64_t records_begin = head.size();
    const uint64_t records_end = records_begin + end_offset_;
    const auto copy_text = [&](const std::string& text, uint64_t place) {
      const uint64_t from = std::max(offset, place);
      const uint64_t to = std::min(end, place + text.size());
      if (from < to) text.copy(bytes.get() + (from - offset), to - from, from - place);
    };
    copy_text(head, 0);
    const uint64_t from = std::max(offset, records_begin);
    const uint64_t to = std::min(end, records_end);
    if (from < to) {
      const int error =
          CopyRecords(from - records_begin, to - records_begin, bytes.get() + (from - offset));
      if (error != 0) return error;
    }
    copy_text(tail, records_end);
  }
  const iovec all = {.iov_base = bytes.get(), .iov_len = length};
  sink(length == 0 ? absl::Span<const iovec>() : absl::Span<const iovec>(&all, 1));
  return 0;
}

int LogStream::CopyRecords(uint64_t begin, uint64_t end, char* to) const {
  const auto behind =
      std::upper_bound(places_.begin(), places_.end(), begin,
                       [](uint64_t offset, const Place& place) { return offset < place.offset; });
  LogCursor cursor = std::prev(behind)->cursor;
  uint64_t offset = std::prev(behind)->offset;
  while (offset < end) {
    const std::optional<LogEntry> entry = Next(cursor);
    if (!entry) return ESTALE;
    const uint64_t length = LengthOf(*entry);
    const uint64_t from = std::max(begin, offset);
    const uint64_t until = std::min(end, offset + length);
    if (from < until) {
      const int error = Copy(*entry, from - offset, until - offset, to + (from - begin));
      if (error != 0) return error;
    }
    offset += length;
  }
  return 0;
}

}  // namespace rnullfs
