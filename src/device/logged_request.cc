#include "device/logged_request.h"

#include "rnullfs/rcu.h"

namespace rnullfs {

LogEntry::Kind LoggedRequest::KindOf(Op op) {
  switch (op) {
    case Op::kRead:
      return LogEntry::Kind::kRead;
    case Op::kWrite:
      return LogEntry::Kind::kWrite;
    case Op::kFlush:
      return LogEntry::Kind::kFlush;
    case Op::kDiscard:
      return LogEntry::Kind::kDiscard;
    case Op::kWriteZeroes:
      return LogEntry::Kind::kWriteZeroes;
    case Op::kAllocate:
      break;
  }
  return LogEntry::Kind::kNothing;
}

void LoggedRequest::Begin(const Command& command, const Medium& medium, const PowerSupply& supply,
                          const Clock& clock) {
  line_.emplace(Line{.medium = &medium,
                     .supply = &supply,
                     .clock = &clock,
                     .entry = {.kind = KindOf(command.op),
                               .flags = command.fua ? LogEntry::kFua : uint8_t{0},
                               .offset = command.offset,
                               .length = command.length},
                     .counted = CountedRequest(clock.NowNsec())});
  if (command.op == Op::kRead) Count();
}

void LoggedRequest::EndLine(int error) {
  if (error != 0 && line_->counted.first() == 0) {
    line_->entry.flags |= LogEntry::kRefused;
    Count();
  }
  line_->medium->EndLogged(line_->counted, error, line_->clock->NowNsec());
  line_.reset();
}

// Not without power: after a cut nothing is counted any more.
void LoggedRequest::Count() {
  const RcuReadGuard guard;
  if (line_->supply->gone()) return;
  const CountedRequest::Scope scope(&line_->counted);
  line_->medium->CountLogged(line_->entry);
}

}  // namespace rnullfs
