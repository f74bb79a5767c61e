// Errors of the control path: an absl::Status with a sentence for the user and the errno that the
// system call returns.
//
// The data path returns plain errno ints.  A control-path Status becomes an errno here and nowhere
// else, so that a sentence and its errno cannot part ways.
// Thread safety: pure functions.
#ifndef RNULLFS_ERROR_H_
#define RNULLFS_ERROR_H_

#include <string_view>

#include "absl/status/status.h"

namespace rnullfs {

// A failure with a positive errno value (EINVAL, EBUSY, ...) and a sentence that says what is wrong
// and what to do about it.
absl::Status Error(int errno_value, std::string_view sentence);

// The same for a failed system call: "`what`: strerror(errno_value)".
absl::Status SystemError(int errno_value, std::string_view what);

// 0 for OK, the errno given to Error() otherwise; EIO for a Status made elsewhere.
int ErrnoOf(const absl::Status& status);

}  // namespace rnullfs

#endif  // RNULLFS_ERROR_H_
