// The search of one stretch: by what is read, then by name, then by chance.

#include "ctl/stretch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "crash/crash_util.h"
#include "from_environment.h"

namespace rnullfs {
namespace {

using testing::ElementsAre;
using testing::Pair;

constexpr uint64_t kSector = 512;

LostRequest Request(uint64_t sequence, uint64_t sector = 0, uint64_t sectors = 8) {
  return {
      .sequence = sequence, .op = "write", .sector = sector, .sectors = sectors, .lost_sectors = 0};
}

StateInfo All(std::vector<LostRequest> requests, uint64_t unit_bytes = 4096) {
  return {.moment = 0,
          .unit_bytes = unit_bytes,
          .states_log2 = 0,
          .forgotten = false,
          .identity = {},
          .requests = std::move(requests),
          .written = {}};
}

std::vector<std::string> NamesOf(const StateInfo& all) {
  std::vector<std::string> names;
  for (const Trial& trial : NamedTrials(all)) names.push_back(trial.name);
  return names;
}

// --- Names ---------------------------------------------------------------------------------------

TEST(NamedTrials, ComeByKind) {
  EXPECT_THAT(NamesOf(All({})), ElementsAre("all"));
  EXPECT_THAT(
      NamesOf(All({Request(4), Request(7)})),
      ElementsAre("all", "before-4", "before-7", "without-4", "without-7", "only-4", "only-7"));
  for (const Trial& trial : NamedTrials(All({Request(4, 8, 64)}))) {
    EXPECT_EQ(trial.tier, trial.name.substr(0, trial.name.find('-')));
    EXPECT_THAT(trial.units, ElementsAre());
  }
}

std::vector<std::string> TearsOf(uint64_t sector, uint64_t sectors, uint64_t unit_bytes = 4096) {
  std::vector<std::string> names = NamesOf(All({Request(9, sector, sectors)}, unit_bytes));
  names.erase(names.begin(), names.begin() + 4);
  return names;
}

// After the first unit, before the last, and in the middle; in sectors of the request.
TEST(NamedTrials, TearAtTheEdgesOfUnits) {
  EXPECT_THAT(TearsOf(8, 8), ElementsAre()) << "one unit";
  EXPECT_THAT(TearsOf(8, 16), ElementsAre("torn-9-8"));
  EXPECT_THAT(TearsOf(8, 24), ElementsAre("torn-9-8", "torn-9-16"));
  EXPECT_THAT(TearsOf(8, 80), ElementsAre("torn-9-8", "torn-9-40", "torn-9-72"));
  EXPECT_THAT(TearsOf(0, 4, 512), ElementsAre("torn-9-1", "torn-9-2", "torn-9-3"));
  EXPECT_THAT(TearsOf(0, 1, 512), ElementsAre());
  // It begins and ends within a unit.
  EXPECT_THAT(TearsOf(9, 7), ElementsAre());
  EXPECT_THAT(TearsOf(10, 4), ElementsAre());
  EXPECT_THAT(TearsOf(15, 2), ElementsAre("torn-9-1"));
  EXPECT_THAT(TearsOf(15, 10), ElementsAre("torn-9-1", "torn-9-9"));
}

// As the mount has it: a cut of random requests, and what of it may be asked for.
TEST(NamedTrials, AreStatesThatThereAre) {
  std::mt19937_64 random(FromEnvironment("RNULLFS_TEST_SEED", 1));
  for (uint64_t i = 0; i < Repetitions(100); ++i) {
    LoggedDisk disk(/*pages=*/16);
    for (uint64_t left = 1 + random() % 6; left > 0; --left) {
      const uint64_t sector = random() % 120;
      const uint64_t sectors = 1 + random() % (random() % 2 == 0 ? 8 : 128 - sector);
      const uint64_t count = std::min(sectors, 128 - sector);
      const std::string bytes(count * kSector, static_cast<char>('a' + left));
      disk.AskToWrite(sector * kSector, bytes).Answer();
      if (random() % 4 == 0) disk.FlushNow();
    }
    const uint32_t unit_bytes = uint32_t{512} << random() % 4;
    const auto cut = disk.CutNow(unit_bytes);
    ASSERT_NE(cut, nullptr);
    StateInfo all = All({}, unit_bytes);
    for (const LogEntry& each : cut->requests()) {
      all.requests.push_back(Request(each.number, each.offset / kSector, each.length / kSector));
    }
    for (const std::string& name : NamesOf(all)) {
      const auto choice = CrashChoice::Parse(name);
      ASSERT_TRUE(choice.has_value()) << name;
      EXPECT_TRUE(choice->Fits(*cut)) << name << " in units of " << unit_bytes;
    }
  }
}

// --- The search ----------------------------------------------------------------------------------

std::vector<UncertainUnit> Units(uint64_t count) {
  std::vector<UncertainUnit> units;
  for (uint64_t unit = 0; unit < count; ++unit) {
    units.push_back({.unit = unit, .versions = {1, 9}, .newest = 1});
  }
  return units;
}

// A program that reads the first `reads` units, and takes 10 each time.
class StretchTest : public testing::Test {
 protected:
  static constexpr int64_t kTook = 10;

  Verdict Judge(const Trial& trial, bool failed = false) const {
    Verdict verdict = {.failed = failed};
    for (uint64_t unit = 0; unit < reads_; ++unit) {
      const auto chosen = trial.units.find(unit);
      verdict.consulted.push_back({unit, trial.name == "all"           ? 1
                                         : chosen == trial.units.end() ? 0
                                                                       : chosen->second});
    }
    return verdict;
  }
  // The names of what is judged until there is no more; a state by its units has none.
  std::vector<std::string> RunAll(Stretch& stretch) const {
    std::vector<std::string> names;
    while (const std::optional<Trial> trial = stretch.Next()) {
      EXPECT_FALSE(stretch.done());
      names.push_back(trial->name);
      stretch.Add(*trial, Judge(*trial), kTook);
    }
    EXPECT_TRUE(stretch.done());
    return names;
  }

  uint64_t reads_ = 2;
};

TEST_F(StretchTest, ByWhatIsReadItComesToItsEnd) {
  Stretch stretch(81734, Units(2), All({Request(4)}), "/tmp/acked");
  EXPECT_EQ(stretch.cut(), 81734U);
  EXPECT_EQ(stretch.promises(), "/tmp/acked");
  EXPECT_FALSE(stretch.covers_all());
  stretch.Allow(1000);
  EXPECT_THAT(RunAll(stretch), ElementsAre("", "", "", ""));
  EXPECT_TRUE(stretch.covers_all());
  EXPECT_EQ(stretch.share(), 1);
  EXPECT_EQ(stretch.runs(), 4U);
  EXPECT_EQ(stretch.failed(), 0U);
  EXPECT_FALSE(stretch.failure().has_value());
  EXPECT_THAT(stretch.tiers(), ElementsAre());
}

TEST_F(StretchTest, WithoutUncertainUnitsOneRunIsAll) {
  Stretch stretch(5, {}, All({}), "/dev/null");
  stretch.Allow(1000);
  EXPECT_THAT(RunAll(stretch), ElementsAre(""));
  EXPECT_TRUE(stretch.covers_all());
}

TEST_F(StretchTest, WhereThatTakesTooLongItGoesOnByName) {
  reads_ = 10;
  Stretch stretch(5, Units(10), All({Request(4)}), "/dev/null");
  stretch.Allow(100);
  EXPECT_THAT(RunAll(stretch),
              ElementsAre("", "", "", "", "", "", "all", "before-4", "without-4", "only-4"))
      << "the first of them was none";
  EXPECT_FALSE(stretch.covers_all());
  EXPECT_THAT(stretch.tiers(),
              ElementsAre(Pair("all", 1), Pair("before", 1), Pair("only", 1), Pair("without", 1)));
  EXPECT_EQ(stretch.runs(), 10U);
  EXPECT_EQ(stretch.Next(), std::nullopt) << "until it is allowed more";
  // First by what is read again; then where it was among the names, and by chance.
  stretch.Allow(100);
  EXPECT_FALSE(stretch.done());
  EXPECT_THAT(RunAll(stretch), ElementsAre("", "", "", "", "", "", "1", "2", "3", "4"));
  EXPECT_EQ(stretch.tiers().at("seeds"), 4U);
  stretch.Allow(50);
  EXPECT_THAT(RunAll(stretch), ElementsAre("", "", "", "5", "6"));
  EXPECT_GT(stretch.share(), 0);
  EXPECT_LT(stretch.share(), 1);
}

TEST_F(StretchTest, NoneAndAllWhateverItTakes) {
  Stretch stretch(5, Units(10), All({Request(4)}), "/dev/null");
  stretch.Allow(0);
  EXPECT_THAT(RunAll(stretch), ElementsAre("", "all")) << "none is the first by what is read";
  stretch.Allow(0);
  EXPECT_THAT(RunAll(stretch), ElementsAre());
}

TEST_F(StretchTest, ItIsNotDoneWhileOneIsUnderWay) {
  Stretch stretch(5, Units(2), All({}), "/dev/null");
  stretch.Allow(1000);
  const Trial first = *stretch.Next();
  EXPECT_EQ(stretch.Next(), std::nullopt);
  EXPECT_FALSE(stretch.done());
  stretch.Add(first, Judge(first), kTook);
  EXPECT_EQ(RunAll(stretch).size(), 3U);
}

TEST_F(StretchTest, NorWhileOneByNameIs) {
  Stretch stretch(5, Units(10), All({}), "/dev/null");
  stretch.Allow(0);
  const Trial none = *stretch.Next();
  const Trial all = *stretch.Next();
  EXPECT_EQ(stretch.Next(), std::nullopt);
  EXPECT_FALSE(stretch.done());
  stretch.Add(all, Judge(all), kTook);
  EXPECT_EQ(stretch.Next(), std::nullopt);
  EXPECT_FALSE(stretch.done());
  stretch.Add(none, Judge(none), kTook);
  EXPECT_EQ(stretch.Next(), std::nullopt);
  EXPECT_TRUE(stretch.done());
}

// One by what is read that ends last is the last of all: no names are needed.
TEST_F(StretchTest, NamesEndWhenAllHaveBeenJudged) {
  reads_ = 0;
  Stretch stretch(5, Units(3), All({Request(4)}), "/dev/null");
  stretch.Allow(10);
  const Trial trial = *stretch.Next();
  stretch.Add(trial, Judge(trial), 1000);
  EXPECT_EQ(stretch.Next(), std::nullopt);
  EXPECT_TRUE(stretch.done());
  EXPECT_TRUE(stretch.covers_all());
}

TEST_F(StretchTest, WhatWouldHaveBeenReadCountsAsRead) {
  reads_ = 0;
  Stretch stretch(5, Units(2), All({}), "/dev/null");
  stretch.Allow(1000);
  const Trial trial = *stretch.Next();
  Verdict verdict = Judge(trial);
  verdict.touched = {1, 77};
  stretch.Add(trial, verdict, kTook);
  EXPECT_FALSE(stretch.covers_all());
  EXPECT_EQ(stretch.share(), 0.5);
  EXPECT_THAT(stretch.Next()->units, ElementsAre(Pair(1, 1)));
}

// --- What has failed -----------------------------------------------------------------------------

TEST_F(StretchTest, KeepsTheFirstFailure) {
  Stretch stretch(5, Units(3), All({}), "/dev/null");
  stretch.Allow(1000);
  const Trial first = *stretch.Next();
  stretch.Add(first, Judge(first), kTook);
  const Trial second = *stretch.Next();
  ASSERT_THAT(second.units, ElementsAre(Pair(0, 1)));
  Verdict verdict = {.failed = true, .what = "check: exit status 4", .output = "it is broken\n"};
  verdict.consulted = {{1, 0}, {0, 1}};
  stretch.Add(second, verdict, kTook);
  const Trial third = *stretch.Next();
  stretch.Add(third, Judge(third, /*failed=*/true), kTook);
  EXPECT_EQ(stretch.failed(), 2U);
  ASSERT_TRUE(stretch.failure().has_value());
  EXPECT_THAT(stretch.failure()->units, ElementsAre(Pair(0, 1), Pair(1, 0)));
  EXPECT_EQ(stretch.failure()->what, "check: exit status 4");
  EXPECT_EQ(stretch.failure()->output, "it is broken\n");
}

TEST_F(StretchTest, AFailureByNameHasTheUnitsThatWereRead) {
  Stretch stretch(5, Units(3), All({}), "/dev/null");
  stretch.Allow(0);
  const Trial none = *stretch.Next();
  stretch.Add(none, Judge(none), kTook);
  const Trial all = *stretch.Next();
  stretch.Add(all, Judge(all, /*failed=*/true), kTook);
  EXPECT_THAT(stretch.failure()->units, ElementsAre(Pair(0, 1), Pair(1, 1)));
  EXPECT_THAT(stretch.tiers(), ElementsAre(Pair("all", 1)));
}

TEST_F(StretchTest, AFailureOfAnImageThatWasJudgedHasWhatItWouldHaveRead) {
  Stretch stretch(5, Units(3), All({}), "/dev/null");
  stretch.Allow(1000);
  const Trial first = *stretch.Next();
  stretch.Add(first,
              {
                  .failed = true,
                  .consulted = {{2, 0}},
                  .touched = {1},
              },
              kTook);
  EXPECT_THAT(stretch.failure()->units, ElementsAre(Pair(1, 0), Pair(2, 0)));
}

TEST_F(StretchTest, WhatHasGoneIsDone) {
  Stretch stretch(5, Units(3), All({}), "/dev/null");
  stretch.Allow(1000);
  EXPECT_TRUE(stretch.may_go_on());
  stretch.GiveUp();
  EXPECT_TRUE(stretch.done());
  EXPECT_FALSE(stretch.may_go_on());
  EXPECT_FALSE(stretch.covers_all());
  EXPECT_EQ(stretch.Next(), std::nullopt);
}

}  // namespace
}  // namespace rnullfs
