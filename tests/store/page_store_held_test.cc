// Who holds a store that is not shared any more: by a mapping, which outlives its open.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <string>
#include <thread>

#include "shared_store.h"

namespace rnullfs {
namespace {

// As the kernel maps it for who has opened the disk through passthrough: by a file of its own.
class Mapper {
 public:
  explicit Mapper(const PageStore& store) : length_(store.size_bytes()) {
    const UniqueFd file(open(("/proc/self/fd/" + std::to_string(store.fd())).c_str(), O_RDWR));
    start_ = mmap(nullptr, length_, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    EXPECT_NE(start_, MAP_FAILED);
  }
  ~Mapper() { munmap(start_, length_); }
  Mapper(const Mapper&) = delete;
  Mapper& operator=(const Mapper&) = delete;
  char* at(uint64_t offset) const { return static_cast<char*>(start_) + offset; }

 private:
  const uint64_t length_;
  void* start_;
};

TEST_F(SharedStore, IsHeldAndChargedByWhoHasItMapped) {
  auto mapper = std::make_unique<Mapper>(*store_);
  store_->Unshare();
  EXPECT_TRUE(store_->Held());
  EXPECT_EQ(memory_.used_bytes(), 4 * kMiB);
  const auto other = *PageStore::Create("other", memory_);
  ASSERT_TRUE(other->Resize(8 * kMiB).ok());
  EXPECT_EQ(Write(*other, 0, std::string(5 * kMiB, 'o')), ENOSPC);
  ASSERT_EQ(other->Discard(0, 8 * kMiB), 0);
  ASSERT_TRUE(store_->Share().ok()) << "it is charged already";
  store_->Unshare();
  mapper.reset();
  EXPECT_EQ(memory_.used_bytes(), 4 * kMiB) << "nobody has looked";
  EXPECT_EQ(Write(*other, 0, std::string(5 * kMiB, 'o')), 0);
  EXPECT_EQ(memory_.used_bytes(), 5 * kMiB + kPage);
  EXPECT_FALSE(store_->Held());
}

TEST_F(SharedStore, IsHeldStillForWhoTakesOver) {
  auto mapper = std::make_unique<Mapper>(*store_);
  MemoryLimit memory(8 * kMiB);
  const auto adopted = *PageStore::Adopt("adopted", memory, MemfdKeeper::None(),
                                         UniqueFd(dup(store_->fd())), UniqueFd());
  EXPECT_EQ(memory.used_bytes(), 4 * kMiB);
  EXPECT_TRUE(adopted->Held());
  mapper.reset();
  EXPECT_FALSE(adopted->Held());
  EXPECT_EQ(memory.used_bytes(), kPage);
}

// Who has mapped it may punch it (MADV_REMOVE), and nobody is told.
TEST_F(SharedStore, WhatAMapperHasFreedIsAskedForAgain) {
  ASSERT_EQ(Write(*store_, 0, std::string(2 * kMiB, 'x')), 0);
  {
    const Mapper mapper(*store_);
    ASSERT_EQ(madvise(mapper.at(0), kMiB, MADV_REMOVE), 0);
  }
  store_->Unshare();
  EXPECT_EQ(memory_.used_bytes(), kMiB);
  const auto other = *PageStore::Create("other", memory_);
  ASSERT_TRUE(other->Resize(8 * kMiB).ok());
  ASSERT_EQ(Write(*other, 0, std::string(7 * kMiB, 'o')), 0);
  EXPECT_EQ(Write(*store_, 0, "refilled"), ENOSPC);
  EXPECT_EQ(Read(*store_, 0, 2 * kMiB), std::string(kMiB, '\0') + std::string(kMiB, 'x'));
  EXPECT_EQ(AllocatedBytes(*store_), kMiB) << "to read has stored nothing";
  EXPECT_EQ(memory_.used_bytes(), 8 * kMiB);
}

// Each of two disks wants what the other may hold no longer, with all of its own locks.
TEST_F(SharedStore, TwoThatWaitForMemoryDoNotWaitForEachOther) {
  const auto other = *PageStore::Create("other", memory_);
  ASSERT_TRUE(other->Resize(6 * kMiB).ok());
  const auto run = [](PageStore& store) {
    const std::string data(store.size_bytes(), 'x');
    for (int round = 0; round < 30; ++round) {
      const int error = Write(store, 0, data);
      ASSERT_TRUE(error == 0 || error == ENOSPC) << error;
      ASSERT_EQ(store.Discard(0, store.size_bytes()), 0);
      if (!store.Share().ok()) continue;
      {
        const Mapper mapper(store);
        store.Unshare();
        store.Held();
      }
    }
  };
  store_->Unshare();
  std::thread first(run, std::ref(*store_));
  run(*other);
  first.join();
  EXPECT_FALSE(store_->Held());
  EXPECT_FALSE(other->Held());
  EXPECT_EQ(memory_.used_bytes(), 0);
}

TEST_F(SharedStore, IsEmptiedForWhoHasItMappedWhenItIsRemoved) {
  const int fd = dup(store_->fd());
  store_->GiveBack();
  struct stat status = {};
  ASSERT_EQ(fstat(fd, &status), 0);
  EXPECT_EQ(status.st_size, 0);
  EXPECT_EQ(status.st_blocks, 0);
  close(fd);
}

// Who holds the old file has no part in the new one: nobody who wants memory looks for them,
// neither beside the move nor when it is done.
class GrowingWhileHeld : public testing::Test, public MemfdKeeper {
 protected:
  GrowingWhileHeld() {
    EXPECT_TRUE(store_->Resize(kMiB).ok());
    EXPECT_EQ(Write(*store_, 0, "stays"), 0);
    EXPECT_TRUE(store_->Share().ok());
    mapper_ = std::make_unique<Mapper>(*store_);
    store_->Unshare();
    EXPECT_TRUE(store_->Held());
    EXPECT_EQ(memory_.used_bytes(), kMiB);
  }
  int Keep(int /*memfd*/) override { return 0; }
  void Drop(int /*memfd*/) override { something_was_over_ = memory_.LookAgain(); }
  void Grow() {
    ASSERT_TRUE(store_->Resize(2 * kMiB).ok());
    EXPECT_EQ(Read(*store_, 0, 5), "stays");
    EXPECT_EQ(memory_.used_bytes(), kPage);
    EXPECT_FALSE(store_->Held());
  }

  bool something_was_over_ = false;
  MemoryLimit memory_{8 * kMiB};
  const std::unique_ptr<PageStore> store_ = *PageStore::Create("growing", memory_, *this);
  std::unique_ptr<Mapper> mapper_;
};

TEST_F(GrowingWhileHeld, EndsTheWatching) {
  Grow();
  EXPECT_FALSE(something_was_over_);
}

TEST_F(GrowingWhileHeld, BesideSomebodyWhoWantsMemory) {
  std::atomic<bool> done{false};
  std::thread other([&] {
    while (!done) memory_.LookAgain();
  });
  Grow();
  done = true;
  other.join();
}

}  // namespace
}  // namespace rnullfs
