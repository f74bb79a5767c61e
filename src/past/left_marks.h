// What a clone that a process has left does not share with its origin any more, out of the memfd of
// its marks (clone_store.h), for who only reads: the process may yet be alive.
//
// Thread safety: none.  Units: bytes.  Errors: a system call's, with a sentence.
#ifndef RNULLFS_PAST_LEFT_MARKS_H_
#define RNULLFS_PAST_LEFT_MARKS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

namespace rnullfs {

struct OwnRun {
  uint64_t begin;
  uint64_t end;
};

// In whole pages, of an origin with `shared_bytes`; in order.
absl::StatusOr<std::vector<OwnRun>> FindOwnRuns(int marks, uint64_t shared_bytes);

}  // namespace rnullfs

#endif  // RNULLFS_PAST_LEFT_MARKS_H_
