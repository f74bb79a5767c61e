// Pages are atomic: whatever overlaps, no page ever mixes the bytes of two calls.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "store_util.h"

namespace rnullfs {
namespace {

constexpr uint64_t kPages = 48;
constexpr uint64_t kLongest = 20;  // pages: calls span two stripes, and overlap often

struct Range {
  uint64_t offset;
  uint64_t length;
};

// Whole pages: what a call leaves of a page that it covers partly is not all its own.
Range AnyRange(std::mt19937& random) {
  const uint64_t first = random() % kPages;
  const uint64_t count = 1 + random() % std::min(kLongest, kPages - first);
  return {first * kPage, count * kPage};
}

bool IsOneByte(const char* page) { return std::memcmp(page, page + 1, kPage - 1) == 0; }

// Each call makes its pages one byte: a letter of its own, or zero.
void Change(PageStore& store, std::mt19937& random, int steps) {
  for (int step = 0; step < steps; ++step) {
    const auto [offset, length] = AnyRange(random);
    switch (random() % 8) {
      case 0:
        EXPECT_EQ(store.Discard(offset, length), 0);
        break;
      case 1:
        EXPECT_EQ(store.WriteZeroes(offset, length), 0);
        break;
      case 2:
        EXPECT_EQ(store.Allocate(offset, length), 0);
        break;
      default:
        EXPECT_EQ(Write(store, offset, std::string(length, static_cast<char>('a' + random() % 26))),
                  0);
    }
  }
}

// Looks at the store's own memory, not at a copy, for as long as it is lent.
int CountMixedPages(PageStore& store, const Range& range) {
  int mixed = 0;
  store.Read(range.offset, range.length, [&mixed](absl::Span<const iovec> blocks) {
    for (const iovec& block : blocks) {
      const char* const bytes = static_cast<const char*>(block.iov_base);
      for (uint64_t at = 0; at < block.iov_len; at += kPage) mixed += IsOneByte(bytes + at) ? 0 : 1;
    }
  });
  return mixed;
}

TEST(PageStoreThreads, NoPageIsEverMixed) {
  const auto store = NewStore(kPages * kPage);
  std::atomic<bool> done{false};
  std::atomic<int> mixed{0};
  std::vector<std::thread> writers;
  std::vector<std::thread> readers;
  for (unsigned seed = 0; seed < 3; ++seed) {
    writers.emplace_back([&store, seed] {
      std::mt19937 random(seed);
      Change(*store, random, 1000);
    });
  }
  for (unsigned seed = 100; seed < 102; ++seed) {
    readers.emplace_back([&, seed] {
      std::mt19937 random(seed);
      while (!done) mixed += CountMixedPages(*store, AnyRange(random));
    });
  }
  for (std::thread& writer : writers) writer.join();
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(mixed, 0);
  EXPECT_EQ(AllocatedBytes(*store), store->stored_pages() * kPage);
  EXPECT_EQ(CountMixedPages(*store, {0, kPages * kPage}), 0);
}

// Neighbouring sectors, each with an owner: whoever comes first to a page allocates it, and no
// write may undo another's.
TEST(PageStoreThreads, NoSectorIsLost) {
  constexpr uint64_t kNewPages = 2000;
  const auto store = NewStore(kNewPages * kPage);
  std::vector<std::thread> owners;
  for (uint64_t sector = 0; sector < 4; ++sector) {
    owners.emplace_back([&store, sector] {
      const std::string data(512, static_cast<char>('a' + sector));
      for (uint64_t page = 0; page < kNewPages; ++page) {
        EXPECT_EQ(Write(*store, page * kPage + sector * 512, data), 0);
      }
    });
  }
  for (std::thread& owner : owners) owner.join();
  ExpectStoredPages(*store, kNewPages);
  const std::string expected = std::string(512, 'a') + std::string(512, 'b') +
                               std::string(512, 'c') + std::string(512, 'd') +
                               std::string(2048, '\0');
  for (uint64_t page = 0; page < kNewPages; ++page) {
    ASSERT_EQ(Read(*store, page * kPage, kPage), expected);
  }
}

// The windows of an arena are mapped by whoever comes first.
TEST(PageStoreThreads, FirstTouchOfManyWindows) {
  constexpr uint64_t kWindows = 64;
  const auto store = NewStore(kWindows * kGiB);
  std::vector<std::thread> writers;
  for (uint64_t writer = 0; writer < 4; ++writer) {
    writers.emplace_back([&store, writer] {
      for (uint64_t window = 0; window < kWindows; ++window) {
        EXPECT_EQ(Write(*store, window * kGiB + writer * kPage, std::to_string(window)), 0);
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  ExpectStoredPages(*store, 4 * kWindows);
  for (uint64_t window = 0; window < kWindows; ++window) {
    const std::string text = std::to_string(window);
    for (uint64_t writer = 0; writer < 4; ++writer) {
      EXPECT_EQ(Read(*store, window * kGiB + writer * kPage, text.size()), text);
    }
  }
}

// Seeking takes no lock; a page that is stored all the time must be found all the time.
TEST(PageStoreThreads, SeekingBesideWriters) {
  const auto store = NewStore(kTiB);
  ASSERT_EQ(Write(*store, kTiB - kPage, "x"), 0);
  std::atomic<bool> done{false};
  std::thread writer([&] {
    std::mt19937_64 random(1);
    for (int step = 0; step < 3000; ++step) {
      const uint64_t offset = random() % (kTiB / kPage / 2) * kPage;
      EXPECT_EQ(Write(*store, offset, "y"), 0);
      EXPECT_EQ(store->Discard(offset, kPage), 0);
    }
    done = true;
  });
  int missed = 0;
  while (!done) missed += store->NextData(kTiB / 2) == kTiB - kPage ? 0 : 1;
  writer.join();
  EXPECT_EQ(missed, 0);
}

// As a reader that closes the disk and removes it before the thread which answered has returned.
TEST(PageStoreThreads, WhoHasTheAnswerMayDestroyTheStore) {
  for (int round = 0; round < 200; ++round) {
    std::unique_ptr<PageStore> store = NewStore(kPages * kPage);
    std::atomic<bool> answered{false};
    std::thread answers([&answered, &store = *store] {
      store.Read(0, kPages * kPage, [&](absl::Span<const iovec>) { answered = true; });
    });
    while (!answered) std::this_thread::yield();
    store.reset();
    answers.join();
  }
}

}  // namespace
}  // namespace rnullfs
