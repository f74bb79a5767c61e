// Where a disk's first contents are: another disk as it was at a moment, a raw image of the
// machine, or a log of writes, to nothing, which it goes through when it is switched on for the
// first time. Who has an origin shares with it what he has not written yet.
//
// Thread safety: all of it may be used by any thread.
#ifndef RNULLFS_ORIGIN_H_
#define RNULLFS_ORIGIN_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "rnullfs/origin_key.h"
#include "rnullfs/view.h"

namespace rnullfs {

class WrittenLog;

struct Origin {
  OriginKey key;
  std::shared_ptr<View> view;
  std::function<std::string()> text;     // as one writes it, by its present name
  std::function<std::string()> trouble;  // why it cannot be read any more; empty while it can
  std::function<void()> forget;          // nobody has it any more, also not after this process
  std::shared_ptr<WrittenLog> log;       // null: there is none, or it has been gone through
  OriginKey log_key;
  std::function<void()> forget_log;

  void EndLog() {
    log.reset();
    log_key = {};
    if (forget_log != nullptr) std::exchange(forget_log, nullptr)();
  }
  // For who gives it up for good.  (A process that ends leaves it to the next.)
  void LetGo() {
    EndLog();
    view.reset();
    text = trouble = nullptr;
    if (forget != nullptr) std::exchange(forget, nullptr)();
  }
};

}  // namespace rnullfs

#endif  // RNULLFS_ORIGIN_H_
