// How far a search is, in one line of the terminal.
//
// Thread safety: none; it has a thread of its own.
#ifndef RNULLFS_CTL_PROGRESS_LINE_H_
#define RNULLFS_CTL_PROGRESS_LINE_H_

#include <condition_variable>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "ctl/crash_search.h"
#include "rnullfs/mutex.h"

namespace rnullfs {

// Shown a few times a second while it exists, if standard error is a terminal.
class ProgressLine {
 public:
  explicit ProgressLine(const CrashSearch& search);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

 private:
  Mutex mutex_;
  std::condition_variable_any ended_changed_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace rnullfs

#endif  // RNULLFS_CTL_PROGRESS_LINE_H_
