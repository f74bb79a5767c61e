// The search over all stretches of a disk's history, with several states at once.
//
// Thread safety: Run() once; progress() from any thread meanwhile; the rest when Run() is over.
// Errors: of what had to be asked of the mount, or run; the search ends there, but for a stretch
// that cannot be begun, which is left out.  What is known can be had.
#ifndef RNULLFS_CTL_CRASH_SEARCH_H_
#define RNULLFS_CTL_CRASH_SEARCH_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ctl/counterexample.h"
#include "ctl/crash_directory.h"
#include "ctl/judge.h"
#include "ctl/promises.h"
#include "ctl/stretch.h"
#include "rnullfs/mutex.h"

namespace rnullfs {

class CrashSearch {
 public:
  struct Limits {
    unsigned jobs;
    int64_t budget_nsec;
    bool stop_at_first = false;        // that fails
    bool leave_out_forgotten = false;  // stretches of which it is not known what was durable
    unsigned depth = 1;                // 2: the power goes while what has been left recovers, too
  };
  // What it is given outlives it.
  CrashSearch(const CrashDirectory& crash, const Judge& judge, const Promises& promises,
              Limits limits);

  absl::Status Run(const std::vector<uint64_t>& cuts) ABSL_LOCKS_EXCLUDED(mutex_);

  struct Progress {
    size_t stretches = 0;
    size_t done = 0;
    uint64_t runs = 0;
    uint64_t failed = 0;
  };
  Progress progress() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Those that were begun, in order.
  std::vector<const Stretch*> stretches() const ABSL_LOCKS_EXCLUDED(mutex_);
  size_t left_out() const ABSL_LOCKS_EXCLUDED(mutex_);        // Limits::leave_out_forgotten
  size_t stretches_left() const ABSL_LOCKS_EXCLUDED(mutex_);  // that were not
  // What has not done the same twice: "check", "recover".
  std::set<std::string> unsteady() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Of recoveries that were cut (depth).
  std::vector<Counterexample> in_recovery() const ABSL_LOCKS_EXCLUDED(mutex_);
  int64_t took_nsec() const { return took_nsec_; }

 private:
  struct Task {
    Stretch* stretch = nullptr;  // null: one is to be begun
    uint64_t cut = 0;
    Trial trial = {};
    bool twice = false;
  };

  void Work();
  std::optional<Task> Take() ABSL_LOCKS_EXCLUDED(mutex_);
  std::optional<Task> Find() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Do(const Task& task);
  void Miss(const Task& task, const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Begin(uint64_t cut) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::unique_ptr<Stretch>> Open(uint64_t cut) const;
  absl::Status JudgeTask(const Task& task);
  absl::StatusOr<MadeState> Make(const Task& task);
  absl::StatusOr<Verdict> JudgeOnce(const Task& task, JudgedImages* images);
  absl::Status JudgeRecovery(const Task& task, Verdict& verdict) ABSL_LOCKS_EXCLUDED(mutex_);
  void Compare(const Verdict& first, const Verdict& second) ABSL_LOCKS_EXCLUDED(mutex_);
  int64_t LeftNsec() const;
  int64_t Allowance() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool GoOn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const CrashDirectory& crash_;
  const Judge& judge_;
  const Promises& promises_;
  const Limits limits_;
  int64_t begun_nsec_ = 0;
  int64_t took_nsec_ = 0;
  std::atomic<uint64_t> next_name_ = 0;  // of a state

  mutable Mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<uint64_t> cuts_ ABSL_GUARDED_BY(mutex_);
  size_t next_cut_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t under_way_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t left_out_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t first_open_ ABSL_GUARDED_BY(mutex_) = 0;  // those before it are done
  std::atomic<size_t> recoveries_kept_ = 0;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t tasks_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status error_ ABSL_GUARDED_BY(mutex_);    // ends the search
  absl::Status unknown_ ABSL_GUARDED_BY(mutex_);  // why a stretch was left out
  std::vector<std::unique_ptr<Stretch>> stretches_ ABSL_GUARDED_BY(mutex_);  // as they were begun
  std::set<std::string> unsteady_ ABSL_GUARDED_BY(mutex_);
  std::vector<Counterexample> in_recovery_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rnullfs

#endif  // RNULLFS_CTL_CRASH_SEARCH_H_
