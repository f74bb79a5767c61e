// The page store against a model that is plainly right: a string of bytes and a set of pages.
//
// The seed is printed; RNULLFS_TEST_SEED runs one again.

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "from_environment.h"
#include "store_util.h"

namespace rnullfs {
namespace {

constexpr uint64_t kModelMax = 96 * kPage;

class Model {
 public:
  void Resize(uint64_t size) {
    bytes_.resize(size, '\0');
    stored_.resize(size / kPage, false);
  }
  void Write(uint64_t offset, const std::string& data) {
    bytes_.replace(offset, data.size(), data);
    Store(offset, data.size());
  }
  void Zero(uint64_t offset, uint64_t length) {
    std::fill_n(bytes_.begin() + static_cast<int64_t>(offset), length, '\0');
  }
  void Discard(uint64_t offset, uint64_t length) {
    Zero(offset, length);
    for (uint64_t page = 0; page < stored_.size(); ++page) {
      if (page * kPage >= offset && (page + 1) * kPage <= offset + length) stored_[page] = false;
    }
  }
  void Store(uint64_t offset, uint64_t length) {
    for (uint64_t at = offset; at < offset + length; ++at) stored_[at / kPage] = true;
  }
  // The first byte at or after `offset` whose page is (not) stored.
  uint64_t Next(uint64_t offset, bool stored) const {
    while (offset < bytes_.size() && stored_[offset / kPage] != stored) ++offset;
    return std::min<uint64_t>(offset, bytes_.size());
  }
  uint64_t StoredPages() const { return std::count(stored_.begin(), stored_.end(), true); }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  std::vector<bool> stored_;
};

class PageStoreRandom : public testing::Test {
 protected:
  PageStoreRandom()
      : seed_(FromEnvironment("RNULLFS_TEST_SEED", std::random_device()())), random_(seed_) {
    std::printf("RNULLFS_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed_));
    Resize(kModelMax);
  }

  uint64_t Below(uint64_t bound) { return bound == 0 ? 0 : random_() % bound; }

  // Any byte, a sector, or a page: what goes wrong does so at edges.
  uint64_t AnyPlace(uint64_t end) {
    constexpr uint64_t kAlignments[] = {1, 512, kPage};
    const uint64_t alignment = kAlignments[Below(std::size(kAlignments))];
    return Below(end / alignment + 1) * alignment;
  }

  void Resize(uint64_t size) {
    ASSERT_TRUE(store_->Resize(size).ok());
    model_.Resize(size);
  }

  void Step() {
    const uint64_t size = model_.bytes().size();
    const uint64_t offset = AnyPlace(size);
    const uint64_t length = std::min(size - offset, AnyPlace(Below(8) == 0 ? size : 4 * kPage));
    switch (Below(20)) {
      case 0:
        return Resize(Below(kModelMax / kPage + 1) * kPage);
      case 1:
        ASSERT_EQ(store_->Allocate(offset, length), 0);
        return model_.Store(offset, length);
      case 2:
      case 3:
        ASSERT_EQ(store_->WriteZeroes(offset, length), 0);
        return model_.Zero(offset, length);
      case 4:
      case 5:
      case 6:
      case 7:
        ASSERT_EQ(store_->Discard(offset, length), 0);
        return model_.Discard(offset, length);
      case 8:
      case 9:
        ASSERT_EQ(store_->NextData(offset), model_.Next(offset, true));
        ASSERT_EQ(store_->NextHole(offset), model_.Next(offset, false));
        return;
      case 10:
      case 11:
      case 12:
        ASSERT_EQ(Read(*store_, offset, length), model_.bytes().substr(offset, length));
        return;
      default:
        std::string data(length, '\0');
        for (char& byte : data) byte = static_cast<char>(random_());
        ASSERT_EQ(Write(*store_, offset, data), 0);
        return model_.Write(offset, data);
    }
  }

  const uint64_t seed_;
  std::mt19937_64 random_;
  const std::unique_ptr<PageStore> store_ = NewStore(0);
  Model model_;
};

TEST_F(PageStoreRandom, DoesWhatTheModelDoes) {
  for (uint64_t step = 0; step < Repetitions(4000) && !HasFailure(); ++step) {
    SCOPED_TRACE(step);
    Step();
    ExpectStoredPages(*store_, model_.StoredPages());
    if (step % 16 == 0) {
      ASSERT_EQ(Read(*store_, 0, model_.bytes().size()), model_.bytes());
    }
  }
}

TEST_F(PageStoreRandom, FindsPagesSpreadOverEightTebibytes) {
  ASSERT_TRUE(store_->Resize(8 * kTiB).ok());
  std::vector<uint64_t> pages;
  for (int i = 0; i < 500; ++i) pages.push_back(Below(8 * kTiB / kPage));
  std::sort(pages.begin(), pages.end());
  pages.erase(std::unique(pages.begin(), pages.end()), pages.end());
  for (const uint64_t page : pages) {
    ASSERT_EQ(Write(*store_, page * kPage, std::to_string(page)), 0);
  }
  ExpectStoredPages(*store_, pages.size());
  uint64_t offset = store_->NextData(0);
  for (const uint64_t page : pages) {
    ASSERT_EQ(offset, page * kPage);
    const std::string text = std::to_string(page);
    EXPECT_EQ(Read(*store_, offset, text.size()), text);
    offset = store_->NextData(offset + kPage);
  }
  EXPECT_EQ(offset, 8 * kTiB);
}

}  // namespace
}  // namespace rnullfs
