// The page store: what is read and written.

#include "rnullfs/page_store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "store_util.h"

namespace rnullfs {
namespace {

std::vector<size_t> BlockLengths(PageStore& store, uint64_t offset, uint64_t length) {
  std::vector<size_t> lengths;
  store.Read(offset, length, [&lengths](absl::Span<const iovec> blocks) {
    for (const iovec& block : blocks) lengths.push_back(block.iov_len);
  });
  return lengths;
}

TEST(PageStoreRead, HoleIsZerosAndAllocatesNothing) {
  const auto store = NewStore(8 * kMiB);
  EXPECT_EQ(Read(*store, 0, 8 * kMiB), std::string(8 * kMiB, '\0'));
  EXPECT_EQ(Read(*store, 5, 1), std::string(1, '\0'));
  ExpectStoredPages(*store, 0);
}

TEST(PageStoreRead, HoleBesideDataAllocatesNothing) {
  const auto store = NewStore(kMiB);
  ASSERT_EQ(Write(*store, 3 * kPage, "data"), 0);
  EXPECT_EQ(Read(*store, 0, kMiB).substr(3 * kPage, 5), std::string("data\0", 5));
  ExpectStoredPages(*store, 1);
}

TEST(PageStoreRead, NothingIsOneCallWithoutBlocks) {
  const auto store = NewStore(kPage);
  int calls = 0;
  store->Read(kPage, 0, [&calls](absl::Span<const iovec> blocks) {
    EXPECT_TRUE(blocks.empty());
    ++calls;
  });
  EXPECT_EQ(calls, 1);
}

TEST(PageStoreRead, NeighboursAreOneBlock) {
  const auto store = NewStore(kMiB);
  ASSERT_EQ(Write(*store, 2 * kPage, std::string(3 * kPage, 'x')), 0);
  ASSERT_EQ(Write(*store, kPage, std::string(kPage, 'x')), 0);
  EXPECT_EQ(BlockLengths(*store, 0, 6 * kPage), (std::vector<size_t>{kPage, 4 * kPage, kPage}));
  EXPECT_EQ(BlockLengths(*store, kPage + 100, kPage), (std::vector<size_t>{kPage}));
}

TEST(PageStoreRead, PagesStoredByTurns) {
  const auto store = NewStore(2 * kMiB);
  for (uint64_t page = 0; page < 2 * kMiB / kPage; page += 2) {
    ASSERT_EQ(Write(*store, page * kPage, std::string(kPage, 'x')), 0);
  }
  const std::vector<size_t> lengths = BlockLengths(*store, 100, kMiB);
  ASSERT_EQ(lengths.size(), 257);
  EXPECT_EQ(lengths.front(), kPage - 100);
  EXPECT_EQ(lengths[1], kPage);
  EXPECT_EQ(lengths.back(), 100);
}

TEST(PageStoreWrite, SectorsAreExact) {
  const auto store = NewStore(64 * 1024);
  std::string expected(64 * 1024, '\0');
  for (const uint64_t sector : {0, 1, 7, 8, 9, 15, 64, 127}) {
    const std::string data(512, static_cast<char>('a' + sector % 26));
    ASSERT_EQ(Write(*store, sector * 512, data), 0);
    expected.replace(sector * 512, 512, data);
    ASSERT_EQ(Read(*store, 0, expected.size()), expected) << "after sector " << sector;
  }
  ExpectStoredPages(*store, 4);
}

TEST(PageStoreWrite, AnyAlignmentOverHolesAndData) {
  const auto store = NewStore(kMiB);
  ASSERT_EQ(Write(*store, 2 * kPage, std::string(kPage, 'o')), 0);
  ASSERT_EQ(Write(*store, 5 * kPage, std::string(kPage, 'o')), 0);
  const std::string data(5 * kPage, 'n');
  ASSERT_EQ(Write(*store, kPage - 7, data), 0);
  std::string expected(8 * kPage, '\0');
  expected.replace(5 * kPage, kPage, std::string(kPage, 'o'));
  expected.replace(kPage - 7, data.size(), data);
  EXPECT_EQ(Read(*store, 0, 8 * kPage), expected);
  ExpectStoredPages(*store, 6);
}

TEST(PageStoreWrite, NothingStoresNothing) {
  const auto store = NewStore(kPage);
  EXPECT_EQ(store->Write(100, 0, nullptr), 0);
  ExpectStoredPages(*store, 0);
}

TEST(PageStoreWrite, OverTheEdgeOfAWindow) {
  const auto store = NewStore(3 * kGiB);
  const std::string data = std::string(3 * kPage, 'l') + std::string(3 * kPage, 'r');
  ASSERT_EQ(Write(*store, kGiB - 3 * kPage, data), 0);
  ASSERT_EQ(Write(*store, 2 * kGiB - 1, "ab"), 0);
  EXPECT_EQ(Read(*store, kGiB - 3 * kPage, data.size()), data);
  EXPECT_EQ(Read(*store, 2 * kGiB - 2, 4), std::string("\0ab\0", 4));
  ExpectStoredPages(*store, 8);
}

TEST(PageStoreWrite, IsSeenThroughTheMemfd) {
  const auto store = NewStore(kMiB);
  ASSERT_EQ(Write(*store, 1000, "through the pwrite"), 0);
  ASSERT_EQ(Write(*store, 1012, "memory"), 0);
  std::string bytes(18, '\0');
  ASSERT_EQ(pread(store->fd(), bytes.data(), bytes.size(), 1000), 18);
  EXPECT_EQ(bytes, "through the memory");
}

}  // namespace
}  // namespace rnullfs
