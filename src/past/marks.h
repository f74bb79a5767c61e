// Moments that somebody has given a name, within the log of a disk's requests: the newest ones, in
// a ring in the past's file.  One whose line the log has forgotten is none any more.
//
// Thread safety: all calls from any thread.
#ifndef RNULLFS_PAST_MARKS_H_
#define RNULLFS_PAST_MARKS_H_

#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "past/request_log.h"
#include "past/version_file.h"
#include "rnullfs/mutex.h"

namespace rnullfs {

struct Mark {
  uint64_t number;
  std::string name;
};

class Marks {
 public:
  static constexpr size_t kNameMax = 255;
  static constexpr uint64_t kMarksMax = 8192;

  Marks(VersionFile& file, const RequestLog& log) : file_(file), log_(log) {}

  // Names what `count` counts, unless the `request` (0: none) is heard again, and returns its
  // number.  ENOSPC when there is no memory for the name, and nothing is counted, or for its line.
  template <typename F>
  int Set(std::string_view name, uint64_t request, F count, uint64_t& number)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    const LockGuard lock(mutex_);
    if (const std::optional<uint64_t> done = OfRequest(name, request)) {
      number = *done;
      return 0;
    }
    if (const int error = MakePlace(); error != 0) return error;
    number = count();
    if (!log_.At(number)) return ENOSPC;
    Store(name, request, number);
    return 0;
  }

  // The newest one so called.
  std::optional<uint64_t> Find(std::string_view name) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Of the mark that was counted as that; empty: there is none.
  std::string NameOf(uint64_t number) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Oldest first; `from` on, at most so many.
  std::vector<Mark> List() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Slot;

  Slot& SlotOf(uint64_t mark) const;
  uint64_t Begin() const;
  std::optional<uint64_t> OfRequest(std::string_view name, uint64_t request) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  int MakePlace() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Store(std::string_view name, uint64_t request, uint64_t number)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  VersionFile& file_;
  const RequestLog& log_;
  mutable SharedMutex mutex_;
};

}  // namespace rnullfs

#endif  // RNULLFS_PAST_MARKS_H_
