// How the tests of this room say what a call is refused with.
#ifndef RNULLFS_TESTS_TREE_REFUSED_H_
#define RNULLFS_TESTS_TREE_REFUSED_H_

#include <gmock/gmock.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rnullfs/error.h"

namespace rnullfs {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

// A Status or StatusOr that is OK.
MATCHER(IsOk, "") {
  *result_listener << "says: " << StatusOf(arg).message();
  return StatusOf(arg).ok();
}

// One with that errno.
MATCHER_P(Refused, errno_value, "") {
  *result_listener << "is errno " << ErrnoOf(StatusOf(arg)) << ": " << StatusOf(arg).message();
  return ErrnoOf(StatusOf(arg)) == errno_value;
}

// One with that errno and `part` in its sentence.
MATCHER_P2(RefusedWith, errno_value, part, "") {
  *result_listener << "is errno " << ErrnoOf(StatusOf(arg)) << ": " << StatusOf(arg).message();
  return ErrnoOf(StatusOf(arg)) == errno_value &&
         std::string(StatusOf(arg).message()).find(part) != std::string::npos;
}

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_TREE_REFUSED_H_
