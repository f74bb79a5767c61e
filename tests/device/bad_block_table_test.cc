#include "device/bad_block_table.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace rnullfs {
namespace {

constexpr uint64_t kSector = 512;

using Rules = BadBlockTable::Rules;
using Verdict = BadBlockTable::Verdict;

BadBlocks Of(std::string_view text) {
  BadBlocks bad_blocks;
  EXPECT_TRUE(bad_blocks.Edit(text).ok()) << text;
  return bad_blocks;
}

// A table, and how often an entry of it was spent.
struct Medium {
  explicit Medium(std::string_view text) { EXPECT_TRUE(table.Replace(BadBlocks(), Of(text))); }

  int spent = 0;
  BadBlockTable table{[this] { ++spent; }};
};

TEST(BadBlockTable, LetsAllPassWithoutBadBlocks) {
  BadBlockTable table;
  EXPECT_FALSE(table.armed());
  const Verdict verdict = table.Check(0, 4096, {.once = true, .partial_io = true});
  EXPECT_EQ(verdict.error, 0);
  EXPECT_EQ(verdict.good_bytes, 4096);
}

TEST(BadBlockTable, FailsWhatTouchesABadSector) {
  const struct {
    uint64_t offset;
    uint64_t length;
    int error;
  } cases[] = {
      {0, 8 * kSector, 0},
      {0, 8 * kSector + 1, EIO},  // a byte of a sector touches it
      {0, 9 * kSector, EIO},
      {8 * kSector, 1, EIO},
      {10 * kSector - 1, 1, EIO},
      {10 * kSector - 1, 4096, EIO},
      {10 * kSector, 10 * kSector, 0},
      {10 * kSector, 10 * kSector + 1, EIO},
      {20 * kSector + 100, 10, EIO},
      {21 * kSector, uint64_t{1} << 40, 0},
      {0, uint64_t{1} << 40, EIO},
      // Nothing touches nothing.
      {9 * kSector, 0, 0},
      {0, 0, 0},
  };
  Medium medium("+8-9\n+20-20");
  for (const auto& c : cases) {
    const Verdict verdict = medium.table.Check(c.offset, c.length, {});
    EXPECT_EQ(verdict.error, c.error) << c.offset << ' ' << c.length;
    EXPECT_EQ(verdict.good_bytes, c.error == 0 ? c.length : 0) << c.offset << ' ' << c.length;
  }
  EXPECT_EQ(medium.table.Get(), Of("+8-9\n+20-20")) << "they stay bad";
  EXPECT_EQ(medium.spent, 0);
}

struct Partial {
  uint64_t first;  // sectors
  uint64_t sectors;
  std::array<uint64_t, 4> good;  // sectors that work with blocks of 512, 1024, 2048, 4096 bytes
};

// With one entry bad from sector 13 on, and another behind it.
constexpr Partial kPartial[] = {
    {8, 16, {5, 4, 4, 0}},  {0, 64, {13, 12, 12, 8}},
    {12, 4, {1, 0, 0, 0}},  {13, 3, {0, 0, 0, 0}},  // begins with the first bad one
    {14, 10, {0, 0, 0, 0}},                         // begins among them
    {0, 8, {8, 8, 8, 8}},
};

TEST(BadBlockTable, DoesAndForgetsByTheRules) {
  constexpr std::array<uint32_t, 4> kBlocksizes = {512, 1024, 2048, 4096};
  for (const Partial& request : kPartial) {
    const bool touches = request.first + request.sectors > 13;
    for (size_t i = 0; i < 2 * 2 * kBlocksizes.size(); ++i) {
      const Rules rules = {i % 2 == 1, i / 2 % 2 == 1, kBlocksizes.at(i / 4)};
      Medium medium("+13-15\n+30-30");
      const Verdict verdict =
          medium.table.Check(request.first * kSector, request.sectors * kSector, rules);
      const uint64_t good = rules.partial_io || !touches ? request.good.at(i / 4) : 0;
      const bool spent = rules.once && touches;
      const std::string what = std::to_string(request.first) + " rules " + std::to_string(i);
      EXPECT_EQ(verdict.error, touches ? EIO : 0) << what;
      EXPECT_EQ(verdict.good_bytes, good * kSector) << what;
      EXPECT_EQ(medium.table.Get(), spent ? Of("+30-30") : Of("+13-15\n+30-30")) << what;
      EXPECT_EQ(medium.spent, spent ? 1 : 0) << what;
    }
  }
}

TEST(BadBlockTable, CutsARequestThatBeginsWithinABlock) {
  Medium medium("+13-13");
  const Rules rules = {.partial_io = true, .blocksize = 4096};
  EXPECT_EQ(medium.table.Check(7 * kSector + 100, 4096, rules).good_bytes, kSector - 100);
  EXPECT_EQ(medium.table.Check(9 * kSector, 4096, rules).good_bytes, 0)
      << "the block of the bad sector begins before the request";
}

TEST(BadBlockTable, OnceForgetsAnEntryAtATime) {
  // A range of two entries, and one behind it.
  Medium medium("+100-1000\n+1002-1002");
  const Rules rules = {.once = true};
  const auto check = [&](uint64_t first, uint64_t last) {
    return medium.table.Check(first * kSector, (last - first + 1) * kSector, rules).error;
  };
  EXPECT_EQ(check(600, 2000), EIO);
  EXPECT_EQ(medium.table.Get(), Of("+612-1000\n+1002-1002")) << "the first that was touched";
  EXPECT_EQ(check(0, 611), 0);
  EXPECT_EQ(check(1000, 1000), EIO);
  EXPECT_EQ(medium.table.Get(), Of("+1002-1002"));
  EXPECT_EQ(check(0, 5000), EIO);
  EXPECT_FALSE(medium.table.armed());
  EXPECT_EQ(check(0, 5000), 0);
  EXPECT_EQ(medium.spent, 3);
}

TEST(BadBlockTable, OnceWorksWithoutTellingAnyone) {
  BadBlockTable table;
  ASSERT_TRUE(table.Replace(BadBlocks(), Of("+0-0")));
  EXPECT_EQ(table.Check(0, 512, {.once = true}).error, EIO);
  EXPECT_EQ(table.Check(0, 512, {.once = true}).error, 0);
}

TEST(BadBlockTable, TellsWithoutALockAfterwards) {
  BadBlockTable* asked = nullptr;
  BadBlocks seen = Of("+1-1");
  // Would wait for ever if the lock were held.
  BadBlockTable table([&] { seen = asked->Get(); });
  asked = &table;
  ASSERT_TRUE(table.Replace(BadBlocks(), Of("+0-0\n+8-8")));
  table.Check(0, 512, {.once = true});
  EXPECT_EQ(seen, Of("+8-8"));
}

TEST(BadBlockTable, ReplacesOnlyWhatIsExpected) {
  Medium medium("+8-9");
  EXPECT_TRUE(medium.table.armed());
  EXPECT_FALSE(medium.table.Replace(BadBlocks(), Of("+1-1")));
  EXPECT_FALSE(medium.table.Replace(Of("+8-10"), BadBlocks()));
  EXPECT_EQ(medium.table.Get(), Of("+8-9"));
  EXPECT_TRUE(medium.table.armed());
  EXPECT_EQ(medium.table.Check(8 * kSector, 1, {.once = true}).error, EIO);
  EXPECT_FALSE(medium.table.Replace(Of("+8-9"), Of("+8-10"))) << "spent meanwhile";
  EXPECT_TRUE(medium.table.Replace(BadBlocks(), Of("+1-1")));
  EXPECT_TRUE(medium.table.Replace(Of("+1-1"), BadBlocks()));
  EXPECT_FALSE(medium.table.armed());
}

TEST(BadBlockTable, OnceFailsExactlyOneRequestOfManyThreads) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 100;
  constexpr uint64_t kEntries = 500;
  BadBlocks bad_blocks;
  for (uint64_t i = 0; i < kEntries; ++i) ASSERT_TRUE(bad_blocks.Mark({2 * i, 2 * i}));
  int spent = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::atomic<int> told{0};
    BadBlockTable table([&] { ++told; });
    ASSERT_TRUE(table.Replace(BadBlocks(), bad_blocks));
    std::vector<std::atomic<int>> failed(2 * kEntries);
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        for (uint64_t sector = 0; sector < 2 * kEntries; ++sector) {
          if (table.Check(sector * kSector, kSector, {.once = true}).error != 0) ++failed[sector];
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (uint64_t sector = 0; sector < 2 * kEntries; ++sector) {
      ASSERT_EQ(failed[sector], sector % 2 == 0 ? 1 : 0) << sector;
    }
    EXPECT_FALSE(table.armed());
    spent += told;
  }
  EXPECT_EQ(spent, kRounds * static_cast<int>(kEntries));
}

TEST(BadBlockTable, LosesNothingThatIsWrittenWhileEntriesAreSpent) {
  constexpr uint64_t kEntries = 200;
  BadBlockTable table;
  std::atomic<bool> done{false};
  std::atomic<uint64_t> failed{0};
  std::thread reader([&] {
    while (!done || !table.Get().empty()) {
      if (table.Check(0, uint64_t{1} << 30, {.once = true}).error != 0) ++failed;
    }
  });
  for (uint64_t i = 0; i < kEntries; ++i) {
    for (;;) {
      const BadBlocks before = table.Get();
      BadBlocks after = before;
      after.Mark({2 * i, 2 * i});
      if (table.Replace(before, after)) break;
    }
  }
  done = true;
  reader.join();
  EXPECT_EQ(failed, kEntries) << "each entry once";
}

}  // namespace
}  // namespace rnullfs
