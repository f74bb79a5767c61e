#include "store/write_cache.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "cached_disk.h"

namespace rnullfs {
namespace {

// Two pages, "dddddddd........" on the disk, with "cccc" cached from the seventh sector on.
TEST(WriteCache, DoesWhatEachCallSays) {
  const struct {
    std::string_view call;
    int (*make)(CachedDisk& disk);
    std::string_view reads, disk;
    uint64_t cached_pages, written_back;
  } cases[] = {
      {"none", [](CachedDisk&) { return 0; }, "ddddddcccc......", "dddddddd........", 2, 0},
      {"write anew", [](CachedDisk& disk) { return disk.Write(0, Sectors("n")); },
       "ndddddcccc......", "dddddddd........", 2, 0},
      {"write over", [](CachedDisk& disk) { return disk.Write(7 * kSector, Sectors("nnnn")); },
       "ddddddcnnnn.....", "dddddddd........", 2, 0},
      {"write through", [](CachedDisk& disk) { return disk.WriteThrough(0, Sectors("tttttttt")); },
       "ttttttttcc......", "tttttttt........", 1, 0},
      {"write a part through",
       [](CachedDisk& disk) { return disk.WriteThrough(7 * kSector, Sectors("tt")); },
       "ddddddcttc......", "dddddddtt.......", 2, 0},
      {"flush", [](CachedDisk& disk) { return disk.cache().Flush(); }, "ddddddcccc......",
       "ddddddcccc......", 0, 2},
      {"discard", [](CachedDisk& disk) { return disk.cache().Discard(0, 2 * kPage); },
       "................", "................", 0, 0},
      {"discard a page", [](CachedDisk& disk) { return disk.cache().Discard(kPage, kPage); },
       "ddddddcc........", "dddddddd........", 1, 0},
      {"discard a part",
       [](CachedDisk& disk) { return disk.cache().Discard(5 * kSector, 2 * kSector); },
       "ddddd..ccc......", "ddddd..d........", 2, 0},
      {"write zeroes",
       [](CachedDisk& disk) { return disk.cache().WriteZeroes(7 * kSector, 2 * kSector); },
       "ddddddc..c......", "ddddddd.........", 2, 0},
      {"allocate", [](CachedDisk& disk) { return disk.cache().Allocate(0, 2 * kPage); },
       "ddddddcccc......", "dddddddd........", 2, 0},
      {"nothing", [](CachedDisk& disk) { return disk.cache().Discard(7 * kSector, 0); },
       "ddddddcccc......", "dddddddd........", 2, 0},
      {"be killed", [](CachedDisk& disk) { return disk.BeKilled(), 0; }, "ddddddcccc......",
       "dddddddd........", 2, 0},
  };
  for (const auto& expected : cases) {
    SCOPED_TRACE(expected.call);
    CachedDisk disk(2 * kPage, kMiB);
    ASSERT_EQ(Write(disk.disk(), 0, Sectors("dddddddd")), 0);
    ASSERT_EQ(disk.Write(6 * kSector, Sectors("cccc")), 0);
    EXPECT_EQ(expected.make(disk), 0);
    EXPECT_EQ(Letters(disk.Read(0, 2 * kPage)), expected.reads);
    EXPECT_EQ(Letters(Read(disk.disk(), 0, 2 * kPage)), expected.disk);
    EXPECT_EQ(disk.cache().cached_pages(), expected.cached_pages);
    EXPECT_EQ(disk.written_back(), expected.written_back);
  }
}

TEST(WriteCache, ReadsAnyPart) {
  CachedDisk disk(4 * kPage, kMiB);
  ASSERT_EQ(Write(disk.disk(), 0, Sectors("abcdefghijklmnopqrstuvwxyzABCDEF")), 0);
  ASSERT_EQ(disk.Write(7 * kSector, Sectors("012")), 0);
  const std::string_view all = "abcdefg012klmnopqrstuvwxyzABCDEF";
  for (uint64_t first = 0; first < all.size(); ++first) {
    for (uint64_t count = 0; count <= all.size() - first; ++count) {
      EXPECT_EQ(Letters(disk.Read(first * kSector, count * kSector)), all.substr(first, count));
    }
  }
  EXPECT_EQ(disk.Read(9 * kSector - 1, 3), "122") << "not at a block";
}

TEST(WriteCache, WritesBackSixteenPagesFromTheCursorWhenItIsFull) {
  CachedDisk disk(2 * kMiB, kMiB);
  for (uint64_t page = 0; page < 256; ++page) {
    ASSERT_EQ(disk.Write((2 * page + 1) * kPage, Sectors("c")), 0);
    ASSERT_EQ(disk.cache().cached_pages(), page + 1);
  }
  EXPECT_EQ(disk.written_back(), 0) << "1 MiB are 256 pages";
  ASSERT_EQ(disk.Write(kPage, Sectors("d")), 0);
  EXPECT_EQ(disk.written_back(), 0) << "a page that is there needs no room";

  ASSERT_EQ(disk.Write(0, Sectors("e")), 0);
  EXPECT_EQ(disk.written_back(), 16);
  EXPECT_EQ(disk.cache().cached_pages(), 241);
  ExpectStoredPages(disk.disk(), 16);
  EXPECT_EQ(disk.disk().NextData(0), kPage);
  EXPECT_EQ(disk.disk().NextData(31 * kPage + 1), 31 * kPage + 1);
  EXPECT_EQ(disk.disk().NextData(32 * kPage), 2 * kMiB);

  // The other odd pages, 16 at a time; page 0 came behind the cursor.
  for (uint64_t page = 2; page <= 480; page += 2) {
    ASSERT_EQ(disk.Write(page * kPage, Sectors("f")), 0);
    ASSERT_LE(disk.cache().cached_pages(), 256);
  }
  EXPECT_EQ(disk.written_back(), 256);
  EXPECT_EQ(disk.cache().cached_pages(), 241);
  EXPECT_EQ(disk.disk().NextData(0), kPage);
  EXPECT_EQ(disk.disk().NextData(510 * kPage), 511 * kPage);
  EXPECT_EQ(Letters(Read(disk.disk(), kPage, kSector)), "d");

  // And around the end.
  for (uint64_t page = 482; page <= 510; page += 2) {
    ASSERT_EQ(disk.Write(page * kPage, Sectors("g")), 0);
  }
  EXPECT_EQ(disk.cache().cached_pages(), 256);
  ASSERT_EQ(disk.Write(511 * kPage, Sectors("h")), 0);
  EXPECT_EQ(disk.written_back(), 256 + 16);
  EXPECT_EQ(Letters(Read(disk.disk(), 0, kSector)), "e");
  EXPECT_EQ(Letters(Read(disk.disk(), 30 * kPage, kSector)), "f");
  EXPECT_EQ(disk.disk().NextHole(0), 32 * kPage);
}

TEST(WriteCache, HasAtLeastAPage) {
  CachedDisk disk(2 * kPage, 1);
  ASSERT_EQ(disk.Write(0, Sectors("aaaaaaaabbbbbbbb")), 0);
  EXPECT_EQ(disk.cache().cached_pages(), 1);
  EXPECT_EQ(Letters(Read(disk.disk(), 0, 2 * kPage)), "aaaaaaaa........");
  EXPECT_EQ(Letters(disk.Read(0, 2 * kPage)), "aaaaaaaabbbbbbbb");
}

TEST(WriteCache, WritesBackOnlyWhatIsCached) {
  CachedDisk disk(kMiB, kMiB);
  ASSERT_EQ(disk.Write(kSector, Sectors("ab")), 0);
  ASSERT_EQ(disk.Write(5 * kSector, Sectors("c")), 0);
  ASSERT_EQ(disk.Write(7 * kSector, Sectors("d")), 0);
  // What the disk has got meanwhile stays where nothing is cached.
  ASSERT_EQ(Write(disk.disk(), 0, Sectors("01234567")), 0);
  ASSERT_EQ(disk.cache().Flush(), 0);
  EXPECT_EQ(Letters(Read(disk.disk(), 0, kPage)), "0ab34c6d");
  EXPECT_EQ(disk.written_back(), 1);
}

TEST(WriteCache, FindsDataAndHoles) {
  CachedDisk disk(16 * kPage, kMiB);
  EXPECT_EQ(disk.cache().NextData(0), 16 * kPage);
  EXPECT_EQ(disk.cache().NextHole(0), 0);
  ASSERT_EQ(Write(disk.disk(), 2 * kPage, "d"), 0);
  ASSERT_EQ(disk.Write(3 * kPage, Sectors("cc")), 0);
  ASSERT_EQ(disk.Write(9 * kPage + 2 * kSector, Sectors("c")), 0);
  ASSERT_EQ(disk.Write(15 * kPage, Sectors("cccccccc")), 0);
  const struct {
    uint64_t from, data, hole;  // all in sectors
  } cases[] = {
      {0, 16, 0},   {16, 16, 26}, {23, 23, 26},  {24, 24, 26},    {25, 25, 26},    {26, 74, 26},
      {73, 74, 73}, {74, 74, 75}, {75, 120, 75}, {119, 120, 119}, {120, 120, 128}, {127, 127, 128},
  };
  for (const auto& [from, data, hole] : cases) {
    EXPECT_EQ(disk.cache().NextData(from * kSector), data * kSector) << from;
    EXPECT_EQ(disk.cache().NextHole(from * kSector), hole * kSector) << from;
  }
  EXPECT_EQ(disk.cache().NextData(25 * kSector + 5), 25 * kSector + 5);
  EXPECT_EQ(disk.cache().NextHole(25 * kSector + 5), 26 * kSector);
  EXPECT_EQ(disk.cache().NextData(26 * kSector + 5), 74 * kSector);
  for (const uint64_t end : {16 * kPage, 16 * kPage + 1, UINT64_MAX - kPage}) {
    EXPECT_EQ(disk.cache().NextData(end), 16 * kPage);
    EXPECT_EQ(disk.cache().NextHole(end), 16 * kPage);
  }
}

// One block of each page belongs to each thread; the pages are twice what the cache has.
TEST(WriteCache, ManyThreads) {
  constexpr uint64_t kPages = 32;
  CachedDisk disk(kPages * kPage, kPages / 2 * kPage);
  std::vector<std::thread> threads;
  for (uint64_t own = 0; own < 4; ++own) {
    threads.emplace_back([&disk, own] {
      for (uint64_t step = 0; step < 500; ++step) {
        const uint64_t offset = step % kPages * kPage + own * kSector;
        const std::string data = Sectors(std::string(1, static_cast<char>('a' + step % 26)));
        EXPECT_EQ(disk.Write(offset, data), 0);
        EXPECT_EQ(disk.Read(offset, kSector), data);
        const bool flushes = step % 100 == own;
        EXPECT_EQ(flushes ? disk.cache().Flush() : 0, 0);
        EXPECT_LE(disk.cache().cached_pages(), kPages / 2);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace rnullfs
