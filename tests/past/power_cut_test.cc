// What a power cut leaves of a disk that has a history, against a model that keeps, for each
// sector, every thing that it has been since it was durable.

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "from_environment.h"
#include "past/snapshots.h"
#include "past_util.h"

namespace rnullfs {
namespace {

constexpr uint64_t kSector = 512;
constexpr uint64_t kHistory = uint64_t{64} << 20;

TEST(PowerCutTest, NoneLeavesWhatTheLastFlushHadCovered) {
  DiskWithPast disk(4);
  disk.past().SetHistory(kHistory);
  ASSERT_EQ(disk.Write(0, "abcd"), 0);
  ASSERT_EQ(disk.past().Flush(), 0);
  ASSERT_EQ(disk.Write(0, "x"), 0);
  ASSERT_EQ(disk.Write(0, "yy"), 0);
  ASSERT_EQ(disk.Discard(3), 0);
  const PowerCut cut;
  const CutLoss loss = disk.past().WhatIsLost(cut);
  EXPECT_EQ(loss.requests, 3);
  EXPECT_EQ(loss.forgotten, 0);
  EXPECT_EQ(loss.sectors, 24) << "what was overwritten twice is lost once";
  const uint64_t before = disk.past().sequence();
  EXPECT_EQ(disk.past().LoseUnflushed(cut), 0);
  EXPECT_EQ(disk.Now(), "abcd");
  EXPECT_EQ(disk.At(before, false), "yyc.") << "to the history a cut is one more change";
  EXPECT_EQ(disk.past().WhatIsLost(cut).sectors, 0) << "what came back is durable";
}

TEST(PowerCutTest, FuaCoversWhatCameBefore) {
  DiskWithPast disk(4);
  disk.past().SetHistory(kHistory);
  ASSERT_EQ(disk.Write(0, "a"), 0);
  ASSERT_EQ(disk.past().WriteThrough(kPage, kPage, Pages("b").data()), 0);
  ASSERT_EQ(disk.Write(2, "c"), 0);
  EXPECT_EQ(disk.past().LoseUnflushed({}), 0);
  EXPECT_EQ(disk.Now(), "ab..");
}

// Nothing is known of what the history has forgotten: it stays.
TEST(PowerCutTest, WhatTheHistoryHasForgottenIsKept) {
  DiskWithPast disk(8);
  disk.past().SetHistory(4 * kPage);
  ASSERT_EQ(disk.Write(0, "aaaaaaaa"), 0);
  ASSERT_EQ(disk.past().Flush(), 0);
  for (const char letter : std::string("bcdefg")) {
    ASSERT_EQ(disk.Write(0, std::string(8, letter)), 0);
  }
  EXPECT_GE(disk.past().WhatIsLost({}).forgotten, 5) << "which is told";
  EXPECT_EQ(disk.past().LoseUnflushed({}), 0);
  const std::string now = disk.Now();
  EXPECT_EQ(now.find('a'), std::string::npos) << now;
  EXPECT_EQ(now.find_first_not_of("fg"), std::string::npos) << now;
}

TEST(PowerCutTest, SnapshotsStayWhatTheyWere) {
  DiskWithPast disk(4);
  disk.past().SetHistory(kHistory);
  Snapshots snapshots(disk.past());
  ASSERT_EQ(disk.Write(0, "abcd"), 0);
  ASSERT_TRUE(snapshots.Take("s", 0, 0).ok());
  ASSERT_EQ(disk.Write(1, "x"), 0);
  EXPECT_EQ(disk.past().LoseUnflushed({}), 0);
  EXPECT_EQ(disk.Now(), "....");
  EXPECT_EQ(disk.At(snapshots.Find("s")->moment), "abcd");
}

// Also where there is no memory for the history: what the cut overwrites is not kept then.
TEST(PowerCutTest, NeedsNoMemoryButForSnapshots) {
  DiskWithPast disk(64, 600 * 1024);
  disk.past().SetHistory(kHistory);
  ASSERT_EQ(disk.Write(0, std::string(32, 'a')), 0);
  ASSERT_EQ(disk.past().Flush(), 0);
  ASSERT_EQ(disk.Write(0, std::string(32, 'b')), 0);
  ASSERT_EQ(disk.Write(32, std::string(32, 'c')), 0);
  EXPECT_EQ(disk.past().LoseUnflushed({}), 0);
  EXPECT_EQ(disk.Now(), std::string(32, 'a') + std::string(32, '.'));
}

// --- Flushes that are lost ---------------------------------------------------------------------

// The pages that differ from what was promised: "1 a b" is a, and would be b.
std::string Broken(Past& past, const PowerCut& cut = {}) {
  std::string broken;
  const int error =
      past.ForEachBroken(cut, [&](uint64_t page, const char* is, const char* promised) {
        broken += std::to_string(page) + " " + is[0] + " " + promised[0] + "\n";
        return 0;
      });
  EXPECT_EQ(error, 0);
  return broken;
}

TEST(PowerCutTest, ALostFlushPromisesWhatATrueOneCovers) {
  DiskWithPast disk(4);
  disk.past().SetHistory(kHistory);
  ASSERT_EQ(disk.Write(0, "aaaa"), 0);
  ASSERT_EQ(disk.past().Flush(), 0);
  EXPECT_EQ(Broken(disk.past()), "") << "none has been lost";
  ASSERT_EQ(disk.Write(1, "b"), 0);
  ASSERT_EQ(disk.past().FlushFalsely(), 0);
  ASSERT_EQ(disk.Write(1, "cc"), 0);
  ASSERT_EQ(disk.past().FlushFalsely(), 0);
  ASSERT_EQ(disk.Write(3, "d"), 0);
  disk.BeKilled(kHistory);
  EXPECT_EQ(Broken(disk.past()), "1 a c\n2 a c\n");
  EXPECT_EQ(disk.past().WhatIsLost({}).sectors, 24);
  EXPECT_EQ(disk.past().LoseUnflushed({}), 0);
  EXPECT_EQ(disk.Now(), "acca") << "what was promised";
  EXPECT_EQ(Broken(disk.past()), "");
  ASSERT_EQ(disk.past().FlushFalsely(), 0);
  ASSERT_EQ(disk.Write(0, "x"), 0);
  ASSERT_EQ(disk.past().Flush(), 0);
  EXPECT_EQ(Broken(disk.past()), "") << "a true one covers";
}

// Below, something else is done while a flush is under way.
class SlowToFlush final : public Store {
 public:
  explicit SlowToFlush(Store& below) : below_(below) {}
  void Meanwhile(std::function<void()> meanwhile) { meanwhile_ = std::move(meanwhile); }

  int Read(uint64_t offset, uint64_t length, Sink sink) override {
    return below_.Read(offset, length, sink);
  }
  uint64_t NextData(uint64_t offset) const override { return below_.NextData(offset); }
  uint64_t NextHole(uint64_t offset) const override { return below_.NextHole(offset); }
  uint64_t size_bytes() const override { return below_.size_bytes(); }
  int Write(uint64_t offset, uint64_t length, const void* data) override {
    return below_.Write(offset, length, data);
  }
  int Discard(uint64_t offset, uint64_t length) override { return below_.Discard(offset, length); }
  int WriteZeroes(uint64_t offset, uint64_t length) override {
    return below_.WriteZeroes(offset, length);
  }
  int Allocate(uint64_t offset, uint64_t length) override {
    return below_.Allocate(offset, length);
  }
  int Flush() override {
    if (meanwhile_ != nullptr) std::exchange(meanwhile_, nullptr)();
    return 0;
  }

 private:
  Store& below_;
  std::function<void()> meanwhile_;
};

TEST(PowerCutTest, AFlushDoesNotCoverWhatIsPromisedWhileItIsUnderWay) {
  const std::unique_ptr<PageStore> store = NewStore(4 * kPage);
  SlowToFlush slow(*store);
  const std::unique_ptr<Past> past = *Past::Create("past", test_memory, MemfdKeeper::None(), slow);
  past->SetHistory(kHistory);
  const auto write = [&](uint64_t page, char letter) {
    EXPECT_EQ(past->Write(page * kPage, kPage, std::string(kPage, letter).data()), 0);
  };
  write(0, 'a');
  slow.Meanwhile([&] {
    write(1, 'b');
    EXPECT_EQ(past->FlushFalsely(), 0);
  });
  ASSERT_EQ(past->Flush(), 0);
  EXPECT_EQ(Broken(*past), std::string("1 ") + '\0' + " b\n");
}

// --- Against a model ---------------------------------------------------------------------------

// What sectors have been since they were durable, by the number of the change; 0: that.
struct SectorModel {
  std::map<uint64_t, char> been = {{0, '\0'}};
  void Settle() { been = {{0, been.rbegin()->second}}; }
};

class PowerCutRandomTest : public testing::Test {
 protected:
  static constexpr uint64_t kPages = 6;
  static constexpr uint64_t kSectors = kPages * kPage / kSector;

  PowerCutRandomTest()
      : seed_(FromEnvironment("RNULLFS_TEST_SEED", std::random_device()())), random_(seed_) {
    std::printf("RNULLFS_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed_));
    disk_.past().SetHistory(kHistory);
  }

  uint64_t Below(uint64_t bound) { return random_() % bound; }

  void Change() {
    const uint64_t begin = Below(kSectors);
    const uint64_t count = 1 + Below(kSectors - begin);
    const uint64_t kind = Below(8);
    const char letter = kind < 2 ? '\0' : static_cast<char>('a' + Below(3));  // often the same
    const std::string data(count * kSector, letter);
    Past& past = disk_.past();
    const int error = kind == 0   ? past.Discard(begin * kSector, data.size())
                      : kind == 1 ? past.WriteZeroes(begin * kSector, data.size())
                                  : past.Write(begin * kSector, data.size(), data.data());
    ASSERT_EQ(error, 0);
    for (uint64_t i = 0; i < count; ++i) {
      model_[begin + i].been[past.sequence()] = letter;
      firm_[begin + i].been[past.sequence()] = letter;
    }
  }
  void Flush() {
    const bool lost = Below(2) == 0;
    ASSERT_EQ(lost ? disk_.past().FlushFalsely() : disk_.past().Flush(), 0);
    for (SectorModel& sector : model_) sector.Settle();
    if (!lost) firm_ = model_;
  }

  // Applies, in their order, the changes that the cut keeps of the sector.
  static char Expected(const std::vector<SectorModel>& model, const PowerCut& cut,
                       uint64_t sector) {
    const auto& been = model[sector].been;
    char is = been.at(0);
    char was = is;
    for (const auto& [change, letter] : been) {
      if (change != 0 && letter != was && cut.KeepsChanged(change, sector)) is = letter;
      was = letter;
    }
    return is;
  }

  // All pages where a flush that was lost makes a difference, and what.
  void ExpectBroken(const PowerCut& cut) {
    std::map<uint64_t, std::string> expected;
    for (uint64_t page = 0; page < kPages; ++page) {
      std::string is;
      std::string promised;
      for (uint64_t i = page * 8; i < page * 8 + 8; ++i) {
        is += std::string(kSector, Expected(firm_, cut, i));
        promised += std::string(kSector, Expected(model_, cut, i));
      }
      if (is != promised) expected[page] = is + promised;
    }
    std::map<uint64_t, std::string> broken;
    const auto note = [&](uint64_t page, const char* is, const char* promised) {
      broken[page] = std::string(is, kPage) + std::string(promised, kPage);
      return 0;
    };
    ASSERT_EQ(disk_.past().ForEachBroken(cut, note), 0);
    ASSERT_TRUE(broken == expected);
  }

  void CutPower() {
    const PowerCut cut = {.keeps = static_cast<CutKeeps>(Below(4)),
                          .seed = random_(),
                          .block_sectors = uint32_t{1} << Below(4)};
    if (Below(2) == 0) disk_.BeKilled(kHistory);
    const std::string before = Read(disk_.past(), 0, kPages * kPage);
    const CutLoss loss = disk_.past().WhatIsLost(cut);
    ExpectBroken(cut);
    ASSERT_EQ(disk_.past().LoseUnflushed(cut), 0);
    if (Below(2) == 0) {
      ASSERT_EQ(disk_.past().LoseUnflushed(cut), 0) << "a cut made twice is one";
    }
    const std::string after = Read(disk_.past(), 0, kPages * kPage);
    uint64_t lost = 0;
    for (uint64_t i = 0; i < kSectors; ++i) {
      const char expected = Expected(model_, cut, i);
      ASSERT_EQ(after.substr(i * kSector, kSector), std::string(kSector, expected)) << i;
      lost += Expected(firm_, cut, i) != before[i * kSector] ? 1 : 0;
      model_[i].been = {{0, expected}};
    }
    firm_ = model_;
    ASSERT_EQ(loss.sectors, lost);
  }

  const uint64_t seed_;
  std::mt19937_64 random_;
  DiskWithPast disk_{kPages};
  std::vector<SectorModel> model_ = std::vector<SectorModel>(kSectors);
  std::vector<SectorModel> firm_ = model_;  // but for what flushes covered that were lost
};

TEST_F(PowerCutRandomTest, LeavesWhatTheModelSays) {
  const uint64_t steps = FromEnvironment("RNULLFS_TEST_STEPS", 20'000);
  for (uint64_t step = 0; step < steps && !HasFatalFailure(); ++step) {
    SCOPED_TRACE(step);
    const uint64_t kind = Below(32);
    if (kind == 0) {
      CutPower();
    } else if (kind < 4) {
      Flush();
    } else {
      Change();
    }
  }
}

// --- What is kept ------------------------------------------------------------------------------

TEST(CutKeepsTest, RequestsByChanceAndPartsOfThem) {
  std::set<int> seen;
  int torn_whole = 0;
  for (uint64_t change = 1; change <= 3000; ++change) {
    const PowerCut random = {.keeps = CutKeeps::kRandom, .seed = 5};
    EXPECT_EQ(random.KeepsChanged(change, 1), random.KeepsChanged(change, 99)) << change;
    seen.insert(random.KeepsChanged(change, 1) ? 1 : 0);
    const PowerCut torn = {.keeps = CutKeeps::kTorn, .seed = 5, .block_sectors = 1};
    int kept = 0;
    for (uint64_t sector = 0; sector < 16; ++sector) kept += torn.KeepsChanged(change, sector);
    torn_whole += kept == 0 || kept == 16 ? 1 : 0;
  }
  EXPECT_EQ(seen.size(), 2);
  EXPECT_NEAR(torn_whole, 2000, 150) << "a third is torn";
}

TEST(CutKeepsTest, ACacheIsKeptByItsBlocks) {
  const PowerCut cut = {.keeps = CutKeeps::kRandom, .seed = 7, .block_sectors = 4};
  for (uint64_t sector = 0; sector < 4000; ++sector) {
    EXPECT_EQ(cut.KeepsCached(sector), cut.KeepsCached(sector / 4 * 4)) << sector;
  }
}

}  // namespace
}  // namespace rnullfs
