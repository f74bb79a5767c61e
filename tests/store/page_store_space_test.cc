// The page store: what takes space, what gives it back, and where it is.

#include <gtest/gtest.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "rnullfs/error.h"
#include "rnullfs/page_store.h"
#include "store_util.h"

namespace rnullfs {
namespace {

std::string Mappings() {
  std::ostringstream text;
  text << std::ifstream("/proc/self/maps").rdbuf();
  return text.str();
}

TEST(PageStoreDiscard, GivesPagesBack) {
  const auto store = NewStore(kMiB);
  ASSERT_EQ(Write(*store, 0, std::string(10 * kPage, 'x')), 0);
  ASSERT_EQ(store->Discard(2 * kPage, 3 * kPage), 0);
  ExpectStoredPages(*store, 7);
  EXPECT_EQ(
      Read(*store, 0, 10 * kPage),
      std::string(2 * kPage, 'x') + std::string(3 * kPage, '\0') + std::string(5 * kPage, 'x'));
  ExpectStoredPages(*store, 7);
  ASSERT_EQ(store->Discard(0, kMiB), 0);
  ExpectStoredPages(*store, 0);
}

TEST(PageStoreDiscard, ZeroesTheEdges) {
  struct Case {
    uint64_t offset, length, freed;
  };
  for (const auto& [offset, length, freed] : std::vector<Case>{{100, 50, 0},
                                                               {kPage - 10, 20, 0},
                                                               {kPage + 1, kPage - 1, 0},
                                                               {kPage, kPage - 1, 0},
                                                               {kPage - 1, kPage + 2, 1},
                                                               {512, 3 * kPage, 2},
                                                               {1, 4 * kPage - 2, 2},
                                                               {0, 0, 0}}) {
    const auto store = NewStore(4 * kPage);
    ASSERT_EQ(Write(*store, 0, std::string(4 * kPage, 'x')), 0);
    ASSERT_EQ(store->Discard(offset, length), 0);
    std::string expected(4 * kPage, 'x');
    expected.replace(offset, length, std::string(length, '\0'));
    EXPECT_EQ(Read(*store, 0, 4 * kPage), expected) << offset << "+" << length;
    ExpectStoredPages(*store, 4 - freed);
  }
}

TEST(PageStoreDiscard, InBatchesFarApart) {
  const auto store = NewStore(400 * kMiB);
  const std::vector<uint64_t> places = {0, 64 * kMiB - kPage, 64 * kMiB, 200 * kMiB, 300 * kMiB};
  for (const uint64_t place : places) {
    ASSERT_EQ(Write(*store, place, std::string(kPage, 'x')), 0);
  }
  ASSERT_EQ(store->Discard(100, 300 * kMiB), 0);
  ExpectStoredPages(*store, 2);
  EXPECT_EQ(Read(*store, 0, kPage), std::string(100, 'x') + std::string(kPage - 100, '\0'));
  EXPECT_EQ(Read(*store, 300 * kMiB, kPage),
            std::string(100, '\0') + std::string(kPage - 100, 'x'));
}

TEST(PageStoreWriteZeroes, KeepsWhatIsStoredAndStoresNothing) {
  const auto store = NewStore(200 * kMiB);
  ASSERT_EQ(Write(*store, kPage, std::string(2 * kPage, 'x')), 0);
  ASSERT_EQ(Write(*store, 150 * kMiB, std::string(kPage, 'x')), 0);
  ASSERT_EQ(store->WriteZeroes(kPage + 10, 200 * kMiB - kPage - 10), 0);
  EXPECT_EQ(Read(*store, 0, 4 * kPage),
            std::string(kPage, '\0') + std::string(10, 'x') + std::string(3 * kPage - 10, '\0'));
  EXPECT_EQ(Read(*store, 150 * kMiB, kPage), std::string(kPage, '\0'));
  ExpectStoredPages(*store, 3);
}

TEST(PageStoreAllocate, StoresZerosAndKeepsData) {
  const auto store = NewStore(200 * kMiB);
  ASSERT_EQ(Write(*store, 64 * kMiB - 2, "data"), 0);
  ASSERT_EQ(store->Allocate(60 * kMiB - 1, 8 * kMiB + 1), 0);
  ExpectStoredPages(*store, 8 * kMiB / kPage + 1);
  EXPECT_EQ(Read(*store, 64 * kMiB - 3, 6), std::string("\0data\0", 6));
  EXPECT_EQ(Read(*store, 60 * kMiB - kPage, kPage), std::string(kPage, '\0'));
  ASSERT_EQ(store->Allocate(60 * kMiB, 0), 0);
  ASSERT_EQ(Write(*store, 61 * kMiB, "more"), 0);
  ExpectStoredPages(*store, 8 * kMiB / kPage + 1);
}

TEST(PageStoreSeek, IsExactToTheByte) {
  const auto store = NewStore(10 * kPage);
  ASSERT_EQ(Write(*store, 2 * kPage, std::string(2 * kPage, 'x')), 0);
  ASSERT_EQ(Write(*store, 9 * kPage + 5, "x"), 0);
  struct Case {
    uint64_t from, data, hole;
  };
  const uint64_t end = 10 * kPage;
  for (const auto& [from, data, hole] :
       std::vector<Case>{{0, 2 * kPage, 0},
                         {1, 2 * kPage, 1},
                         {2 * kPage - 1, 2 * kPage, 2 * kPage - 1},
                         {2 * kPage, 2 * kPage, 4 * kPage},
                         {3 * kPage + 77, 3 * kPage + 77, 4 * kPage},
                         {4 * kPage - 1, 4 * kPage - 1, 4 * kPage},
                         {4 * kPage, 9 * kPage, 4 * kPage},
                         {9 * kPage, 9 * kPage, end},
                         {end - 1, end - 1, end},
                         {end, end, end},
                         {UINT64_MAX, end, end}}) {
    EXPECT_EQ(store->NextData(from), data) << "from " << from;
    EXPECT_EQ(store->NextHole(from), hole) << "from " << from;
  }
}

TEST(PageStoreSeek, EmptyStores) {
  EXPECT_EQ(NewStore(0)->NextData(0), 0);
  EXPECT_EQ(NewStore(0)->NextHole(0), 0);
  EXPECT_EQ(NewStore(kMiB)->NextData(5), kMiB);
  EXPECT_EQ(NewStore(kMiB)->NextHole(5), 5);
}

TEST(PageStoreResize, WhatIsCutOffIsFreedAndComesBackAsZeros) {
  const auto store = NewStore(kMiB);
  ASSERT_EQ(Write(*store, 0, std::string(kMiB, 'x')), 0);
  ASSERT_TRUE(store->Resize(3 * kPage).ok());
  EXPECT_EQ(store->size_bytes(), 3 * kPage);
  ExpectStoredPages(*store, 3);
  EXPECT_EQ(store->NextHole(0), 3 * kPage);
  ASSERT_TRUE(store->Resize(2 * kMiB).ok());
  EXPECT_EQ(Read(*store, 0, 2 * kMiB),
            std::string(3 * kPage, 'x') + std::string(2 * kMiB - 3 * kPage, '\0'));
  ASSERT_EQ(Write(*store, kMiB, "y"), 0);
  ExpectStoredPages(*store, 4);
  ASSERT_TRUE(store->Resize(0).ok());
  ExpectStoredPages(*store, 0);
}

TEST(PageStoreResize, UnmapsWhatLiesBeyond) {
  const auto store = *PageStore::Create("rnullfs-unmapped", test_memory);
  ASSERT_TRUE(store->Resize(12 * kGiB).ok());
  EXPECT_EQ(Mappings().find("memfd:rnullfs-unmapped"), std::string::npos);
  ASSERT_EQ(Write(*store, 8 * kGiB, "x"), 0);
  EXPECT_NE(Mappings().find("memfd:rnullfs-unmapped"), std::string::npos);
  ASSERT_TRUE(store->Resize(8 * kGiB).ok());
  EXPECT_EQ(Mappings().find("memfd:rnullfs-unmapped"), std::string::npos);
  ASSERT_TRUE(store->Resize(12 * kGiB).ok());
  EXPECT_EQ(Read(*store, 8 * kGiB, 1), std::string(1, '\0'));
  ASSERT_EQ(Write(*store, 8 * kGiB, "y"), 0);
  EXPECT_EQ(Read(*store, 8 * kGiB, 1), "y");
}

// A process may have 65530 mappings (vm.max_map_count), and 128 TiB of addresses.
TEST(PageStoreSpace, ServesMoreThanCanBeMapped) {
  constexpr uint64_t kPlaces = 66'000;
  constexpr uint64_t kApart = 4 * kGiB;
  const auto store = NewStore(kPlaces * kApart);
  for (uint64_t i = 0; i < kPlaces; ++i) {
    ASSERT_EQ(Write(*store, i * kApart, std::to_string(i)), 0) << i;
  }
  ExpectStoredPages(*store, kPlaces);
  for (uint64_t i = 0; i < kPlaces; i += 100) {
    const std::string number = std::to_string(i);
    ASSERT_EQ(Read(*store, i * kApart, number.size() + 1), number + '\0');
  }
  const uint64_t last = (kPlaces - 1) * kApart;
  ASSERT_EQ(Write(*store, last + 2, "again"), 0);
  EXPECT_EQ(Read(*store, last, 8), std::string("65again\0", 8));
  ASSERT_EQ(store->Discard(last, kPage), 0);
  EXPECT_EQ(Read(*store, last, 1), std::string(1, '\0'));
  EXPECT_EQ(Write(*NewStore(kMiB), 0, "another store"), 0);
}

TEST(PageStoreResize, RefusesWhatNoFileCanHave) {
  const auto store = NewStore(kMiB);
  ASSERT_EQ(Write(*store, 0, "kept"), 0);
  const absl::Status status = store->Resize(uint64_t{1} << 63);
  EXPECT_EQ(ErrnoOf(status), EINVAL);
  EXPECT_NE(status.message().find("9223372036854775808"), absl::string_view::npos) << status;
  EXPECT_EQ(store->size_bytes(), kMiB);
  EXPECT_EQ(Read(*store, 0, 4), "kept");
}

TEST(PageStoreResize, TakesAllThatAFileCanHave) {
  constexpr uint64_t kLargest = (uint64_t{1} << 63) - kPage;
  const auto store = NewStore(kLargest);
  ASSERT_EQ(Write(*store, kLargest - 3, "end"), 0);
  EXPECT_EQ(store->NextData(0), kLargest - kPage);
  EXPECT_EQ(Read(*store, kLargest - 4, 4), std::string("\0end", 4));
  ASSERT_EQ(store->Discard(0, kLargest), 0);
  ExpectStoredPages(*store, 0);
}

TEST(PageStoreSparse, EightTebibytes) {
  const auto store = NewStore(8 * kTiB);
  const std::string data(kPage, 'x');
  ASSERT_EQ(Write(*store, 0, data), 0);
  ASSERT_EQ(Write(*store, 8 * kTiB - kPage, data), 0);
  ASSERT_EQ(Write(*store, 5 * kTiB + 512, "middle"), 0);
  ExpectStoredPages(*store, 3);
  EXPECT_EQ(store->NextData(kPage), 5 * kTiB);
  EXPECT_EQ(store->NextData(5 * kTiB + kPage), 8 * kTiB - kPage);
  EXPECT_EQ(store->NextHole(8 * kTiB - 1), 8 * kTiB);
  EXPECT_EQ(Read(*store, 8 * kTiB - kPage, kPage), data);
  ASSERT_EQ(store->WriteZeroes(1, 8 * kTiB - 2), 0);
  EXPECT_EQ(Read(*store, 8 * kTiB - 1, 1), "x");
  EXPECT_EQ(Read(*store, 5 * kTiB + 512, 6), std::string(6, '\0'));
  ASSERT_EQ(store->Discard(0, 8 * kTiB), 0);
  ExpectStoredPages(*store, 0);
  ASSERT_EQ(store->Discard(0, 8 * kTiB), 0);
}

TEST(PageStoreCreate, NamesItsMemory) {
  const auto store = *PageStore::Create("rnullfs-named", test_memory);
  ASSERT_TRUE(store->Resize(kMiB).ok());
  ASSERT_EQ(Write(*store, 0, "x"), 0);
  EXPECT_NE(Mappings().find("memfd:rnullfs-named"), std::string::npos);
}

TEST(PageStoreCreate, TakesTheLongestDirectoryName) {
  EXPECT_TRUE(PageStore::Create(std::string(255, 'n'), test_memory).ok());
}

}  // namespace
}  // namespace rnullfs
