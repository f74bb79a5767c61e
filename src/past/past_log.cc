// What is counted is in the log, where there is one.

#include <optional>

#include "base/kill_point.h"
#include "past/past.h"

namespace rnullfs {

uint64_t Past::Count(const LogEntry& what) {
  const uint64_t number = file_->header().sequence.fetch_add(1) + 1;
  KillPoint("counted");
  log_.Add(number, what);
  return number;
}

int Past::SetMark(std::string_view name, uint64_t request, uint64_t& number) {
  const LogEntry what = {.kind = LogEntry::Kind::kMark, .length = name.size()};
  return WithRoom(UINT64_MAX, [&](bool /*history*/) {
    return marks_.Set(
        name, request, [&] { return Count(what); }, number);
  });
}

// None where the last line is such a flush already: what was under way when one came it has not
// covered.
void Past::Settle() {
  const std::optional<LogEntry> last = log_.At(sequence());
  const bool flushed =
      last &&
      (last->jumps() || (last->is_flush() && last->error == 0 && last->unanswered == last->number));
  const bool counts = log_.first() <= log_.last() && log_.on() && !flushed;
  NoteDurable(counts ? Count({.kind = LogEntry::Kind::kFlush}) : sequence());
}

}  // namespace rnullfs
