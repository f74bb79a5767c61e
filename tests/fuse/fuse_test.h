// A file system being served, and a kernel that has mounted it.
#ifndef RNULLFS_TESTS_FUSE_FUSE_TEST_H_
#define RNULLFS_TESTS_FUSE_FUSE_TEST_H_

#include <gtest/gtest.h>

#include <csignal>

#include "fuse/fake_kernel.h"
#include "fuse/served_session.h"

namespace rnullfs {

class FuseTest : public testing::Test {
 protected:
  explicit FuseTest(Sections sections = DeviceSections()) : session_(sections) { kernel_.Init(); }

  // Every test ends with a clean end: nothing in use, nothing leaked, nothing a sanitizer minds.
  void TearDown() override {
    if (session_.Running() && expected_end_ == 0) session_.Signal(SIGTERM);
    EXPECT_EQ(session_.Wait(), expected_end_) << session_.Log();
  }

  int expected_end_ = 0;
  ServedSession session_;
  FakeKernel kernel_{session_.TakeKernelEnd()};
};

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_FUSE_FUSE_TEST_H_
