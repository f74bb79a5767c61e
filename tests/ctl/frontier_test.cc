// Which states are yet to be judged: against all states of small disks, with programs of all kinds.

#include "ctl/frontier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>
#include <random>
#include <unordered_map>
#include <utility>
#include <vector>

#include "checker.h"
#include "from_environment.h"

namespace rnullfs {
namespace {

using testing::ElementsAre;
using testing::Optional;
using testing::Pair;

using Versions = std::unordered_map<uint64_t, uint32_t>;

// How a search uses it, beyond what it must do.
struct Habits {
  size_t under_way = 1;   // runs at once
  bool shuffles = false;  // what has been read, and which run ends first
  bool adds = false;      // units that were not read, or had been assigned
};

// A search from its beginning to its end.
class Search {
 public:
  Search(const UncertainDisk& disk, const Checker& checker, Habits habits, uint64_t seed)
      : disk_(disk),
        checker_(checker),
        habits_(habits),
        random_(seed),
        frontier_(disk.Versions()) {}

  void Run() {
    while (!frontier_.ended()) {
      if (running_.size() < habits_.under_way && Begin()) continue;
      ASSERT_FALSE(running_.empty()) << "nothing waits, nothing runs, and it has not ended";
      End();
    }
    EXPECT_EQ(frontier_.Next(), std::nullopt);
    EXPECT_EQ(frontier_.share(), 1);
  }

  // Each state is stood for by one run, which found what the state itself would have shown.
  void ExpectThatAllHaveBeenJudged() const {
    const std::vector<DiskState> states = disk_.States();
    EXPECT_LE(runs_.size(), states.size());
    for (const DiskState& state : states) {
      std::vector<const Known*> found;
      for (const Known& run : runs_) {
        if (Agrees(run.units, state)) found.push_back(&run);
      }
      ASSERT_EQ(found.size(), 1U) << testing::PrintToString(state);
      EXPECT_EQ(found[0]->failed, checker_.Check(disk_, state).failed)
          << testing::PrintToString(state);
    }
  }
  size_t runs() const { return runs_.size(); }

 private:
  struct Known {
    Assignment units;  // that it was told of, or has read
    bool failed;
  };

  static bool Agrees(const Assignment& units, const DiskState& state) {
    return std::all_of(units.begin(), units.end(), [&](const auto& each) {
      return state[UncertainDisk::UnitAt(each.first)] == each.second;
    });
  }
  double ShareOf(const Assignment& units) const {
    double share = 1;
    for (const auto& [place, version] : units) {
      EXPECT_TRUE(UncertainDisk::IsUncertain(place, disk_.units())) << place;
      EXPECT_LT(version, disk_.versions(UncertainDisk::UnitAt(place)));
      share /= disk_.versions(UncertainDisk::UnitAt(place));
    }
    return share;
  }

  bool Begin() {
    const std::optional<Assignment> next = frontier_.Next();
    if (!next) return false;
    EXPECT_FALSE(frontier_.ended());
    const double share = ShareOf(*next);
    if (habits_.under_way == 1) {
      EXPECT_LE(share, last_share_ * (1 + 1e-9)) << "those that stand for the most come first";
      last_share_ = share;
    }
    running_.push_back(*next);
    return true;
  }

  void End() {
    if (habits_.shuffles) std::swap(running_[random_() % running_.size()], running_.back());
    const Assignment assignment = running_.back();
    running_.pop_back();
    const DiskState state = disk_.StateOf(assignment);
    auto [consulted, failed] = checker_.Check(disk_, state);
    if (habits_.adds) Extend(consulted, assignment);
    if (habits_.shuffles) std::shuffle(consulted.begin(), consulted.end(), random_);
    Known known = {assignment, failed};
    for (const uint64_t place : consulted) {
      if (!UncertainDisk::IsUncertain(place, disk_.units())) continue;
      known.units.emplace(place, state[UncertainDisk::UnitAt(place)]);
    }
    const double before = frontier_.share();
    frontier_.Done(assignment, consulted);
    judged_ += ShareOf(known.units);
    EXPECT_GT(frontier_.share(), before);
    EXPECT_LE(frontier_.share(), 1 + 1e-12);
    EXPECT_NEAR(frontier_.share(), judged_, 1e-9);
    runs_.push_back(std::move(known));
  }

  void Extend(std::vector<uint64_t>& consulted, const Assignment& assignment) {
    for (size_t i = 0; i < disk_.units(); ++i) {
      if (random_() % 8 == 0) consulted.push_back(UncertainDisk::PlaceOf(i));
    }
    for (const auto& [place, version] : assignment) {
      if (random_() % 2 == 0) consulted.push_back(place);
    }
    if (!consulted.empty()) consulted.push_back(consulted.front());
    consulted.push_back(UncertainDisk::PlaceOf(disk_.units()));
  }

  const UncertainDisk& disk_;
  const Checker& checker_;
  const Habits habits_;
  std::mt19937_64 random_;
  Frontier frontier_;
  std::vector<Assignment> running_;
  std::vector<Known> runs_;
  double last_share_ = 1;
  double judged_ = 0;
};

void ExpectAllJudged(Habits habits) {
  const uint64_t seed = FromEnvironment("RNULLFS_TEST_SEED", 1);
  std::mt19937_64 random(seed);
  for (uint64_t i = 0; i < Repetitions(200); ++i) {
    SCOPED_TRACE(testing::Message() << "checker " << i << " of seed " << seed);
    const UncertainDisk disk = UncertainDisk::Random(random);
    const Checker checker(random());
    Search search(disk, checker, habits, random());
    search.Run();
    search.ExpectThatAllHaveBeenJudged();
    if (testing::Test::HasFailure()) return;
  }
}

TEST(Frontier, EachStateIsStoodForByOneRun) { ExpectAllJudged({}); }

TEST(Frontier, InWhateverOrderUnitsAreRead) { ExpectAllJudged({.shuffles = true}); }

TEST(Frontier, WithSeveralRunsAtOnce) {
  for (const size_t runs : {2, 5, 64}) ExpectAllJudged({.under_way = runs});
}

TEST(Frontier, WithUnitsThatWereNotRead) { ExpectAllJudged({.adds = true}); }

TEST(Frontier, WithAllOfThat) {
  for (const size_t runs : {1, 3, 16}) {
    ExpectAllJudged({.under_way = runs, .shuffles = true, .adds = true});
  }
}

// --- By hand -------------------------------------------------------------------------------------

TEST(Frontier, ADiskOnWhichAllIsCertainTakesOneRun) {
  Frontier frontier(Versions{});
  EXPECT_FALSE(frontier.ended());
  EXPECT_EQ(frontier.share(), 0);
  const Assignment none = *frontier.Next();
  EXPECT_THAT(none, ElementsAre());
  EXPECT_EQ(frontier.Next(), std::nullopt);
  EXPECT_FALSE(frontier.ended()) << "it is under way";
  frontier.Done(none, std::vector<uint64_t>{4, 17});
  EXPECT_TRUE(frontier.ended());
  EXPECT_EQ(frontier.share(), 1);
}

TEST(Frontier, WhatIsNotReadNeedsNoSecondRun) {
  Frontier frontier(Versions{{1, 2}, {2, 4}, {3, 3}});
  frontier.Done(*frontier.Next(), {});
  EXPECT_TRUE(frontier.ended());
}

TEST(Frontier, TheOtherVersionsOfWhatWasReadAreLeft) {
  Frontier frontier(Versions{{1, 2}, {2, 3}});
  frontier.Done(*frontier.Next(), std::vector<uint64_t>{1, 2});
  EXPECT_DOUBLE_EQ(frontier.share(), 1.0 / 6);
  const std::optional<Assignment> half = frontier.Next();
  EXPECT_THAT(half, Optional(ElementsAre(Pair(1, 1))));
  std::vector<Assignment> rest = {*frontier.Next(), *frontier.Next()};
  std::sort(rest.begin(), rest.end());
  EXPECT_THAT(
      rest, ElementsAre(ElementsAre(Pair(1, 0), Pair(2, 1)), ElementsAre(Pair(1, 0), Pair(2, 2))));
  for (const Assignment& each : rest) frontier.Done(each, std::vector<uint64_t>{2, 1});
  EXPECT_DOUBLE_EQ(frontier.share(), 0.5);
  EXPECT_FALSE(frontier.ended());
  // It is told of the first, and reads the second no more.
  frontier.Done(*half, std::vector<uint64_t>{1});
  EXPECT_TRUE(frontier.ended());
}

// A run that ends late leaves more to be done.
TEST(Frontier, NothingWaitsButMoreMayCome) {
  Frontier frontier(Versions{{1, 2}});
  const Assignment first = *frontier.Next();
  EXPECT_EQ(frontier.Next(), std::nullopt);
  EXPECT_FALSE(frontier.ended());
  EXPECT_EQ(frontier.share(), 0);
  frontier.Done(first, std::vector<uint64_t>{1});
  EXPECT_EQ(frontier.share(), 0.5);
  EXPECT_THAT(frontier.Next(), Optional(ElementsAre(Pair(1, 1))));
}

// --- Large ones ----------------------------------------------------------------------------------

// A set is a place in what its run has read, not a map of its own.
TEST(Frontier, ARunMayReadManyUnits) {
  constexpr uint64_t kUnits = 20000;
  Versions versions;
  for (uint64_t unit = 0; unit < kUnits; ++unit) versions[unit] = 2;
  std::vector<uint64_t> all(kUnits);
  std::iota(all.begin(), all.end(), 0);
  Frontier frontier(versions);
  frontier.Done(*frontier.Next(), all);
  // Its number of states is none that a double has; still the largest part comes first.
  for (const size_t told : {1, 2, 2, 3, 3, 3, 3, 4}) {
    const std::optional<Assignment> next = frontier.Next();
    ASSERT_TRUE(next.has_value());
    ASSERT_EQ(next->size(), told);
    EXPECT_EQ(next->rbegin()->second, 1U);
    frontier.Done(*next, std::vector<uint64_t>(all.begin(), all.begin() + 8));
  }
  EXPECT_GE(frontier.share(), 0);
  EXPECT_LT(frontier.share(), 1);
}

}  // namespace
}  // namespace rnullfs
