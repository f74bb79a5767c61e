// A request as the log of the disk has it, if there is one: counted when it changes something, or
// when it is a read that is to be logged, or has failed; and ended before it is answered.
//
// Thread safety: as of a plain value.  What it is made of outlives it.
#ifndef RNULLFS_DEVICE_LOGGED_REQUEST_H_
#define RNULLFS_DEVICE_LOGGED_REQUEST_H_

#include <cerrno>
#include <optional>
#include <utility>

#include "device/power_supply.h"
#include "past/log_entry.h"
#include "rnullfs/clock.h"
#include "rnullfs/command.h"
#include "rnullfs/medium.h"

namespace rnullfs {

class LoggedRequest {
 public:
  LoggedRequest() = default;  // of which nothing is logged
  LoggedRequest(const Command& command, const Medium& medium, const PowerSupply& supply,
                const Clock& clock, bool reads) {
    if (IsLogged(command, reads) && medium.logs()) Begin(command, medium, supply, clock);
  }
  LoggedRequest(LoggedRequest&& from) noexcept : line_(std::exchange(from.line_, std::nullopt)) {}
  LoggedRequest& operator=(LoggedRequest&& from) noexcept {
    line_ = std::exchange(from.line_, std::nullopt);
    return *this;
  }
  ~LoggedRequest() { End(ENOMEM); }  // there has been none to answer it

  // What this thread counts while that is in scope; null where nothing is.
  CountedRequest* counted() { return line_ ? &line_->counted : nullptr; }

  // It is about to be answered.
  void End(int error) {
    if (line_) EndLine(error);
  }

 private:
  struct Line {
    const Medium* medium;
    const PowerSupply* supply;
    const Clock* clock;
    LogEntry entry;
    CountedRequest counted;
  };

  static bool IsLogged(const Command& command, bool reads) {
    return command.op != Op::kAllocate && (command.op != Op::kRead || reads);
  }
  static LogEntry::Kind KindOf(Op op);
  void Begin(const Command& command, const Medium& medium, const PowerSupply& supply,
             const Clock& clock);
  void EndLine(int error);
  void Count();

  std::optional<Line> line_;  // most requests have none
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_LOGGED_REQUEST_H_
