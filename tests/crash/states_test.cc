// The states that somebody looks at: how they come, how long they stay, and who may have them.

#include "crash/states.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "crash_util.h"
#include "tree/refused.h"

namespace rnullfs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class TestClock final : public Clock {
 public:
  int64_t NowNsec() const override { return now_nsec; }
  int64_t now_nsec = int64_t{1} << 40;
};

// One durable page, two that may be lost.
class CrashStatesTest : public testing::Test {
 protected:
  CrashStatesTest() {
    disk_.WritePages(0, "a");
    disk_.FlushNow();
    first_ = disk_.WritePages(0, "b");
    second_ = disk_.WritePages(1, "c");
    mark_ = disk_.AskToMark().Answer();
  }
  absl::StatusOr<CrashStates::Known> Find(std::string_view name) {
    return states_->Find(mark_, kPage, name);
  }
  uint32_t IdOf(std::string_view name) { return Find(name).value().id; }
  uint32_t Make(std::string_view name) { return states_->Make(mark_, kPage, name).value().id; }
  std::string LettersIn(CrashState& state) { return Letters(Read(state, 0, state.size_bytes())); }
  std::string LettersOf(uint32_t id) { return LettersIn(*states_->Open(id).value()); }
  std::vector<std::string> List() const {
    std::vector<std::string> names;
    for (const CrashStates::Known& known : states_->Made(mark_)) names.push_back(known.name);
    return names;
  }
  void Wait(int64_t nsec) { clock_.now_nsec += nsec; }
  // As anybody's asking for another one does.
  void LetIdleOnesGo() { EXPECT_THAT(Find(absl::StrCat(++seed_)).status(), IsOk()); }

  LoggedDisk disk_;
  TestClock clock_;
  MemoryLimit memory_;
  std::unique_ptr<CrashStates> states_ =
      std::make_unique<CrashStates>(disk_.past(), memory_, clock_);
  uint64_t first_ = 0;
  uint64_t second_ = 0;
  uint64_t mark_ = 0;
  uint64_t seed_ = 0;
};

// --- Those with a name that describes them
// --------------------------------------------------------

TEST_F(CrashStatesTest, ANameIsAState) {
  EXPECT_EQ(LettersOf(IdOf("none")), "a...");
  EXPECT_EQ(LettersOf(IdOf("all")), "bc..");
  EXPECT_EQ(LettersOf(IdOf(absl::StrCat("only-", second_))), "ac..");
  EXPECT_EQ(LettersOf(IdOf(absl::StrCat("without-", second_))), "b...");
  EXPECT_EQ(LettersOf(IdOf(absl::StrCat("before-", second_))), "b...");
  EXPECT_EQ(IdOf("all"), IdOf("all")) << "it is the same as long as it is there";
  const CrashStates::Known known = Find("all").value();
  EXPECT_EQ(known.cut, mark_);
  EXPECT_EQ(known.unit_bytes, kPage);
  EXPECT_EQ(known.name, "all");
  EXPECT_FALSE(known.made);
  EXPECT_EQ(states_->Get(known.id).value().name, "all");
}

TEST_F(CrashStatesTest, OtherNamesAreNone) {
  for (const char* name :
       {"", "None", "all ", "-1", "007", "18446744073709551616", "before", "before-", "before-x",
        "before-0", "only-1-1", "torn-4", "torn-4-0", "torn-4-1", "torn--1", "-", "none-1"}) {
    EXPECT_THAT(Find(name), Refused(ENOENT)) << name;
  }
  // A request that cannot be lost, and one that is no change.
  EXPECT_THAT(Find("without-1"), Refused(ENOENT));
  EXPECT_THAT(Find(absl::StrCat("without-", mark_)), Refused(ENOENT));
  EXPECT_THAT(List(), ElementsAre()) << "nor do they stay";
}

TEST_F(CrashStatesTest, ASeedIsAnyNumber) {
  for (const char* name : {"0", "1", "4711", "18446744073709551615"}) {
    EXPECT_THAT(Find(name).status(), IsOk()) << name;
  }
  std::set<std::string> seen;
  for (int seed = 0; seed < 64; ++seed) seen.insert(LettersOf(IdOf(absl::StrCat(seed))));
  EXPECT_THAT(seen, testing::UnorderedElementsAre("a...", "b...", "ac..", "bc.."));
}

TEST_F(CrashStatesTest, ACutThatIsNotThereHasNone) {
  const auto refused = states_->Find(mark_ + 2, kPage, "before-1");
  EXPECT_THAT(refused, Refused(ESTALE));
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr(absl::StrCat(mark_ + 2)));
  EXPECT_THAT(states_->Open(states_->Find(mark_ + 2, kPage, "all").value().id), Refused(ESTALE));
  EXPECT_THAT(states_->CutAt(0, kPage), Refused(ESTALE));
  EXPECT_THAT(states_->Make(mark_ + 2, kPage, "mine"), Refused(ESTALE));
}

TEST_F(CrashStatesTest, OtherUnitsAreOtherStates) {
  const uint32_t before = IdOf("none");
  const auto open = states_->Open(before).value();
  const CrashStates::Known after = states_->Find(mark_, 512, "none").value();
  EXPECT_NE(after.id, before);
  EXPECT_EQ(after.unit_bytes, 512U);
  EXPECT_EQ(states_->Look(after.id).value()->cut().unit_bytes(), 512U);
  EXPECT_EQ(open->cut().unit_bytes(), kPage) << "who has the one before keeps it";
  // When that goes, the other one stays.
  Wait(CrashStates::kIdleNsec);
  EXPECT_EQ(states_->Find(mark_, 512, "none").value().id, after.id);
}

// --- How long they stay --------------------------------------------------------------------------

TEST_F(CrashStatesTest, IdleOnesGo) {
  const uint32_t none = IdOf("none");
  Wait(CrashStates::kIdleNsec);
  LetIdleOnesGo();
  EXPECT_THAT(states_->Get(none).status(), IsOk()) << "not yet; and now it has been used";
  Wait(CrashStates::kIdleNsec + 1);
  LetIdleOnesGo();
  EXPECT_THAT(states_->Get(none), Refused(ENOENT));
  EXPECT_THAT(states_->Open(none), Refused(ENOENT));
  EXPECT_THAT(states_->Look(none), Refused(ENOENT));
  const uint32_t again = IdOf("none");
  EXPECT_GT(again, none) << "numbers are not used again";
}

TEST_F(CrashStatesTest, OnesThatAreUsedStay) {
  const uint32_t found = IdOf("none");
  const uint32_t looked_at = IdOf("all");
  const uint32_t had = IdOf("4711");
  auto open = states_->Open(had).value();
  for (int i = 0; i < 4; ++i) {
    Wait(CrashStates::kIdleNsec);
    EXPECT_THAT(Find("none").status(), IsOk());
    EXPECT_THAT(states_->Look(looked_at).status(), IsOk());
    LetIdleOnesGo();
  }
  EXPECT_EQ(IdOf("none"), found);
  EXPECT_EQ(IdOf("all"), looked_at);
  EXPECT_EQ(IdOf("4711"), had);
  // From when it is closed.
  Wait(CrashStates::kIdleNsec + 1);
  open.reset();
  LetIdleOnesGo();
  EXPECT_THAT(states_->Get(had).status(), IsOk());
}

TEST_F(CrashStatesTest, WhatIsWrittenStaysAsLong) {
  const uint32_t id = IdOf("none");
  const std::string page = Pages("x");
  EXPECT_EQ(LettersOf(IdOf("all")).size(), 4U);  // the cut stays
  const uint64_t before = memory_.used_bytes();
  ASSERT_EQ(states_->Open(id).value()->Write(0, page.size(), page.data()), 0);
  EXPECT_EQ(LettersOf(id), "x...");
  EXPECT_EQ(LettersOf(IdOf("none")), "x...");
  EXPECT_GE(memory_.used_bytes(), before + kPage);
  Wait(CrashStates::kIdleNsec + 1);
  LetIdleOnesGo();
  EXPECT_LE(memory_.used_bytes(), before);
  EXPECT_EQ(LettersOf(IdOf("none")), "a...");
}

// --- Those that somebody makes -------------------------------------------------------------------

TEST_F(CrashStatesTest, WhatIsMadeStaysUntilItIsRemoved) {
  const uint32_t mine = Make("mine");
  EXPECT_TRUE(states_->Get(mine).value().made);
  Wait(100 * CrashStates::kIdleNsec);
  LetIdleOnesGo();
  EXPECT_EQ(IdOf("mine"), mine);
  EXPECT_EQ(LettersOf(mine), "bc..") << "nothing is lost of it";
  EXPECT_THAT(states_->Remove(mark_, "mine"), IsOk());
  EXPECT_THAT(Find("mine"), Refused(ENOENT));
  EXPECT_THAT(states_->Get(mine), Refused(ENOENT));
  EXPECT_THAT(states_->Remove(mark_, "mine"), Refused(ENOENT));
}

TEST_F(CrashStatesTest, ANameIsMadeOnce) {
  Make("mine");
  EXPECT_THAT(states_->Make(mark_, kPage, "mine"), Refused(EEXIST));
  for (const char* name : {"none", "all", "17", "before-1", "torn-1-1"}) {
    EXPECT_THAT(states_->Make(mark_, kPage, name), Refused(EEXIST)) << name;
  }
  // Another cut has others.
  EXPECT_THAT(states_->Make(second_, kPage, "mine").status(), IsOk());
  Make("a");
  EXPECT_THAT(List(), ElementsAre("a", "mine"));
}

TEST_F(CrashStatesTest, WhatIsMadeKeepsItsUnits) {
  const uint32_t mine = Make("mine");
  EXPECT_EQ(states_->Find(mark_, 512, "mine").value().id, mine);
  EXPECT_EQ(states_->Look(mine).value()->cut().unit_bytes(), kPage);
}

TEST_F(CrashStatesTest, AListDescribesIt) {
  using Kind = CrashChoice::Kind;
  const uint32_t mine = Make("mine");
  ASSERT_THAT(states_->Choose(mine, {.kind = Kind::kWithout, .requests = {first_}}), IsOk());
  EXPECT_EQ(LettersOf(mine), "ac..");
  ASSERT_THAT(states_->Choose(mine, {.kind = Kind::kWithout, .requests = {second_, first_}}),
              IsOk());
  EXPECT_EQ(LettersOf(mine), "a...");
  ASSERT_THAT(states_->Choose(mine, {.kind = Kind::kOnly, .requests = {first_}}), IsOk());
  EXPECT_EQ(LettersOf(mine), "b...");
  ASSERT_THAT(states_->Choose(mine, {.kind = Kind::kUnits, .units = {{1, 1}}}), IsOk());
  EXPECT_EQ(LettersOf(mine), "ac..");
  // Refused, it is what it was.
  const CrashChoice bad[] = {{.kind = Kind::kWithout, .requests = {first_, mark_}},
                             {.kind = Kind::kOnly, .requests = {1}},
                             {.kind = Kind::kUnits, .units = {{2, 0}}},
                             {.kind = Kind::kUnits, .units = {{0, 2}}}};
  for (const CrashChoice& choice : bad) {
    EXPECT_THAT(states_->Choose(mine, choice), Refused(EINVAL));
  }
  EXPECT_EQ(LettersOf(mine), "ac..");
  EXPECT_EQ(states_->Get(mine).value().choice->kind, Kind::kUnits);
}

TEST_F(CrashStatesTest, ANameDescribesItToo) {
  const uint32_t mine = Make("mine");
  ASSERT_THAT(states_->Choose(mine, *CrashChoice::Parse("none")), IsOk());
  EXPECT_EQ(LettersOf(mine), "a...");
  EXPECT_EQ(states_->Get(mine)->choice->name, "none");
  EXPECT_THAT(states_->Choose(mine, *CrashChoice::Parse("only-77777")), Refused(EINVAL));
}

TEST_F(CrashStatesTest, UnitsThatAreNotNamedAreDurableOrNewest) {
  const uint32_t mine = Make("mine");
  CrashChoice choice = {.kind = CrashChoice::Kind::kUnits, .units = {{1, 0}}};
  ASSERT_THAT(states_->Choose(mine, choice), IsOk());
  EXPECT_EQ(LettersOf(mine), "a...");
  choice.others_newest = true;
  ASSERT_THAT(states_->Choose(mine, choice), IsOk());
  EXPECT_EQ(LettersOf(mine), "b...");
}

// A kernel may have kept pages of the other one.
TEST_F(CrashStatesTest, KnowsWhetherItsFileHasBeenAnother) {
  const uint32_t mine = Make("mine");
  EXPECT_TRUE(states_->Look(mine).value()->is_first());
  ASSERT_THAT(states_->Choose(mine, *CrashChoice::Parse("none")), IsOk());
  EXPECT_TRUE(states_->Open(mine).value()->is_first()) << "nobody had it open";
  EXPECT_TRUE(states_->Open(mine).value()->is_first()) << "it is the same";
  ASSERT_THAT(states_->Choose(mine, *CrashChoice::Parse("all")), IsOk());
  EXPECT_FALSE(states_->Open(mine).value()->is_first());
  ASSERT_THAT(states_->Choose(mine, *CrashChoice::Parse("all")), IsOk());
  EXPECT_FALSE(states_->Open(mine).value()->is_first()) << "for good";
}

TEST_F(CrashStatesTest, CountsWhatIsMade) {
  EXPECT_EQ(states_->CountMade(mark_), 0U);
  Make("mine");
  Make("yours");
  IdOf("none");
  EXPECT_EQ(states_->CountMade(mark_), 2U);
  EXPECT_THAT(states_->Remove(mark_, "mine"), IsOk());
  EXPECT_EQ(states_->CountMade(mark_), 1U);
  EXPECT_EQ(states_->CountMade(mark_ - 1), 0U);
}

// Nobody could remove it: the cut has no directory any more.
TEST_F(CrashStatesTest, WhatIsMadeGoesWithItsCut) {
  const uint32_t mine = Make("mine");
  Wait(2 * CrashStates::kSweepNsec);
  LetIdleOnesGo();
  EXPECT_THAT(states_->Get(mine).status(), IsOk());
  for (int i = 0; i < 600; ++i) disk_.WritePages(0, "x");  // more than the history has room for
  Wait(2 * CrashStates::kSweepNsec);
  EXPECT_THAT(states_->Find(mark_ + 100, kPage, "none").status(), IsOk());
  EXPECT_THAT(states_->Get(mine).status(), Refused(ENOENT));
}

TEST_F(CrashStatesTest, WhatWasWrittenGoesWithAnotherList) {
  const uint32_t mine = Make("mine");
  const std::string page = Pages("x");
  ASSERT_EQ(states_->Open(mine).value()->Write(0, page.size(), page.data()), 0);
  EXPECT_EQ(LettersOf(mine), "xc..");
  ASSERT_THAT(states_->Choose(mine, {.kind = CrashChoice::Kind::kOnly}), IsOk());
  EXPECT_EQ(LettersOf(mine), "a...");
  EXPECT_LT(memory_.used_bytes(), kPage);
}

TEST_F(CrashStatesTest, WhatIsOpenIsBusy) {
  const uint32_t mine = Make("mine");
  auto one = states_->Open(mine).value();
  auto other = states_->Open(mine).value();
  EXPECT_EQ(one.get(), other.get()) << "they see what the other writes";
  EXPECT_THAT(states_->Remove(mark_, "mine"), Refused(EBUSY));
  EXPECT_THAT(states_->Choose(mine, {.kind = CrashChoice::Kind::kOnly}), Refused(EBUSY));
  one.reset();
  EXPECT_THAT(states_->Remove(mark_, "mine"), Refused(EBUSY));
  const auto looked_at = states_->Look(mine).value();
  other.reset();
  EXPECT_THAT(states_->Remove(mark_, "mine"), IsOk()) << "who only looks is in nobody's way";
  EXPECT_EQ(looked_at->picks().size(), 2U);
}

// --- Bounds --------------------------------------------------------------------------------------

TEST_F(CrashStatesTest, ThereAreSoManyAtMost) {
  const uint32_t mine = Make("mine");
  for (size_t i = 1; i < CrashStates::kStatesMax; ++i) {
    ASSERT_THAT(states_->Make(mark_, kPage, absl::StrCat("x", i)).status(), IsOk()) << i;
  }
  const auto refused = Find("none");
  EXPECT_THAT(refused, Refused(ENOSPC));
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("at most 65536 states"));
  EXPECT_THAT(states_->Make(mark_, kPage, "more"), Refused(ENOSPC));
  EXPECT_EQ(IdOf("mine"), mine);
  EXPECT_THAT(states_->Remove(mark_, "x1"), IsOk());
  EXPECT_THAT(Find("none").status(), IsOk());
}

TEST_F(CrashStatesTest, ItEndsWithItsPast) {
  const uint32_t none = IdOf("none");
  const auto looked_at = states_->Look(none).value();
  states_->End();
  EXPECT_THAT(Find("none"), Refused(ESTALE));
  EXPECT_THAT(states_->Make(mark_, kPage, "mine"), Refused(ESTALE));
  EXPECT_THAT(states_->CutAt(mark_, kPage), Refused(ESTALE));
  EXPECT_THAT(states_->Open(none), Refused(ENOENT));
  uint64_t identity = 0;
  EXPECT_EQ(states_->Identify(none, identity), ESTALE);
  EXPECT_EQ(looked_at->picks().size(), 2U);
}

// A cut that can still change is asked for anew.
TEST_F(CrashStatesTest, ACutOfNowKnowsWhatHasBeenAnsweredSince) {
  Asked write = disk_.AskToWrite(2 * kPage, Pages("d"), /*fua=*/true);
  const uint64_t now = disk_.past().sequence() + 1;
  EXPECT_EQ(states_->CutAt(now, kPage).value()->units().size(), 3U);
  write.Answer();
  EXPECT_EQ(states_->CutAt(now, kPage).value()->units().size(), 2U);
  Asked flush = disk_.AskToFlush();
  EXPECT_EQ(states_->CutAt(flush.number(), kPage).value()->moment(), flush.number());
  disk_.WritePages(3, "e");
  EXPECT_EQ(states_->CutAt(flush.number(), kPage).value()->units().size(), 3U);
  flush.Answer();
  EXPECT_EQ(states_->CutAt(mark_, kPage).value(), states_->CutAt(mark_, kPage).value());
}

}  // namespace
}  // namespace rnullfs
