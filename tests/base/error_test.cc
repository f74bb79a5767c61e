#include "rnullfs/error.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace rnullfs {
namespace {

TEST(Error, KeepsErrnoAndSentence) {
  for (const int value : {EINVAL, EBUSY, ENOSPC, EPERM, ENOENT, EEXIST, ENOTDIR, EOPNOTSUPP}) {
    const absl::Status status = Error(value, "a sentence");
    EXPECT_EQ(ErrnoOf(status), value);
    EXPECT_EQ(status.message(), "a sentence");
  }
}

TEST(Error, OkIsZeroAndForeignStatusIsEio) {
  EXPECT_EQ(ErrnoOf(absl::OkStatus()), 0);
  EXPECT_EQ(ErrnoOf(absl::InternalError("x")), EIO);
}

TEST(Error, SystemErrorSaysWhatFailed) {
  const absl::Status status = SystemError(ENOENT, "open /x");
  EXPECT_EQ(ErrnoOf(status), ENOENT);
  EXPECT_EQ(status.message(), "open /x: No such file or directory");
}

}  // namespace
}  // namespace rnullfs
