// One store, two doors: what somebody else does to the memfd, and what the store makes of it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>

#include "cached_disk.h"
#include "rnullfs/error.h"
#include "shared_store.h"

namespace rnullfs {
namespace {

TEST_F(SharedStore, EachDoorSeesWhatCameThroughTheOther) {
  WriteFile(2 * kMiB + 100, "kernel");
  EXPECT_EQ(Read(*store_, 2 * kMiB + 99, 8), std::string("\0kernel\0", 8));
  EXPECT_EQ(ReadFile(kMiB, 4), "dddd");
  ASSERT_EQ(Write(*store_, 2 * kMiB + 103, "NEL"), 0);
  ASSERT_EQ(Write(*store_, 3 * kMiB, "new"), 0);
  EXPECT_EQ(ReadFile(2 * kMiB + 100, 6), "kerNEL");
  EXPECT_EQ(ReadFile(3 * kMiB, 3), "new");
  WriteFile(3 * kMiB, "NEW");
  EXPECT_EQ(Read(*store_, 3 * kMiB, 3), "NEW") << "a page of the index, written elsewhere";
  ExpectStoredPages(*store_, 3);
  EXPECT_EQ(store_->NextData(kMiB + kPage), 2 * kMiB);
  EXPECT_EQ(store_->NextHole(2 * kMiB), 2 * kMiB + kPage);
}

TEST_F(SharedStore, ReadsPiecesOfBothAndStoresNothing) {
  for (uint64_t page = 0; page < 64; page += 3) WriteFile(page * kPage, std::string(kPage, 'k'));
  std::string expected;
  for (uint64_t page = 0; page < 64; ++page) expected += std::string(kPage, page % 3 ? '\0' : 'k');
  EXPECT_EQ(Read(*store_, 0, 64 * kPage), expected);
  ExpectStoredPages(*store_, 22 + 1);
}

TEST_F(SharedStore, DiscardAndZeroesReachWhatTheIndexHasNotHeardOf) {
  WriteFile(0, std::string(10 * kPage, 'k'));
  ASSERT_EQ(store_->WriteZeroes(kPage + 5, kPage), 0);
  EXPECT_EQ(ReadFile(kPage, 6), std::string("kkkkk\0", 6));
  ExpectStoredPages(*store_, 11);
  ASSERT_EQ(store_->Discard(3 * kPage - 1, 2 * kPage + 2), 0);
  EXPECT_EQ(ReadFile(3 * kPage - 2, 2), std::string("k\0", 2));
  EXPECT_EQ(ReadFile(5 * kPage, 2), std::string("\0k", 2));
  ExpectStoredPages(*store_, 9);
  WriteFile(3 * kPage, "again");
  EXPECT_EQ(Read(*store_, 3 * kPage, 5), "again");
  ASSERT_EQ(store_->Discard(0, 4 * kMiB), 0);
  ExpectStoredPages(*store_, 0);
}

TEST_F(SharedStore, AllocateKeepsWhatOthersStored) {
  WriteFile(kPage, "kept");
  ASSERT_EQ(store_->Allocate(0, 4 * kPage), 0);
  EXPECT_EQ(Read(*store_, kPage, 4), "kept");
  EXPECT_EQ(store_->NextHole(0), 4 * kPage);
  ExpectStoredPages(*store_, 5);
}

TEST_F(SharedStore, EndsWhereTheDiskEnds) {
  EXPECT_EQ(pwrite(store_->fd(), "x", 1, 4 * kMiB), -1);
  EXPECT_EQ(errno, EPERM);
}

// A mapping of the file outlives every open of it.
TEST_F(SharedStore, WhatIsStoredAfterwardsIsFoundToo) {
  void* const mapping =
      mmap(nullptr, 4 * kMiB, PROT_READ | PROT_WRITE, MAP_SHARED, store_->fd(), 0);
  ASSERT_NE(mapping, MAP_FAILED);
  store_->Unshare();
  static_cast<char*>(mapping)[5 * kPage] = 'm';
  EXPECT_EQ(Read(*store_, 5 * kPage, 1), "m");
  ASSERT_EQ(store_->Discard(0, 4 * kMiB), 0);
  ExpectStoredPages(*store_, 0);
  munmap(mapping, 4 * kMiB);
}

TEST_F(SharedStore, IsChargedWholeUntilTheLastLeaves) {
  EXPECT_EQ(memory_.used_bytes(), 4 * kMiB);
  ASSERT_TRUE(store_->Share().ok());
  store_->Unshare();
  EXPECT_EQ(memory_.used_bytes(), 4 * kMiB);
  WriteFile(0, std::string(kPage, 'k'));
  store_->Unshare();
  EXPECT_EQ(memory_.used_bytes(), 2 * kPage);

  const auto large = *PageStore::Create("large", memory_);
  ASSERT_TRUE(large->Resize(8 * kMiB).ok());
  EXPECT_FALSE(large->CouldShare(8 * kMiB));
  const absl::Status refused = large->Share();
  EXPECT_EQ(ErrnoOf(refused), ENOSPC);
  EXPECT_THAT(std::string(refused.message()), testing::HasSubstr("memory_limit"));
  EXPECT_EQ(Write(*large, 0, "by the other door"), 0);
}

TEST_F(SharedStore, GrowsWithAllThatIsStored) {
  WriteFile(2 * kMiB + 7, "kernel");
  ASSERT_TRUE(store_->Resize(3 * kMiB).ok()) << "to shrink takes no move";
  store_->Unshare();
  const int old_inode_fd = dup(store_->fd());
  ASSERT_TRUE(store_->Resize(16 * kMiB).ok()) << "more than the limit, for it is sparse";
  EXPECT_EQ(store_->size_bytes(), 16 * kMiB);
  EXPECT_EQ(Read(*store_, kMiB, kPage), std::string(kPage, 'd'));
  EXPECT_EQ(Read(*store_, 2 * kMiB + 7, 6), "kernel");
  ExpectStoredPages(*store_, 2);
  EXPECT_EQ(memory_.used_bytes(), 2 * kPage);
  ASSERT_EQ(Write(*store_, 16 * kMiB - 3, "end"), 0);
  char byte = 0;
  EXPECT_EQ(pread(old_inode_fd, &byte, 1, kMiB), 0) << "nothing is kept twice";
  close(old_inode_fd);
}

TEST_F(SharedStore, GrowsAtTheLimit) {
  ASSERT_EQ(Write(*store_, 0, std::string(4 * kMiB, 'f')), 0);
  store_->Unshare();
  const auto other = *PageStore::Create("other", memory_);
  ASSERT_TRUE(other->Resize(4 * kMiB).ok());
  ASSERT_EQ(Write(*other, 0, std::string(4 * kMiB, 'o')), 0);
  ASSERT_EQ(memory_.left_bytes(), 0);
  ASSERT_TRUE(store_->Resize(5 * kMiB).ok());
  EXPECT_EQ(Read(*store_, 0, 4 * kMiB), std::string(4 * kMiB, 'f'));
  EXPECT_EQ(memory_.left_bytes(), 0);
  EXPECT_EQ(Write(*store_, 4 * kMiB, "x"), ENOSPC);
}

// Each thread has pages of its own, goes in by one door and out by the other, while a third
// discards other pages of the same stripes.
TEST_F(SharedStore, DoorsAtOnce) {
  constexpr int kThreads = 3;
  constexpr uint64_t kPages = 512;
  const auto run = [this](int thread) {
    std::minstd_rand random(thread + 1);
    for (int round = 0; round < 3000; ++round) {
      const uint64_t offset = (random() % (kPages / kThreads) * kThreads + thread) * kPage;
      const std::string bytes(kPage, static_cast<char>('a' + random() % 26));
      if (round % 2 == 0) {
        WriteFile(offset, bytes);
        ASSERT_EQ(Read(*store_, offset, kPage), bytes);
      } else {
        ASSERT_EQ(Write(*store_, offset, bytes), 0);
        ASSERT_EQ(ReadFile(offset, kPage), bytes);
      }
      if (round % 5 == 0) {
        ASSERT_EQ(store_->Discard(offset, kPage), 0);
        ASSERT_EQ(Read(*store_, offset, kPage), std::string(kPage, '\0'));
      }
    }
  };
  std::thread first(run, 0);
  std::thread second(run, 1);
  run(2);
  first.join();
  second.join();
  EXPECT_EQ(store_->stored_pages() * kPage, AllocatedBytes(*store_));
}

// Where nobody else can hold one more file, there is no disk, and one that moves stays where it is.
TEST(KeptStore, IsNotMadeWhereItCannotBeHeld) {
  MemoryLimit memory(8 * kMiB);
  HeldMemfds keeper;
  keeper.refusal = EMFILE;
  const auto refused = PageStore::Create("kept", memory, keeper);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(ErrnoOf(refused.status()), EMFILE);
  EXPECT_NE(refused.status().message().find("RLIMIT_NOFILE"), std::string_view::npos);

  keeper.refusal = 0;
  auto store = *PageStore::Create("kept", memory, keeper);
  ASSERT_TRUE(store->Resize(kMiB).ok());
  ASSERT_EQ(Write(*store, 0, "stays"), 0);
  ASSERT_TRUE(store->Share().ok());
  store->Unshare();
  keeper.refusal = EMFILE;
  EXPECT_EQ(ErrnoOf(store->Resize(2 * kMiB)), EMFILE);
  EXPECT_EQ(store->size_bytes(), kMiB);
  EXPECT_EQ(Read(*store, 0, 5), "stays");
  EXPECT_THAT(keeper.held, testing::ElementsAre(store->fd()));
  keeper.refusal = 0;
  EXPECT_TRUE(store->Resize(2 * kMiB).ok());
}

}  // namespace
}  // namespace rnullfs
