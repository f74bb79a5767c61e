// Snapshots of a store that is being written to: each is a moment that there was.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "from_environment.h"
#include "past/past.h"
#include "past_util.h"

namespace rnullfs {
namespace {

constexpr int kWriters = 3;
constexpr uint64_t kPagesEach = 64;
constexpr uint64_t kSize = kWriters * kPagesEach * kPage;

std::string PageOf(uint64_t round) {
  std::string page(kPage, static_cast<char>(round));
  std::memcpy(page.data(), &round, sizeof round);
  return page;
}

uint64_t RoundOf(const std::string& bytes, uint64_t page) {
  uint64_t round = 0;
  std::memcpy(&round, bytes.data() + page * kPage, sizeof round);
  EXPECT_TRUE(bytes.substr(page * kPage, kPage) == PageOf(round)) << page;
  return round;
}

// Writes its pages one after the other, each round as the last one: at any moment the first ones
// have the round that is under way, and the others the one before.
class Writers {
 public:
  explicit Writers(Past& past) : past_(past) {
    for (uint64_t page = 0; page < kWriters * kPagesEach; ++page) Write(page, 0);
    for (int i = 0; i < kWriters; ++i) threads_.emplace_back([this, i] { Run(i); });
  }
  ~Writers() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

  // The rounds that have been answered, by writer; in pages.
  std::array<uint64_t, kWriters> Answered() const {
    std::array<uint64_t, kWriters> answered;
    for (int i = 0; i < kWriters; ++i) answered[i] = answered_[i];
    return answered;
  }

 private:
  void Write(uint64_t page, uint64_t round) {
    EXPECT_EQ(past_.Write(page * kPage, kPage, PageOf(round).data()), 0);
  }
  void Run(int writer) {
    for (uint64_t round = 1; !stop_; ++round) {
      for (uint64_t i = 0; i < kPagesEach; ++i) {
        Write(writer * kPagesEach + i, round);
        ++answered_[writer];
      }
    }
  }

  Past& past_;
  std::atomic<bool> stop_{false};
  std::array<std::atomic<uint64_t>, kWriters> answered_{};
  std::vector<std::thread> threads_;
};

// How many pages had been written by then, by the bytes.
uint64_t PagesWritten(const std::string& bytes, int writer) {
  uint64_t written = 0;
  uint64_t before = UINT64_MAX;
  for (uint64_t i = 0; i < kPagesEach; ++i) {
    const uint64_t round = RoundOf(bytes, writer * kPagesEach + i);
    if (before != UINT64_MAX) {
      EXPECT_LE(round, before) << "a later page is there without one that was answered before it";
      EXPECT_GE(round + 1, before);
    }
    before = round;
    written += round;
  }
  return written;
}

TEST(PastThreads, SnapshotsAreMoments) {
  const std::unique_ptr<PageStore> store = NewStore(kSize);
  const std::unique_ptr<Past> past =
      *Past::Create("past", test_memory, MemfdKeeper::None(), *store);
  const uint64_t rounds = FromEnvironment("RNULLFS_TEST_STEPS", 60);
  Writers writers(*past);
  std::vector<std::pair<uint64_t, std::string>> held;
  for (uint64_t i = 0; i < rounds; ++i) {
    if (i % 20 == 10) past->SetHistory(i % 40 == 10 ? kSize / 4 : 0);
    const auto before = writers.Answered();
    const uint64_t moment = past->Hold();
    const auto after = writers.Answered();
    const std::string bytes = Read(*past->ViewAt(moment, kSize, true), 0, kSize);
    for (int writer = 0; writer < kWriters; ++writer) {
      const uint64_t written = PagesWritten(bytes, writer);
      EXPECT_GE(written, before[writer]) << "what had been answered is missing";
      EXPECT_LE(written, after[writer] + 1) << "what was written later is there";
    }
    held.emplace_back(moment, bytes);
    if (held.size() < 5) continue;
    for (const auto& [each, was] : held) {
      // Not EQ: it would print them.
      ASSERT_TRUE(Read(*past->ViewAt(each, kSize, true), 0, kSize) == was) << each;
    }
    const auto gone = held.begin() + static_cast<int64_t>(i % held.size());
    past->Release(gone->first);
    held.erase(gone);
  }
}

// Looks at moments, of which the history forgets some, while what they stand on is rearranged.
TEST(PastThreads, ViewsMayBeReadBesideEverything) {
  const std::unique_ptr<PageStore> store = NewStore(kSize);
  const std::unique_ptr<Past> past =
      *Past::Create("past", test_memory, MemfdKeeper::None(), *store);
  Writers writers(*past);
  const uint64_t held = past->Hold();
  const std::string was = Read(*past->ViewAt(held, kSize, true), 0, kSize);
  std::atomic<bool> stop{false};
  const auto look = [&](bool of_history) {
    while (!stop) {
      const auto view = past->ViewAt(of_history ? past->oldest() : held, kSize, !of_history);
      std::string bytes;
      const int error = view->Read(0, kSize, [&](absl::Span<const iovec> blocks) {
        for (const iovec& block : blocks) {
          bytes.append(static_cast<const char*>(block.iov_base), block.iov_len);
        }
      });
      EXPECT_TRUE(error == 0 || (of_history && error == ESTALE)) << error;
      EXPECT_TRUE(of_history || bytes == was);
      EXPECT_LE(view->NextData(kSize / 2), kSize);
      EXPECT_LE(view->NextHole(kSize / 2), kSize);
    }
  };
  std::thread at_history(look, true);
  std::thread at_snapshot(look, false);
  const uint64_t rounds = FromEnvironment("RNULLFS_TEST_STEPS", 60);
  for (uint64_t i = 0; i < rounds; ++i) {
    past->SetHistory(i % 3 == 0 ? 0 : i % 7 * kPage);
    const uint64_t moment = past->Hold();
    past->Rearrange([&]() -> Store& { return *store; });
    past->Release(moment);
  }
  stop = true;
  at_history.join();
  at_snapshot.join();
}

}  // namespace
}  // namespace rnullfs
