// Which versions a page has: what it was, beside what its neighbours were.

#include "past/version_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "past_util.h"

namespace rnullfs {
namespace {

class VersionIndexTest : public testing::Test {
 protected:
  Version Add(uint64_t page, uint64_t until) {
    Version version = kNoVersion;
    EXPECT_EQ(file_->Keep(page, nullptr, until, version), 0);
    EXPECT_EQ(index_.Append(page, version), 0);
    return version;
  }
  void Remove(uint64_t page, Version version) {
    index_.Erase(page, version);
    file_->Free(version);
  }

  const std::unique_ptr<VersionFile> file_ =
      *VersionFile::Create("past", test_memory, MemfdKeeper::None());
  VersionIndex index_{*file_};
};

TEST_F(VersionIndexTest, FindsWhatAPageWas) {
  EXPECT_EQ(index_.SinceNow(5), 0);
  EXPECT_FALSE(index_.At(5, 0));
  const Version a = Add(5, 10);
  EXPECT_EQ(index_.At(5, 9), a);
  EXPECT_FALSE(index_.At(5, 10)) << "what it is";
  EXPECT_EQ(index_.SinceNow(5), 10);
  const Version b = Add(5, 20);
  const Version c = Add(5, 30);
  EXPECT_EQ(index_.At(5, 0), a);
  EXPECT_EQ(index_.At(5, 10), b);
  EXPECT_EQ(index_.At(5, 19), b);
  EXPECT_EQ(index_.At(5, 29), c);
  EXPECT_FALSE(index_.At(5, 30));
  EXPECT_EQ(index_.Since(5, a), 0);
  EXPECT_EQ(index_.Since(5, b), 10);
  EXPECT_EQ(index_.Since(5, c), 20);
  index_.Erase(5, b);
  EXPECT_EQ(index_.At(5, 10), c);
  EXPECT_EQ(index_.Since(5, c), 10);
  index_.Erase(5, c);
  EXPECT_EQ(index_.SinceNow(5), 10);
  index_.Erase(5, a);
  EXPECT_FALSE(index_.NextInStripe(0));
  EXPECT_EQ(index_.Bytes(), 0);
}

TEST_F(VersionIndexTest, FindsPages) {
  const uint64_t last = (uint64_t{INT64_MAX} >> 12) - 1;
  Add(3, 1);
  Add(7, 2);
  Add(last, 3);
  EXPECT_EQ(index_.NextInStripe(0), 3);
  EXPECT_EQ(index_.NextInStripe(3), 3);
  EXPECT_EQ(index_.NextInStripe(4), 7);
  EXPECT_FALSE(index_.NextInStripe(8));
  const uint64_t next = index_.NextStripe(8);
  EXPECT_LE(next, last);
  EXPECT_EQ(index_.NextInStripe(next), last);
  EXPECT_EQ(index_.NextStripe(last), UINT64_MAX);
}

// Pages of one stripe and of its neighbours, against a map.
TEST_F(VersionIndexTest, AgreesWithAMap) {
  std::mt19937 random(1);
  std::map<uint64_t, std::vector<Version>> model;
  for (uint64_t step = 1; step <= 100'000; ++step) {
    const uint64_t page = random() % 8 == 0 ? random() % 70 : random() % 3 * 5;
    std::vector<Version>& versions = model[page];
    // Of a stripe that has had many some day none are left.
    if (random() % 5000 == 0) {
      for (auto& [which, all] : model) {
        for (const Version version : all) Remove(which, version);
        all.clear();
      }
      ASSERT_EQ(index_.Bytes(), 0);
    }
    if (random() % 256 == 0) {  // most of them go, now and then
      while (versions.size() > 1) {
        const size_t which = random() % versions.size();
        Remove(page, versions[which]);
        versions.erase(versions.begin() + static_cast<ptrdiff_t>(which));
      }
    }
    versions.push_back(Add(page, step));
    const uint64_t asked = random() % 70;
    const std::vector<Version>& expected = model[asked];
    const uint64_t moment = step - random() % 200 % step;
    const auto found = std::find_if(expected.begin(), expected.end(), [&](Version version) {
      return file_->UntilOf(version) > moment;
    });
    ASSERT_EQ(index_.At(asked, moment),
              found == expected.end() ? std::nullopt : std::optional(*found));
    ASSERT_EQ(index_.SinceNow(asked), expected.empty() ? 0 : file_->UntilOf(expected.back()));
  }
}

TEST_F(VersionIndexTest, TakesLittleMemoryWhereVersionsAreFarApart) {
  std::mt19937 random(1);
  constexpr uint64_t kVersions = 20'000;
  constexpr uint64_t kPages = kVersions * 64;  // as 512 MiB of history on a disk of 32 GiB
  for (uint64_t i = 1; i <= kVersions; ++i) Add(random() % kPages, i);
  EXPECT_LE(index_.Bytes(), kVersions * 32);
}

// More than a stripe has in one list, and back to none.
TEST_F(VersionIndexTest, SplitsWhatHasMany) {
  std::map<uint64_t, std::vector<Version>> model;
  constexpr uint64_t kVersions = 5000;
  for (uint64_t i = 1; i <= kVersions; ++i) {
    const uint64_t page = 32 + i * i % 7 * 4;
    model[page].push_back(Add(page, i));
  }
  EXPECT_LE(index_.Bytes(), kVersions * 8);
  while (!model.empty()) {
    std::vector<uint64_t> pages;
    for (std::optional<uint64_t> at = index_.NextInStripe(32); at;
         at = index_.NextInStripe(*at + 1)) {
      pages.push_back(*at);
      if (*at == 63) break;
    }
    std::vector<uint64_t> expected;
    for (const auto& [page, versions] : model) expected.push_back(page);
    EXPECT_EQ(pages, expected);
    EXPECT_EQ(index_.NextStripe(0), 32);
    const auto page = std::next(model.begin(), static_cast<ptrdiff_t>(model.size() / 2));
    for (const Version version : page->second) Remove(page->first, version);
    EXPECT_EQ(index_.SinceNow(page->first), 0);
    model.erase(page);
  }
  EXPECT_EQ(index_.NextStripe(0), UINT64_MAX);
  EXPECT_EQ(index_.Bytes(), 0);
}

// As a full history of one page has it; were all moved each time, it would take a minute.
TEST_F(VersionIndexTest, AHistoryThatIsFullGoesOn) {
  constexpr uint64_t kVersions = 50'000;
  std::vector<Version> versions;
  for (uint64_t i = 1; i <= 4 * kVersions; ++i) {
    versions.push_back(Add(5, i));
    if (i > kVersions) Remove(5, versions[i - kVersions - 1]);
  }
  EXPECT_EQ(index_.At(5, 0), versions[3 * kVersions]);
  EXPECT_EQ(index_.SinceNow(5), 4 * kVersions);
  EXPECT_LE(index_.Bytes(), kVersions * 8 + 2000);
}

TEST_F(VersionIndexTest, GivesMemoryBackWithVersions) {
  std::vector<Version> versions;
  for (uint64_t i = 1; i <= 1000; ++i) versions.push_back(Add(0, i));
  EXPECT_LE(index_.Bytes(), 1000 * 8 + 1000);
  for (uint64_t i = 0; i < 990; ++i) index_.Erase(0, versions[i]);
  EXPECT_LE(index_.Bytes(), 2 * 544 + 200) << "a node of each array, and a list of ten";
  EXPECT_EQ(index_.At(0, 0), versions[990]);
  EXPECT_EQ(index_.At(0, 999), versions[999]);
}

}  // namespace
}  // namespace rnullfs
