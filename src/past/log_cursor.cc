#include "past/log_cursor.h"

#include <utility>

namespace rnullfs {

// The first line from `number` on, which is moved there.
std::optional<LogEntry> LogCursor::Look(uint64_t& number) const {
  for (; number <= log_->last(); ++number) {
    std::optional<LogEntry> entry = log_->At(number);
    if (!entry || entry->kind != LogEntry::Kind::kNothing) return entry;
  }
  return std::nullopt;
}

std::optional<LogEntry> LogCursor::Next() {
  for (;;) {
    std::optional<LogEntry> entry = Look(next_);
    if (!entry) return std::nullopt;
    const bool write = entry->kind == LogEntry::Kind::kWrite && entry->changes_range();
    if (finds_fua_ && flushed_ && write) {
      const std::optional<bool> fua = IsFua(*entry);
      if (!fua) return std::nullopt;
      if (*fua) entry->flags |= LogEntry::kFua;
    }
    ++next_;
    if (entry->kind != LogEntry::Kind::kRead) {
      flushed_ = entry->is_flush() || (flushed_ && (entry->flags & LogEntry::kFua) != 0);
    }
    if (entry->number != left_out_) return entry;
    left_out_ = 0;
  }
}

// Nothing while that is not known.
std::optional<bool> LogCursor::IsFua(const LogEntry& write) {
  uint64_t number = write.number + 1;
  std::optional<LogEntry> behind = Look(number);
  while (behind && behind->kind == LogEntry::Kind::kRead) behind = Look(++number);
  if (!behind) return std::nullopt;
  // What the flush had found stays so; the write's own answer may still come.
  if (!behind->is_flush() || write.number >= behind->unanswered) return false;
  left_out_ = behind->number;
  return true;
}

}  // namespace rnullfs
