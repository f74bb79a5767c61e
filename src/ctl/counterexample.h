// A state that does not recover, made as small as it can be: the fewest requests that have to be
// lost, or units, with all others there.
//
// Thread safety: pure functions of the mount.
// Errors: as files.h and judge.h.
#ifndef RNULLFS_CTL_COUNTEREXAMPLE_H_
#define RNULLFS_CTL_COUNTEREXAMPLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ctl/crash_directory.h"
#include "ctl/judge.h"
#include "ctl/stretch.h"

namespace rnullfs {

struct Lost {
  LostRequest request;
  std::string first_bytes;  // of what has been lost, in hexadecimal
  std::string belongs_to;   // in words of the user's command
};

struct Counterexample {
  uint64_t cut;
  std::string state;  // "fail-1": stays until it is removed
  std::vector<Lost> lost;
  std::string what;  // has failed, as Verdict
  bool again;        // also when it was tried again
  std::string output;
  uint64_t runs;  // that it took to find it
  // Where not the disk itself was searched, but one that recovered: that one, and from what.
  std::string device = {};
  std::string recovering = {};
};

// `explain`: says what a place on the disk belongs to; {} is a disk on which nothing is lost,
// {sector} and {sectors} the place.  May be empty.
absl::StatusOr<Counterexample> MakeCounterexample(const CrashDirectory& crash, const Judge& judge,
                                                  const Stretch& stretch, const Command& explain);

}  // namespace rnullfs

#endif  // RNULLFS_CTL_COUNTEREXAMPLE_H_
