// Whether a recovery stands it that the power goes while it is under way: what it writes is logged
// on a disk that begins as the state, and each state that a cut of that could leave is judged.
//
// Thread safety: pure functions of the mount.
// Errors: as crash_search.h.
#ifndef RNULLFS_CTL_RECOVERY_SEARCH_H_
#define RNULLFS_CTL_RECOVERY_SEARCH_H_

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "ctl/counterexample.h"
#include "ctl/crash_directory.h"
#include "ctl/judge.h"

namespace rnullfs {

struct RecoveryVerdict {
  uint64_t runs = 0;
  bool failed = false;
  bool whole = true;                    // all states of all its cuts have been judged
  std::set<std::string> unsteady = {};  // CrashSearch::unsteady()
  std::optional<Counterexample> failure = std::nullopt;  // on a disk that stays
};

struct RecoveryLimits {
  unsigned depth;  // how often the power goes in all, 2 or more
  int64_t budget_nsec;
  bool keep;  // the disk on which one fails stays, and what failed is made small
};

// Of a state that nobody has written to.
absl::StatusOr<RecoveryVerdict> CutRecovery(const CrashDirectory& crash, uint64_t cut,
                                            const MadeState& state, const Judge& judge,
                                            const std::string& promises,
                                            const RecoveryLimits& limits);

}  // namespace rnullfs

#endif  // RNULLFS_CTL_RECOVERY_SEARCH_H_
