// A store that a process left behind, and what one that comes after it makes of the memfd.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "store_util.h"

namespace rnullfs {
namespace {

UniqueFd Duplicate(int fd) { return UniqueFd(fcntl(fd, F_DUPFD_CLOEXEC, 3)); }

// Another process's view of the limit.
class AdoptedStore : public testing::Test {
 protected:
  std::unique_ptr<PageStore> Adopt(UniqueFd moving_to = UniqueFd()) {
    return PageStore::Adopt("adopted", memory_, MemfdKeeper::None(), Duplicate(old_->fd()),
                            std::move(moving_to))
        .value();
  }

  const std::unique_ptr<PageStore> old_ = NewStore(4 * kMiB);
  MemoryLimit memory_{8 * kMiB};
};

TEST_F(AdoptedStore, HasWhatWasStoredAndWhereItWasNot) {
  ASSERT_EQ(Write(*old_, kMiB - 1, "across"), 0);
  const auto store = Adopt();
  EXPECT_EQ(store->size_bytes(), 4 * kMiB);
  EXPECT_EQ(Read(*store, kMiB - 2, 8), std::string("\0across\0", 8));
  ExpectStoredPages(*store, 2);
  EXPECT_EQ(store->NextData(0), kMiB - kPage);
  EXPECT_EQ(memory_.used_bytes(), 2 * kPage);
}

TEST_F(AdoptedStore, GoesOn) {
  ASSERT_EQ(Write(*old_, 0, std::string(8 * kPage, 'a')), 0);
  const auto store = Adopt();
  ASSERT_EQ(Write(*store, kPage + 1, "b"), 0);
  ASSERT_EQ(Write(*store, 2 * kMiB, "c"), 0);
  ASSERT_EQ(store->Discard(0, kPage), 0);
  ASSERT_EQ(store->WriteZeroes(2 * kPage, kPage), 0);
  EXPECT_EQ(Read(*store, kPage, 3), "aba");
  EXPECT_EQ(Read(*store, 0, kPage), std::string(kPage, '\0'));
  EXPECT_EQ(Read(*store, 2 * kPage, kPage), std::string(kPage, '\0'));
  ExpectStoredPages(*store, 8);
  EXPECT_EQ(memory_.used_bytes(), 8 * kPage);
  ASSERT_TRUE(store->Resize(kMiB).ok());
  ASSERT_TRUE(store->Resize(4 * kMiB).ok());
  ExpectStoredPages(*store, 7);
}

TEST_F(AdoptedStore, IsSharedAgainWhateverTheLimitSays) {
  ASSERT_TRUE(old_->Share().ok());
  const MemoryLimit* const limit = &memory_;
  ASSERT_TRUE(memory_.Reserve(6 * kMiB));
  const auto store = Adopt();
  EXPECT_FALSE(store->Share().ok());
  EXPECT_TRUE(store->ShareAgain().ok());
  EXPECT_EQ(limit->used_bytes(), 10 * kMiB);
  store->Unshare();
  EXPECT_EQ(limit->used_bytes(), 6 * kMiB);
}

// The process died when it moved the disk to a file that could grow.  What has been freed here is
// there, whole; of what has not, a part may be.
TEST_F(AdoptedStore, TakesBackWhatWasBeingMoved) {
  ASSERT_EQ(Write(*old_, 0, std::string(6 * kPage, 'o')), 0);
  const auto moved_to = NewStore(16 * kMiB);
  ASSERT_EQ(Write(*moved_to, kPage, std::string(2 * kPage, 'm')), 0);
  ASSERT_EQ(old_->Discard(kPage, 2 * kPage), 0);
  ASSERT_EQ(Write(*moved_to, 3 * kPage, "half of a page"), 0);
  const auto store = Adopt(Duplicate(moved_to->fd()));
  EXPECT_EQ(Read(*store, 0, 6 * kPage),
            std::string(kPage, 'o') + std::string(2 * kPage, 'm') + std::string(3 * kPage, 'o'));
  ExpectStoredPages(*store, 6);
  EXPECT_EQ(memory_.used_bytes(), 6 * kPage);
}

// Whoever asks the file would see what somebody else has written there, which nobody may.
TEST_F(AdoptedStore, RecallsWhatIsStoredBeforeItIsAskedFor) {
  ASSERT_EQ(Write(*old_, 0, std::string(6 * kPage, 'a')), 0);
  ASSERT_EQ(Write(*old_, 7 * kPage, "b"), 0);
  ASSERT_EQ(Write(*old_, 4 * kMiB - kPage, std::string(kPage, 'c')), 0);
  const auto store = Adopt();
  ASSERT_EQ(pwrite(old_->fd(), "x", 1, 9 * kPage), 1);
  EXPECT_EQ(Read(*store, 9 * kPage, 1), "x");
  EXPECT_FALSE(store->RecallSome()) << "it is small";
  ASSERT_EQ(pwrite(old_->fd(), "x", 1, 10 * kPage), 1);
  EXPECT_EQ(Read(*store, 10 * kPage, 1), std::string(1, '\0'));
  EXPECT_EQ(Read(*store, 0, 8 * kPage), std::string(6 * kPage, 'a') + std::string(kPage, '\0') +
                                            "b" + std::string(kPage - 1, '\0'));
  EXPECT_EQ(Read(*store, 4 * kMiB - kPage, kPage), std::string(kPage, 'c'));
  ASSERT_EQ(store->Discard(0, kPage), 0);
  EXPECT_EQ(Read(*store, 0, kPage + 1), std::string(kPage, '\0') + "a");
}

// A mapping outlives whoever opened the door.
TEST_F(AdoptedStore, AsksForWhatWasSharedEvenWhenRecalled) {
  ASSERT_TRUE(old_->Share().ok());
  const auto store = Adopt();
  while (store->RecallSome()) continue;
  ASSERT_EQ(pwrite(old_->fd(), "x", 1, 9 * kPage), 1);
  EXPECT_EQ(Read(*store, 9 * kPage, 1), "x");
}

// Whoever asks for a page meets somebody who tells the index of it.
TEST_F(AdoptedStore, IsReadWhileItIsRecalled) {
  constexpr uint64_t kPages = 512;
  ASSERT_EQ(Write(*old_, 0, std::string(kPages * kPage, 'a')), 0);
  for (int round = 0; round < 100; ++round) {
    const auto store = Adopt();
    std::atomic<int> waiting = 3;
    const auto together = [&waiting](auto&& work) {
      return std::thread([&waiting, work] {
        for (--waiting; waiting > 0;) continue;
        work();
      });
    };
    const auto read = [&store] {
      char bytes[512];
      for (uint64_t page = 0; page < kPages; ++page) {
        ASSERT_EQ(store->CopyOut(page * kPage + 512, sizeof bytes, bytes), 0);
        ASSERT_EQ(bytes[511], 'a');
      }
    };
    std::thread threads[] = {together(read), together(read),
                             together([&store] { store->RecallSome(); })};
    for (std::thread& each : threads) each.join();
  }
}

// What is punched meanwhile stays so, and what is stored meanwhile is there.
TEST_F(AdoptedStore, RecallsBesideRequests) {
  constexpr uint64_t kPages = 4 * kMiB / kPage;
  for (int round = 0; round < 50; ++round) {
    const auto old = NewStore(4 * kMiB);
    for (uint64_t page = 0; page < kPages; page += 3) {
      ASSERT_EQ(Write(*old, page * kPage, std::string(kPage, 'a')), 0);
    }
    MemoryLimit memory(8 * kMiB);
    const auto store =
        *PageStore::Adopt("adopted", memory, MemfdKeeper::None(), Duplicate(old->fd()), UniqueFd());
    std::thread recaller([&store] {
      while (store->RecallSome()) continue;
    });
    for (uint64_t page = 0; page < kPages; page += 2) {
      EXPECT_EQ(page % 4 == 0 ? store->Discard(page * kPage, kPage)
                              : Write(*store, page * kPage, std::string(kPage, 'b')),
                0);
    }
    for (uint64_t page = 3; page < kPages; page += 6) {
      ASSERT_EQ(Read(*store, page * kPage, 1), "a") << page;
    }
    recaller.join();
    for (uint64_t page = 0; page < kPages; ++page) {
      const char expected = page % 4 == 0 ? '\0' : page % 2 == 0 ? 'b' : page % 3 == 0 ? 'a' : '\0';
      ASSERT_EQ(Read(*store, page * kPage, 1), std::string(1, expected)) << page;
    }
    EXPECT_EQ(memory.used_bytes(), AllocatedBytes(*store));
  }
}

}  // namespace
}  // namespace rnullfs
