// A store whose other door is open.
#ifndef RNULLFS_TESTS_STORE_SHARED_STORE_H_
#define RNULLFS_TESTS_STORE_SHARED_STORE_H_

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "store_util.h"

namespace rnullfs {

class SharedStore : public testing::Test {
 protected:
  SharedStore() {
    EXPECT_TRUE(store_->Resize(4 * kMiB).ok());
    EXPECT_EQ(Write(*store_, kMiB, std::string(kPage, 'd')), 0);
    EXPECT_TRUE(store_->Share().ok());
  }

  // The other door.
  void WriteFile(uint64_t offset, const std::string& bytes) const {
    EXPECT_EQ(pwrite(store_->fd(), bytes.data(), bytes.size(), static_cast<off_t>(offset)),
              static_cast<ssize_t>(bytes.size()));
  }
  std::string ReadFile(uint64_t offset, uint64_t length) const {
    std::string bytes(length, '?');
    EXPECT_EQ(pread(store_->fd(), bytes.data(), length, static_cast<off_t>(offset)),
              static_cast<ssize_t>(length));
    return bytes;
  }

  MemoryLimit memory_{8 * kMiB};
  const std::unique_ptr<PageStore> store_ = *PageStore::Create("shared", memory_);
};

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_STORE_SHARED_STORE_H_
