// Which sectors show something else, and what: in one process, in the next one, and when it is
// over.

#include "damage/damage_map.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "damage_util.h"

namespace rnullfs {
namespace {

class DamageMapTest : public testing::Test {
 protected:
  void BeKilled() {
    map_.reset();
    auto adopted = DamageMap::Adopt("damage", memory_, keeper_, keeper_.Left());
    ASSERT_TRUE(adopted.ok()) << adopted.status();
    map_ = *std::move(adopted);
  }
  int NumberOf(std::string_view rule, uint32_t& number) {
    DamageMap::Entry entry = {};
    const int error = map_->Name(FaultAction::kLost, rule, 0, entry);
    number = entry.rule;
    return error;
  }
  int Put(uint64_t sector, char letter, uint64_t sequence = 0) {
    const std::string shows(kSectorSize, letter);
    DamageMap::Entry entry = {};
    entry.truth = 5;
    if (const int error = map_->Name(FaultAction::kTorn, "a", sequence, entry); error != 0) {
      return error;
    }
    return map_->Put(sector, shows.data(), entry);
  }
  char Shows(uint64_t sector) {
    char bytes[kSectorSize];
    EXPECT_EQ(map_->Show(sector, bytes), 0);
    EXPECT_EQ(bytes[0], bytes[kSectorSize - 1]);
    return bytes[0];
  }
  std::vector<uint64_t> All() {
    std::vector<uint64_t> all;
    for (uint64_t sector = map_->Next(0); sector != UINT64_MAX; sector = map_->Next(sector + 1)) {
      EXPECT_TRUE(map_->Has(sector));
      all.push_back(sector);
    }
    EXPECT_EQ(map_->count(), all.size());
    return all;
  }

  MemoryLimit memory_;
  OneKept keeper_;
  std::unique_ptr<DamageMap> map_ = *DamageMap::Create("damage", memory_, keeper_);
};

constexpr uint64_t kLastSector = DamageMap::kDiskBytesMax / kSectorSize - 1;

TEST_F(DamageMapTest, HasWhatIsPutUntilItIsErased) {
  EXPECT_EQ(All(), std::vector<uint64_t>());
  for (const uint64_t sector : {uint64_t{7}, uint64_t{8}, uint64_t{5'000'000}, kLastSector}) {
    ASSERT_EQ(Put(sector, 'a', sector), 0);
  }
  ASSERT_EQ(Put(8, 'b', 3), 0);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(All(), (std::vector<uint64_t>{7, 8, 5'000'000, kLastSector}));
    EXPECT_EQ(Shows(7), 'a');
    EXPECT_EQ(Shows(8), 'b');
    EXPECT_EQ(Shows(kLastSector), 'a');
    DamageMap::Entry entry;
    ASSERT_EQ(map_->Get(8, entry), 0);
    EXPECT_EQ(entry.sequence, 3U);
    EXPECT_EQ(entry.fault_action(), FaultAction::kTorn);
    ASSERT_EQ(map_->Get(9, entry), 0);
    EXPECT_EQ(entry.action, 0);
    EXPECT_FALSE(map_->Has(9));
    EXPECT_EQ(map_->Next(9), 5'000'000U);
    BeKilled();
  }
  EXPECT_EQ(map_->Erase(8), 0);
  EXPECT_EQ(map_->Erase(9), 0) << "there is nothing";
  EXPECT_EQ(All(), (std::vector<uint64_t>{7, 5'000'000, kLastSector}));
  BeKilled();
  EXPECT_EQ(All(), (std::vector<uint64_t>{7, 5'000'000, kLastSector}));
}

TEST_F(DamageMapTest, GivesBackWhatNothingLiesInAnyMore) {
  uint32_t number = 0;
  ASSERT_EQ(NumberOf("a", number), 0) << "names stay";
  const uint64_t before = memory_.used_bytes();
  ASSERT_EQ(Put(8, 'a'), 0);
  EXPECT_EQ(memory_.used_bytes(), before + 2 * kPage) << "what it shows, and what is said of it";
  for (uint64_t page = 2; page < 16; ++page) ASSERT_EQ(Put(8 * page, 'a'), 0);
  EXPECT_EQ(memory_.used_bytes(), before + 16 * kPage) << "16 pages share what is said of them";
  ASSERT_EQ(Put(9, 'b'), 0);
  ASSERT_EQ(map_->Erase(8), 0);
  EXPECT_EQ(memory_.used_bytes(), before + 16 * kPage);
  for (uint64_t page = 2; page < 16; ++page) ASSERT_EQ(map_->Erase(8 * page), 0);
  EXPECT_EQ(memory_.used_bytes(), before + 2 * kPage);
  ASSERT_EQ(map_->Erase(9), 0);
  EXPECT_EQ(memory_.used_bytes(), before);
  map_->GiveBack();
  EXPECT_FALSE(keeper_.any());
}

TEST_F(DamageMapTest, WhereThereIsNoMemoryNothingHasChanged) {
  ASSERT_EQ(Put(8, 'a'), 0);
  memory_.SetLimit(memory_.used_bytes());
  EXPECT_EQ(Put(9, 'b'), 0) << "its page is there";
  EXPECT_EQ(Put(16, 'b'), ENOSPC);
  memory_.SetLimit(memory_.used_bytes() + kPage);
  EXPECT_EQ(Put(5000, 'b'), ENOSPC) << "what it shows, but not what is said of it";
  EXPECT_EQ(memory_.left_bytes(), kPage);
  EXPECT_EQ(All(), (std::vector<uint64_t>{8, 9}));
  BeKilled();
  EXPECT_EQ(All(), (std::vector<uint64_t>{8, 9}));
}

TEST_F(DamageMapTest, KnowsRulesByTheirNumbers) {
  const std::string longest(64, 'x');
  uint32_t a = 0;
  uint32_t x = 0;
  ASSERT_EQ(NumberOf("a", a), 0);
  ASSERT_EQ(NumberOf(longest, x), 0);
  EXPECT_NE(a, x);
  BeKilled();
  uint32_t again = 0;
  ASSERT_EQ(NumberOf(longest, again), 0);
  EXPECT_EQ(again, x);
  EXPECT_EQ(map_->NameOf(a), "a");
  EXPECT_EQ(map_->NameOf(x), longest);
  EXPECT_EQ(map_->NameOf(0), "");
  EXPECT_EQ(map_->NameOf(99), "");
}

TEST_F(DamageMapTest, KnowsWhichFlushWasLost) {
  EXPECT_EQ(map_->GetLiar().rule, "");
  const std::string longest(64, 'x');
  ASSERT_EQ(map_->SetLiar({.rule = longest, .sequence = 9}), 0);
  ASSERT_EQ(map_->SetLiar({.rule = "y", .sequence = 10}), 0);
  uint32_t number = 0;
  ASSERT_EQ(NumberOf("z", number), 0);
  BeKilled();
  EXPECT_EQ(map_->GetLiar().rule, "y");
  EXPECT_EQ(map_->GetLiar().sequence, 10U);
  EXPECT_EQ(map_->NameOf(number), "z");
}

TEST_F(DamageMapTest, AProcessThatDidNotComeToGiveItASizeLeavesAnEmptyOne) {
  map_ = nullptr;
  const std::unique_ptr<PageStore> begun = *PageStore::Create("damage", memory_, keeper_);
  BeKilled();
  EXPECT_EQ(All(), std::vector<uint64_t>());
  EXPECT_EQ(Put(3, 'a'), 0);
}

TEST_F(DamageMapTest, WhatIsNoMapIsRefused) {
  map_ = nullptr;
  const std::unique_ptr<PageStore> other = *PageStore::Create("damage", memory_, keeper_);
  ASSERT_TRUE(other->Resize(kPage).ok());
  EXPECT_FALSE(DamageMap::Adopt("damage", memory_, keeper_, keeper_.Left()).ok());
}

}  // namespace
}  // namespace rnullfs
