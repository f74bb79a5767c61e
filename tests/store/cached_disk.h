// What the write cache's tests share: a disk with a cache in front of it.
#ifndef RNULLFS_TESTS_STORE_CACHED_DISK_H_
#define RNULLFS_TESTS_STORE_CACHED_DISK_H_

#include <fcntl.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "store/write_cache.h"
#include "store_util.h"

namespace rnullfs {

inline constexpr uint64_t kSector = 512;

// Which memfds are held elsewhere.
class HeldMemfds : public MemfdKeeper {
 public:
  int Keep(int memfd) override {
    if (refusal == 0) held.insert(memfd);
    return refusal;
  }
  void Drop(int memfd) override { held.erase(memfd); }
  std::set<int> held;
  int refusal = 0;
};

// A disk with a cache in front of it; both take their memory from one limit.
class CachedDisk {
 public:
  CachedDisk(uint64_t size_bytes, uint64_t cache_bytes, uint64_t limit_bytes = MemoryLimit::kNone)
      : memory_(limit_bytes), cache_bytes_(cache_bytes) {
    EXPECT_TRUE(disk_->Resize(size_bytes).ok());
    cache_ = *WriteCache::Open(Services(), cache_bytes, UniqueFd());
  }

  // The process is gone, and another one is there.
  void BeKilled() { BeKilled(cache_bytes_); }
  void BeKilled(uint64_t cache_bytes) {
    UniqueFd memfd(fcntl(cache_->fd(), F_DUPFD_CLOEXEC, 3));
    cache_.reset();
    auto adopted = WriteCache::Open(Services(), cache_bytes, std::move(memfd));
    ASSERT_TRUE(adopted.ok()) << adopted.status();
    cache_ = *std::move(adopted);
  }

  WriteCacheServices Services() {
    return {.name = "cache",
            .memory = memory_,
            .keeper = keeper_,
            .disk = *disk_,
            .disk_bytes = disk_->size_bytes(),
            .written_back = written_back_,
            .unflushed = unflushed_};
  }

  int Write(uint64_t offset, const std::string& data) {
    return cache_->Write(offset, data.size(), data.data());
  }
  int WriteThrough(uint64_t offset, const std::string& data) {
    return cache_->WriteThrough(offset, data.size(), data.data());
  }
  std::string Read(uint64_t offset, uint64_t length) {
    std::string bytes(length, '?');
    EXPECT_EQ(cache_->CopyOut(offset, length, bytes.data()), 0);
    return bytes;
  }

  WriteCache& cache() { return *cache_; }
  void DestroyCache() { cache_.reset(); }
  PageStore& disk() { return *disk_; }
  HeldMemfds& keeper() { return keeper_; }
  const MemoryLimit& memory() const { return memory_; }
  uint64_t written_back() const { return written_back_; }

 private:
  HeldMemfds keeper_;
  MemoryLimit memory_;
  const uint64_t cache_bytes_;
  std::atomic<uint64_t> written_back_{0};
  std::atomic<uint64_t> unflushed_{0};
  const std::unique_ptr<PageStore> disk_ = *PageStore::Create("disk", memory_);
  std::unique_ptr<WriteCache> cache_;
};

// A letter for each sector.
inline std::string Sectors(std::string_view letters) {
  std::string bytes;
  for (const char letter : letters) bytes += std::string(kSector, letter == '.' ? '\0' : letter);
  return bytes;
}

inline std::string Letters(const std::string& bytes) {
  std::string letters;
  for (uint64_t at = 0; at < bytes.size(); at += kSector) {
    const bool same = bytes.substr(at, kSector) == std::string(kSector, bytes[at]);
    letters += !same ? '!' : bytes[at] == '\0' ? '.' : bytes[at];
  }
  return letters;
}

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_STORE_CACHED_DISK_H_
