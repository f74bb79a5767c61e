// A cache that a process left behind, and what one that comes after it makes of the memfd.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cached_disk.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

TEST(WriteCacheAdopt, GoesOn) {
  CachedDisk disk(kMiB, 4 * kPage);
  for (uint64_t page = 0; page < 4; ++page) {
    ASSERT_EQ(disk.Write(page * kPage + kSector, Sectors("ab")), 0);
  }
  ASSERT_EQ(disk.cache().Discard(3 * kPage + kSector, kSector), 0);
  const uint64_t used_bytes = disk.memory().used_bytes();
  disk.BeKilled();
  EXPECT_EQ(disk.memory().used_bytes(), used_bytes);
  EXPECT_EQ(disk.cache().cached_pages(), 4);
  EXPECT_EQ(Letters(disk.Read(2 * kPage, 2 * kPage)), ".ab.......b.....");
  disk.BeKilled(2 * kPage);
  EXPECT_EQ(disk.cache().cached_pages(), 4) << "what is there stays until room is wanted";
  ASSERT_EQ(disk.Write(4 * kPage, Sectors("c")), 0);
  EXPECT_EQ(disk.cache().cached_pages(), 1);
  EXPECT_EQ(Letters(Read(disk.disk(), 2 * kPage, 3 * kPage)), ".ab.......b.............");
}

TEST(WriteCacheAdopt, FindsPagesInAllOfTheMap) {
  CachedDisk disk(64 * kMiB, kMiB);  // 4 pages of map
  const std::vector<uint64_t> pages = {0, 1, 4095, 4096, 8191, 12288, 16383};
  for (const uint64_t page : pages) ASSERT_EQ(disk.Write(page * kPage, Sectors("c")), 0);
  disk.BeKilled();
  EXPECT_EQ(disk.cache().cached_pages(), pages.size());
  uint64_t data = disk.cache().NextData(0);
  for (const uint64_t page : pages) {
    EXPECT_EQ(data, page * kPage);
    data = disk.cache().NextData(page * kPage + kSector);
  }
  EXPECT_EQ(data, 64 * kMiB);
}

// Killed after a page was stored and before its sectors were marked: the write was not answered.
TEST(WriteCacheAdopt, FreesWhatIsNotMarked) {
  CachedDisk disk(kMiB, kMiB);
  ASSERT_EQ(disk.Write(0, Sectors("c")), 0);
  ASSERT_EQ(pwrite(disk.cache().fd(), "lost", 4, 5 * kPage), 4);
  disk.BeKilled();
  EXPECT_EQ(disk.memory().used_bytes(), 2 * kPage) << "a page, and the map";
  EXPECT_EQ(disk.cache().cached_pages(), 1);
  EXPECT_EQ(Letters(disk.Read(5 * kPage, kPage)), "........");
  EXPECT_EQ(disk.cache().NextData(kPage), kMiB);
}

TEST(WriteCacheAdopt, RefusesACacheOfAnotherSize) {
  CachedDisk disk(kMiB, kMiB);
  UniqueFd memfd(fcntl(disk.cache().fd(), F_DUPFD_CLOEXEC, 3));
  disk.DestroyCache();
  ASSERT_TRUE(disk.disk().Resize(2 * kMiB).ok());
  const auto adopted = WriteCache::Open(disk.Services(), kMiB, std::move(memfd));
  EXPECT_EQ(ErrnoOf(adopted.status()), EINVAL);
}

// Killed between the making of a memfd and its first size.
TEST(WriteCacheAdopt, BeginsWithOneThatIsNotMadeYet) {
  CachedDisk disk(kMiB, kMiB);
  UniqueFd memfd(fcntl(disk.cache().fd(), F_DUPFD_CLOEXEC, 3));
  disk.DestroyCache();
  ASSERT_EQ(ftruncate(memfd.get(), 0), 0);
  const auto adopted = WriteCache::Open(disk.Services(), kMiB, std::move(memfd));
  ASSERT_TRUE(adopted.ok()) << adopted.status();
  EXPECT_EQ((*adopted)->Write(kMiB - kPage, kPage, std::string(kPage, 'a').data()), 0);
  EXPECT_EQ((*adopted)->cached_pages(), 1);
}

TEST(WriteCacheAdopt, IsHeldElsewhereUntilItIsGivenBack) {
  CachedDisk disk(kMiB, kMiB);
  const std::set<int> cache = {disk.cache().fd()};
  EXPECT_EQ(disk.keeper().held, cache);
  disk.DestroyCache();
  EXPECT_EQ(disk.keeper().held, cache);

  CachedDisk other(kMiB, kMiB);
  other.cache().GiveBack();
  EXPECT_TRUE(other.keeper().held.empty());
}

}  // namespace
}  // namespace rnullfs
