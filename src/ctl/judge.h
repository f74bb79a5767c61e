// Whether one state recovers: the user's commands on it.
//
// Thread safety: all calls from any thread.
// Errors: what the directory refuses; a command that is not there, or cannot be run (126, 127).
#ifndef RNULLFS_CTL_JUDGE_H_
#define RNULLFS_CTL_JUDGE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ctl/command.h"
#include "ctl/crash_directory.h"
#include "rnullfs/mutex.h"

namespace rnullfs {

struct Verdict {
  bool failed = false;
  std::string what = {};    // has failed: "check: exit status 4"
  std::string output = {};  // of the command that has
  std::vector<ConsultedUnit> consulted = {};
  // Units that it would have read, had the image not been judged before, and perhaps others.
  std::vector<uint64_t> touched = {};
  std::string identity = {};  // of what recovery has made
  // Of the recovery, cut.
  uint64_t more_runs = 0;
  bool recovery_failed = false;
  bool recovery_whole = true;
};

// Images of one cut, after recovery, that have been judged: none needs it twice.
class JudgedImages {
 public:
  struct Image {
    bool failed;
    std::string what;
    std::string output;
    std::vector<uint64_t> touched;  // units that were read, or written, until then
  };
  std::shared_ptr<const Image> Find(const std::string& identity) const ABSL_LOCKS_EXCLUDED(mutex_);
  void Add(const std::string& identity, Image image) ABSL_LOCKS_EXCLUDED(mutex_);
  void Clear() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable Mutex mutex_;
  bool has_output_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, std::shared_ptr<const Image>> images_ ABSL_GUARDED_BY(mutex_);
};

class Judge {
 public:
  struct Commands {
    Command recover;  // may be empty
    Command check;
    int64_t timeout_nsec;
  };
  explicit Judge(Commands commands) : commands_(std::move(commands)) {}

  // Of a state that nobody has written to.  ECANCELED when the user wants no more.
  // `promises`: the file that {acked} stands for.  `images` null: each is judged.
  absl::StatusOr<Verdict> Try(const MadeState& state, const std::string& promises,
                              JudgedImages* images) const;
  // The first command alone, on a disk; its status is not looked at.
  absl::Status Recover(const std::string& disk, const std::string& promises) const;

 private:
  struct Outcome {
    bool failed = false;
    std::string what = {};
    std::string output = {};
  };
  absl::StatusOr<Outcome> Run(const Command& command, const char* name, int passes_below,
                              const Command::Places& places) const;

  const Commands commands_;
};

}  // namespace rnullfs

#endif  // RNULLFS_CTL_JUDGE_H_
