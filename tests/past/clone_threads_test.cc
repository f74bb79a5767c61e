// A clone that is read, written and made to stand alone by several threads at once.

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "from_environment.h"
#include "past/clone_store.h"
#include "past/past.h"
#include "past_util.h"

namespace rnullfs {
namespace {

constexpr int kWriters = 3;
constexpr uint64_t kPages = 300;
constexpr uint64_t kSize = kPages * kPage;

// Each page is of one letter, which only its writer changes; he knows which.
class ClonedByThreads : public testing::Test {
 protected:
  ClonedByThreads() : base_(NewStore(kSize)), own_(NewStore(kSize)) {
    for (uint64_t page = 0; page < kPages; page += 2) {
      EXPECT_EQ(base_->Write(page * kPage, kPage, Pages("b").data()), 0);
    }
    below_ = *Past::Create("past", test_memory, MemfdKeeper::None(), *base_);
    std::shared_ptr<View> origin = below_->ViewAt(below_->Hold(), kSize, true);
    clone_ = *CloneStore::Create(*own_, std::move(origin), NewStore(0));
  }

  // Until `stop`: writer `number` has the pages that have this remainder.
  void ChangePages(int number, const std::atomic<bool>& stop) {
    std::mt19937 random(number);
    std::string letters;
    for (uint64_t page = 0; page < kPages; ++page) letters += page % 2 == 0 ? 'b' : '.';
    while (!stop) {
      const uint64_t page = random() % (kPages / kWriters) * kWriters + number;
      const uint64_t kind = random() % 4;
      if (kind == 0) {
        EXPECT_EQ(clone_->Discard(page * kPage, kPage), 0);
        letters[page] = '.';
      } else if (kind < 3) {
        letters[page] = static_cast<char>('c' + random() % 20);
        const std::string bytes = Pages(letters.substr(page, 1));
        EXPECT_EQ(clone_->Write(page * kPage, kPage, bytes.data()), 0);
      }
      EXPECT_EQ(Letters(Read(*clone_, page * kPage, kPage)), letters.substr(page, 1));
      ++steps_;
    }
    const LockGuard lock(mutex_);
    for (uint64_t page = number; page < kPages; page += kWriters) expected_[page] = letters[page];
  }

  // What is read across the pages of all of them has no page in between.
  void ReadAcross(const std::atomic<bool>& stop) {
    std::mt19937 random(99);
    while (!stop) {
      const uint64_t begin = random() % kPages;
      const uint64_t count = random() % (kPages - begin) + 1;
      EXPECT_EQ(Letters(Read(*clone_, begin * kPage, count * kPage)).find('!'), std::string::npos);
      EXPECT_LE(clone_->NextData(begin * kPage), kSize);
      EXPECT_LE(clone_->NextHole(begin * kPage), kSize);
    }
  }

  // Until the writers have done so much more.
  void Wait(uint64_t steps) const {
    const uint64_t end = steps_ + steps;
    while (steps_ < end) std::this_thread::yield();
  }

  // The origin is a disk that goes on.
  void WriteToOrigin(const std::atomic<bool>& stop) {
    std::mt19937 random(98);
    while (!stop) {
      const uint64_t page = random() % kPages;
      EXPECT_EQ(below_->Write(page * kPage, kPage, Pages("X").data()), 0);
    }
  }

  const std::unique_ptr<PageStore> base_;
  const std::unique_ptr<PageStore> own_;
  std::unique_ptr<Past> below_;
  std::unique_ptr<CloneStore> clone_;
  std::atomic<uint64_t> steps_{0};
  Mutex mutex_;
  std::string expected_ = std::string(kPages, '?');
};

TEST_F(ClonedByThreads, IsADiskOfItsOwnAndThenAlone) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < kWriters; ++i) threads.emplace_back([&, i] { ChangePages(i, stop); });
  threads.emplace_back([&] { ReadAcross(stop); });
  threads.emplace_back([&] { WriteToOrigin(stop); });
  const uint64_t steps = FromEnvironment("RNULLFS_TEST_STEPS", 1000);
  Wait(steps);
  while (clone_->StandAlone(/*pages_max=*/32) == EAGAIN) std::this_thread::yield();
  EXPECT_TRUE(clone_->stands_alone());
  Wait(steps);
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Letters(Read(*clone_, 0, kSize)), expected_);
  EXPECT_EQ(Letters(Read(*own_, 0, kSize)), expected_);
}

}  // namespace
}  // namespace rnullfs
