// A write cache without memory: what it has stays, and can be had.  Disk and cache share the limit;
// a page of the cache's is its map.

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "cached_disk.h"

namespace rnullfs {
namespace {

const std::string kEight =
    Sectors("aaaaaaaabbbbbbbbccccccccddddddddeeeeeeeeffffffffgggggggghhhhhhhh");

TEST(FullWriteCache, RefusesAPageAndKeepsTheOthers) {
  CachedDisk disk(kMiB, kMiB, 8 * kPage);
  EXPECT_EQ(disk.Write(0, kEight), ENOSPC);
  EXPECT_EQ(disk.cache().cached_pages(), 7);
  EXPECT_EQ(disk.Read(0, 7 * kPage), kEight.substr(0, 7 * kPage));
  EXPECT_EQ(disk.Read(7 * kPage, kPage), std::string(kPage, '\0'));
  EXPECT_EQ(disk.Write(kPage, Sectors("B")), 0) << "there is room for what is there";
  EXPECT_EQ(Letters(disk.Read(kPage, kPage)), "Bbbbbbbb");
}

TEST(FullWriteCache, StillHasWhatCannotBeWrittenBack) {
  CachedDisk disk(kMiB, kMiB, 8 * kPage);
  ASSERT_EQ(disk.Write(0, kEight.substr(0, 7 * kPage)), 0);
  EXPECT_EQ(disk.cache().Flush(), ENOSPC);
  EXPECT_EQ(disk.WriteThrough(7 * kPage, Sectors("h")), ENOSPC);
  EXPECT_EQ(disk.WriteThrough(0, Sectors("A")), ENOSPC);
  EXPECT_EQ(disk.cache().cached_pages(), 7);
  EXPECT_EQ(disk.written_back(), 0);
  EXPECT_EQ(disk.Read(0, 7 * kPage), kEight.substr(0, 7 * kPage));

  // A page's room is enough to move them, one after the other.
  ASSERT_EQ(disk.cache().Discard(6 * kPage, kPage), 0);
  EXPECT_EQ(disk.cache().Flush(), 0);
  EXPECT_EQ(disk.cache().cached_pages(), 0);
  EXPECT_EQ(Read(disk.disk(), 0, 6 * kPage), kEight.substr(0, 6 * kPage));
}

TEST(FullWriteCache, RefusesWhatWouldNeedRoomThatCannotBeMade) {
  CachedDisk disk(kMiB, 2 * kPage, 3 * kPage);
  ASSERT_EQ(disk.Write(0, kEight.substr(0, 2 * kPage)), 0);
  EXPECT_EQ(disk.Write(2 * kPage, Sectors("c")), ENOSPC);
  EXPECT_EQ(disk.cache().cached_pages(), 2);
  EXPECT_EQ(disk.written_back(), 0);
  EXPECT_EQ(disk.Read(0, 2 * kPage), kEight.substr(0, 2 * kPage));
  disk.BeKilled();
  EXPECT_EQ(disk.Read(0, 2 * kPage), kEight.substr(0, 2 * kPage));
}

TEST(FullWriteCache, TakesNothingForWhatItRefuses) {
  CachedDisk disk(kMiB, kMiB, kPage);
  EXPECT_EQ(disk.Write(0, Sectors("c")), ENOSPC) << "no room for the map";
  EXPECT_EQ(disk.cache().cached_pages(), 0);
  EXPECT_EQ(disk.memory().used_bytes(), 0);
  EXPECT_EQ(Letters(disk.Read(0, kSector)), ".");
  EXPECT_EQ(disk.WriteThrough(0, Sectors("t")), 0);
}

}  // namespace
}  // namespace rnullfs
