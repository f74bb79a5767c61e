// What the page store's tests share.
#ifndef RNULLFS_TESTS_STORE_STORE_UTIL_H_
#define RNULLFS_TESTS_STORE_STORE_UTIL_H_

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "rnullfs/page_store.h"

namespace rnullfs {

inline constexpr uint64_t kPage = PageStore::kPageSize;
inline constexpr uint64_t kMiB = uint64_t{1} << 20;
inline constexpr uint64_t kGiB = uint64_t{1} << 30;
inline constexpr uint64_t kTiB = uint64_t{1} << 40;

// Enough for every store; what its machine has is all that limits it.
inline MemoryLimit test_memory;

inline std::unique_ptr<PageStore> NewStore(uint64_t size_bytes, MemoryLimit& memory = test_memory) {
  std::unique_ptr<PageStore> store = *PageStore::Create("test", memory);
  EXPECT_TRUE(store->Resize(size_bytes).ok());
  return store;
}

inline std::string Read(View& view, uint64_t offset, uint64_t length) {
  std::string bytes;
  const int error = view.Read(offset, length, [&bytes](absl::Span<const iovec> blocks) {
    for (const iovec& block : blocks) {
      bytes.append(static_cast<const char*>(block.iov_base), block.iov_len);
    }
  });
  EXPECT_EQ(error, 0);
  return bytes;
}

inline int Write(PageStore& store, uint64_t offset, std::string_view bytes) {
  return store.Write(offset, bytes.size(), bytes.data());
}

// What the kernel says the memfd holds.
inline uint64_t AllocatedBytes(const PageStore& store) {
  struct stat status = {};
  EXPECT_EQ(fstat(store.fd(), &status), 0);
  return static_cast<uint64_t>(status.st_blocks) * 512;
}

// The store's and the kernel's idea of how much is stored, which must agree.
inline void ExpectStoredPages(const PageStore& store, uint64_t pages) {
  EXPECT_EQ(store.stored_pages(), pages);
  EXPECT_EQ(AllocatedBytes(store), pages * kPage);
}

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_STORE_STORE_UTIL_H_
