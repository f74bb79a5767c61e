// XArray: readers beside writers, and writers beside each other.
//
// Every entry tells its index, so that a reader notices one that belongs elsewhere.  Most value is
// in running this under ThreadSanitizer and AddressSanitizer.

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "rnullfs/xarray.h"
#include "xarray_test_util.h"

namespace rnullfs {
namespace {

constexpr uint64_t kMax = UINT64_MAX;

template <typename FanOutType>
class XArrayConcurrencyTest : public XArrayTest<FanOutType> {
 protected:
  // Indices 0, 8, .. below kSpan stay stored; whatever lies between comes and goes.
  static constexpr uint64_t kSpan = 512;
  static constexpr uint64_t kStep = 8;
  static constexpr uint64_t kFar = uint64_t{1} << 63;  // makes the tree as high as it gets

  void StoreFixed() {
    for (uint64_t index = 0; index < kSpan; index += kStep) this->StoreAll({index});
  }

  // Runs `reader(seed)` over and over on two threads until a writer has made its changes.
  void RunBesideWriter(const std::function<void(uint64_t seed)>& reader) {
    std::atomic<bool> done{false};
    std::vector<std::thread> readers;
    for (uint64_t seed = 1; seed <= 2; ++seed) {
      readers.emplace_back([&done, &reader, seed] {
        for (uint64_t turn = seed; !done; turn += 2) reader(turn);
      });
    }
    Churn(1000);
    done = true;
    for (std::thread& thread : readers) thread.join();
  }

 private:
  void Churn(int rounds) {
    std::mt19937_64 random(1);
    for (int round = 0; round < rounds; ++round) {
      const uint64_t index = random() % kSpan | 1;  // never one of the fixed ones
      this->array_.Store(index, EntryOf(index));
      if (round % 2 == 0) this->array_.Store(kFar + index, EntryOf(kFar + index));
      this->array_.Erase(random() % kSpan | 1);
      const uint64_t group = random() % kSpan / kStep * kStep;
      this->array_.EraseRange(group + 1, group + kStep - 1);
      if (round % 4 == 3) this->array_.EraseRange(kSpan, kMax);  // lowers the tree again
    }
  }
};
TYPED_TEST_SUITE(XArrayConcurrencyTest, FanOuts, FanOutName);

TYPED_TEST(XArrayConcurrencyTest, LoadsBesideAWriter) {
  this->StoreFixed();
  this->RunBesideWriter([this](uint64_t seed) {
    std::mt19937_64 random(seed);
    typename TestFixture::Array::Cursor cursor(this->array_);
    for (int i = 0; i < 50; ++i) {
      const uint64_t index = random() % this->kSpan + (random() % 4 == 0 ? this->kFar : 0);
      const bool fixed = index < this->kSpan && index % this->kStep == 0;
      for (void* const entry : {this->array_.Load(index), cursor.Load(index)}) {
        ASSERT_TRUE(entry == EntryOf(index) || (entry == nullptr && !fixed)) << index;
      }
    }
  });
}

TYPED_TEST(XArrayConcurrencyTest, WalksBesideAWriter) {
  this->StoreFixed();
  this->RunBesideWriter([this](uint64_t) {
    uint64_t fixed = 0;
    uint64_t next = 0;
    this->array_.ForEach(0, kMax, [&](uint64_t index, void* entry) {
      ASSERT_GE(index, next) << "out of order";
      ASSERT_EQ(entry, EntryOf(index));
      next = index + 1;
      if (index < this->kSpan && index % this->kStep == 0) ++fixed;
    });
    ASSERT_EQ(fixed, this->kSpan / this->kStep) << "missed an entry that was there throughout";
  });
}

TYPED_TEST(XArrayConcurrencyTest, FindsBesideAWriter) {
  this->StoreFixed();
  this->RunBesideWriter([this](uint64_t seed) {
    uint64_t index = seed % this->kSpan;
    const uint64_t fixed = (index + this->kStep - 1) / this->kStep * this->kStep;
    void* const entry = this->array_.Find(&index, kMax);
    ASSERT_TRUE(fixed == this->kSpan || index <= fixed) << "passed over " << fixed;
    ASSERT_TRUE(entry == nullptr || entry == EntryOf(index));
  });
}

// The root that is taken away had slots past the greatest index, which its retries fill, too.
TYPED_TEST(XArrayConcurrencyTest, NothingIsFoundBehindWhereASearchBegan) {
  this->StoreAll({0});
  std::atomic<bool> done{false};
  std::thread reader([&] {
    while (!done) {
      uint64_t index = this->kSpan;
      if (this->array_.Find(&index, kMax) == nullptr) continue;
      ASSERT_EQ(index, kMax);
    }
  });
  for (int round = 0; round < 5'000; ++round) {
    this->array_.Store(kMax, EntryOf(kMax));
    this->array_.Erase(kMax);
  }
  done = true;
  reader.join();
}

// One thread replaces a leaf and tells the other, whose cursor still has the old one.
TYPED_TEST(XArrayConcurrencyTest, ACursorIsNeverBehindWhatItsThreadKnows) {
  constexpr uint64_t kRounds = 500;
  std::atomic<uint64_t> stored{0};
  std::atomic<uint64_t> seen{0};
  std::thread reader([&] {
    for (uint64_t round = 1; round <= kRounds; ++round) {
      typename TestFixture::Array::Cursor cursor(this->array_);
      cursor.Load(0);
      seen.store(2 * round - 1, std::memory_order_release);
      while (stored.load(std::memory_order_acquire) < round) std::this_thread::yield();
      EXPECT_EQ(cursor.Load(0), XArray::MakeValue(round));
      seen.store(2 * round, std::memory_order_release);
    }
  });
  for (uint64_t round = 1; round <= kRounds; ++round) {
    while (seen.load(std::memory_order_acquire) < 2 * round - 1) std::this_thread::yield();
    this->array_.Clear();
    this->array_.Store(round % 2 == 0 ? kMax : 1, XArray::MakeValue(0));
    this->array_.Store(0, XArray::MakeValue(round));
    stored.store(round, std::memory_order_release);
    while (seen.load(std::memory_order_acquire) < 2 * round) std::this_thread::yield();
  }
  reader.join();
}

TYPED_TEST(XArrayConcurrencyTest, WritersOnTheSameLeaves) {
  constexpr uint64_t kWriters = 3;
  std::vector<std::thread> writers;
  for (uint64_t writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([this, writer] {
      for (int round = 0; round < 4; ++round) {
        for (uint64_t index = writer; index < 600; index += kWriters) {
          EXPECT_EQ(this->array_.Store(index, EntryOf(index)).old, nullptr);
        }
        for (uint64_t index = writer; index < 600; index += kWriters) {
          if (round < 3 || index % 2 == 0) {
            EXPECT_EQ(this->array_.Erase(index), EntryOf(index));
          }
        }
      }
    });
  }
  for (std::thread& thread : writers) thread.join();
  std::set<uint64_t> left;
  for (uint64_t index = 1; index < 600; index += 2) left.insert(index);
  this->ExpectExactly(left);
}

TYPED_TEST(XArrayConcurrencyTest, CmpXchgHasOneWinner) {
  constexpr uint64_t kCount = 1000;
  constexpr uint64_t kWriters = 3;
  std::atomic<uint64_t> wins{0};
  std::vector<std::thread> writers;
  for (uint64_t writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([this, writer, &wins] {
      for (uint64_t index = 0; index < kCount; ++index) {
        void* const mine = XArray::MakeValue(writer);
        void* const old = this->array_.CmpXchg(index, nullptr, mine).old;
        if (old == nullptr) ++wins;
        ASSERT_EQ(this->array_.Load(index), old == nullptr ? mine : old);
      }
    });
  }
  for (std::thread& thread : writers) thread.join();
  EXPECT_EQ(wins, kCount);
}

}  // namespace
}  // namespace rnullfs
