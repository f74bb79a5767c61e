// A state as a disk: what is read, what is written to it alone, and what it remembers of that.

#include "crash/state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <iterator>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "crash_util.h"
#include "from_environment.h"

namespace rnullfs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr uint32_t kSector = 512;

// Four pages: "ab" durable in the first two, then the second and the third written.
class CrashStateTest : public testing::Test {
 protected:
  CrashStateTest() {
    disk_.WritePages(0, "ab");
    disk_.FlushNow();
    disk_.WritePages(1, "cd");
    cut_ = disk_.CutNow();
  }
  std::unique_ptr<CrashState> State(std::string_view name) { return disk_.State(cut_, name); }
  std::string LettersIn(CrashState& state) { return Letters(Read(state, 0, state.size_bytes())); }
  static int Put(CrashState& state, uint64_t offset, std::string_view bytes) {
    return state.Write(offset, bytes.size(), bytes.data());
  }
  static uint64_t IdentityOf(CrashState& state) {
    uint64_t identity = 0;
    EXPECT_EQ(state.Identify(identity), 0);
    return identity;
  }

  LoggedDisk disk_;
  std::shared_ptr<const CrashCut> cut_;
};

// --- Contents ------------------------------------------------------------------------------------

TEST_F(CrashStateTest, IsWhatHasBeenChosen) {
  EXPECT_EQ(LettersIn(*State("none")), "ab..");
  EXPECT_EQ(LettersIn(*State("all")), "acd.");
  EXPECT_EQ(State("all")->size_bytes(), 4 * kPage);
}

TEST_F(CrashStateTest, DoesNotSeeWhatComesLater) {
  const auto none = State("none");
  const auto all = State("all");
  disk_.WritePages(0, "xyzw");
  disk_.FlushNow();
  EXPECT_EQ(LettersIn(*none), "ab..");
  EXPECT_EQ(LettersIn(*all), "acd.");
  disk_.DiscardPages(0, 4);
  EXPECT_EQ(LettersIn(*none), "ab..");
  EXPECT_EQ(LettersIn(*all), "acd.");
}

TEST_F(CrashStateTest, WhatIsWrittenIsItsOwn) {
  const auto one = State("none");
  const auto other = State("none");
  ASSERT_EQ(Put(*one, 0, Pages("xyz")), 0);
  EXPECT_EQ(LettersIn(*one), "xyz.");
  EXPECT_EQ(LettersIn(*other), "ab..");
  EXPECT_EQ(LettersIn(*State("none")), "ab..");
  EXPECT_EQ(disk_.Now(), "acd.");
  EXPECT_EQ(disk_.past().sequence(), cut_->moment()) << "the disk has not been asked for anything";
}

TEST_F(CrashStateTest, APartOfAUnitLeavesTheRest) {
  const auto state = State("none");
  ASSERT_EQ(Put(*state, kPage - 1, "xyz"), 0);
  std::string wanted = Pages("ab..");
  wanted.replace(kPage - 1, 3, "xyz");
  EXPECT_TRUE(Read(*state, 0, 4 * kPage) == wanted);
  ASSERT_EQ(Put(*state, kPage + 5, "w"), 0);
  wanted[kPage + 5] = 'w';
  EXPECT_TRUE(Read(*state, 0, 4 * kPage) == wanted);
}

TEST_F(CrashStateTest, ZeroesAndDiscardsMakeZeros) {
  const auto state = State("all");
  ASSERT_EQ(state->WriteZeroes(0, kPage), 0);
  ASSERT_EQ(state->Discard(kPage + 1, kPage), 0);
  std::string wanted = Pages(".cd.");
  wanted.replace(kPage + 1, kPage, kPage, '\0');
  EXPECT_TRUE(Read(*state, 0, 4 * kPage) == wanted);
  ASSERT_EQ(state->Allocate(0, 4 * kPage), 0);
  ASSERT_EQ(state->Write(0, 0, ""), 0);
  ASSERT_EQ(state->Flush(), 0);
  EXPECT_TRUE(Read(*state, 0, 4 * kPage) == wanted);
}

// --- What has been consulted ---------------------------------------------------------------------

TEST_F(CrashStateTest, RemembersWhatItWasAskedInThatOrder) {
  const auto state = State("none");
  EXPECT_THAT(state->Consulted(), IsEmpty());
  Read(*state, 0, kPage);  // certain
  Read(*state, 3 * kPage, kPage);
  EXPECT_THAT(state->Consulted(), IsEmpty());
  Read(*state, 2 * kPage + 17, 1);
  EXPECT_THAT(state->Consulted(), ElementsAre(2));
  Read(*state, 0, 4 * kPage);
  EXPECT_THAT(state->Consulted(), ElementsAre(2, 1));
  EXPECT_THAT(State("none")->Consulted(), IsEmpty()) << "another one's are its own";
}

TEST_F(CrashStateTest, NotWhatWasOverwrittenBefore) {
  const auto state = State("none");
  ASSERT_EQ(Put(*state, kPage, Pages("x")), 0);
  ASSERT_EQ(state->Discard(2 * kPage, kPage), 0);
  EXPECT_EQ(LettersIn(*state), "ax..");
  EXPECT_THAT(state->Consulted(), IsEmpty());
}

TEST_F(CrashStateTest, ToWriteAPartIsToRead) {
  const auto state = State("none");
  ASSERT_EQ(Put(*state, kPage + 1, "x"), 0);
  EXPECT_THAT(state->Consulted(), ElementsAre(1));
  ASSERT_EQ(Put(*state, kPage, Pages("x")), 0);
  EXPECT_THAT(state->Consulted(), ElementsAre(1)) << "it has been asked";
}

TEST_F(CrashStateTest, ToLookForHolesIsNotToRead) {
  const auto state = State("none");
  state->NextData(0);
  state->NextHole(kPage);
  IdentityOf(*state);
  EXPECT_THAT(state->Consulted(), IsEmpty());
}

// --- Identity ------------------------------------------------------------------------------------

TEST_F(CrashStateTest, TheSameContentsAreTheSame) {
  const auto all = State("all");
  const auto other = State("none");
  EXPECT_NE(IdentityOf(*all), IdentityOf(*other));
  EXPECT_EQ(IdentityOf(*all), IdentityOf(*State("all")));
  // By writing, in whatever order, it becomes the other one.
  ASSERT_EQ(Put(*other, 2 * kPage, Pages("d")), 0);
  EXPECT_NE(IdentityOf(*all), IdentityOf(*other));
  ASSERT_EQ(Put(*other, kPage, Bytes("c", kPage / 2)), 0);
  ASSERT_EQ(Put(*other, kPage + kPage / 2, Bytes("c", kPage / 2)), 0);
  EXPECT_EQ(IdentityOf(*all), IdentityOf(*other));
  // Where all is certain, too; and back.
  ASSERT_EQ(Put(*other, 3 * kPage, "x"), 0);
  EXPECT_NE(IdentityOf(*all), IdentityOf(*other));
  ASSERT_EQ(other->Discard(3 * kPage, 1), 0);
  EXPECT_EQ(IdentityOf(*all), IdentityOf(*other));
}

TEST_F(CrashStateTest, TheSameContentsElsewhereAreOthers) {
  const auto one = State("none");
  const auto other = State("none");
  ASSERT_EQ(Put(*one, 2 * kPage, Pages("xy")), 0);
  ASSERT_EQ(Put(*other, 2 * kPage, Pages("yx")), 0);
  EXPECT_NE(IdentityOf(*one), IdentityOf(*other));
}

TEST_F(CrashStateTest, EachStateHasItsOwnIdentity) {
  std::set<uint64_t> identities;
  CrashChoice choice = {.kind = CrashChoice::Kind::kUnits};
  for (const uint32_t one : {0, 1}) {
    for (const uint32_t other : {0, 1}) {
      choice.units = {{1, one}, {2, other}};
      identities.insert(IdentityOf(*disk_.State(cut_, choice)));
    }
  }
  EXPECT_EQ(identities.size(), 4U);
}

// --- Memory --------------------------------------------------------------------------------------

TEST_F(CrashStateTest, TakesMemoryAndGivesItBack) {
  MemoryLimit memory(2 * kPage);
  {
    CrashState state(disk_.past(), cut_, *CrashChoice::Parse("none"), memory);
    EXPECT_EQ(memory.used_bytes(), 0U) << "what is not written takes none";
    ASSERT_EQ(Put(state, 0, Pages("x")), 0);
    EXPECT_EQ(memory.used_bytes(), kPage);
    EXPECT_EQ(Put(state, kPage, Pages("yz")), ENOSPC);
    EXPECT_EQ(LettersIn(state), "xy..") << "as far as there is memory";
    EXPECT_EQ(Put(state, 3 * kPage, "w"), ENOSPC);
    EXPECT_EQ(state.WriteZeroes(3 * kPage, kPage), 0) << "a hole takes none";
    EXPECT_EQ(state.WriteZeroes(2 * kPage + 1, kPage), ENOSPC) << "a part of one does";
    ASSERT_EQ(Put(state, 0, Pages("vw")), 0) << "what it has it can write to";
    EXPECT_EQ(LettersIn(state), "vw..");
    EXPECT_EQ(memory.used_bytes(), 2 * kPage);
  }
  EXPECT_EQ(memory.used_bytes(), 0U);
}

TEST_F(CrashStateTest, WhatCannotBeReadTakesNone) {
  MemoryLimit memory(2 * kPage);
  CrashState state(disk_.past(), cut_, *CrashChoice::Parse("none"), memory);
  disk_.past().SetHistory(0);
  disk_.WritePages(1, "z");
  EXPECT_EQ(Put(state, kPage, "x"), ESTALE);
  EXPECT_EQ(memory.used_bytes(), 0U);
}

// --- Against bytes -------------------------------------------------------------------------------

// Random states of random cuts that are read and written, with units of some size.
class CrashStateRandom : public testing::TestWithParam<uint32_t> {
 protected:
  static constexpr uint64_t kSize = 6 * kPage;

  CrashStateRandom()
      : seed_(FromEnvironment("RNULLFS_TEST_SEED", std::random_device()())), random_(seed_) {
    std::printf("RNULLFS_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed_));
  }

  uint64_t Below(uint64_t bound) { return random_() % bound; }

  void ChooseRange() {
    constexpr uint64_t kAlignments[] = {1, kSector, kPage};
    const uint64_t alignment = kAlignments[Below(std::size(kAlignments))];
    offset_ = Below(kSize / alignment) * alignment;
    length_ = std::min(kSize - offset_, Below(2 * kPage / alignment + 1) * alignment);
  }

  void MakeState() {
    for (int i = 0; i < 6; ++i) {
      ChooseRange();
      if (i == 3) disk_->FlushNow();
      if (Below(4) == 0) {
        disk_->AskToDiscard(offset_, length_).Answer();
      } else {
        disk_->AskToWrite(offset_, std::string(length_, static_cast<char>('a' + i))).Answer();
      }
    }
    const auto cut = disk_->CutNow(GetParam());
    const CrashChoice choice = {.kind = CrashChoice::Kind::kSeed, .number = random_()};
    bytes_ = disk_->BytesOf(cut, choice);
    state_ = disk_->State(cut, choice);
    consulted_.clear();
  }

  // What is asked of the state when a part of the range counts, or only that of units in part.
  void Ask(bool only_parts) {
    const uint64_t unit_bytes = GetParam();
    for (uint64_t at = offset_; at < offset_ + length_;) {
      const uint64_t index = at / unit_bytes;
      const uint64_t end = std::min(offset_ + length_, (index + 1) * unit_bytes);
      const bool whole = end - at == unit_bytes;
      const bool uncertain = state_->cut().FindUnit(index) != nullptr && !own_.contains(index);
      const bool asked = uncertain && !(only_parts && whole);
      const bool known = std::find(consulted_.begin(), consulted_.end(), index) != consulted_.end();
      if (asked && !known) consulted_.push_back(index);
      if (only_parts) own_.insert(index);
      at = end;
    }
  }

  void DoSomething() {
    ChooseRange();
    const uint64_t what = Below(5);
    if (what < 2) {
      ASSERT_TRUE(Read(*state_, offset_, length_) == bytes_.substr(offset_, length_));
      return Ask(/*only_parts=*/false);
    }
    const std::string data(length_, what == 2 ? '\0' : static_cast<char>('x' + Below(3)));
    ASSERT_EQ(what == 2 ? state_->WriteZeroes(offset_, length_)
                        : state_->Write(offset_, length_, data.data()),
              0);
    bytes_.replace(offset_, length_, data);
    Ask(/*only_parts=*/true);
  }

  // What is no data reads as zeros, and data and holes end where the other begins.
  void CheckHoles() {
    for (uint64_t at = Below(kSize); at < kSize;) {
      const uint64_t data = state_->NextData(at);
      ASSERT_GE(data, at);
      const std::string hole = bytes_.substr(at, data - at);
      ASSERT_TRUE(hole == std::string(hole.size(), '\0'));
      if (data == kSize) break;
      at = state_->NextHole(data);
      ASSERT_GT(at, data);
      ASSERT_TRUE(at == kSize || state_->NextData(at) > at);
    }
  }

  const uint64_t seed_;
  std::mt19937_64 random_;
  std::unique_ptr<LoggedDisk> disk_;
  std::unique_ptr<CrashState> state_;
  std::string bytes_;
  std::vector<uint64_t> consulted_;
  std::set<uint64_t> own_;
  uint64_t offset_ = 0;
  uint64_t length_ = 0;
};

TEST_P(CrashStateRandom, IsADiskOfBytes) {
  for (uint64_t round = 0; round < Repetitions(150); ++round) {
    state_.reset();
    disk_ = std::make_unique<LoggedDisk>(6);
    own_.clear();
    MakeState();
    for (int i = 0; i < 20; ++i) {
      ASSERT_NO_FATAL_FAILURE(DoSomething());
      ASSERT_NO_FATAL_FAILURE(CheckHoles());
      ASSERT_EQ(state_->Consulted(), consulted_);
    }
    ASSERT_TRUE(Read(*state_, 0, kSize) == bytes_);
  }
  state_.reset();
}

INSTANTIATE_TEST_SUITE_P(Units, CrashStateRandom, testing::Values(512, 2048, 4096));

// --- What a kernel reads ahead
// ---------------------------------------------------------------------

TEST_F(CrashStateTest, ReadingAheadIsRefusedOnce) {
  const auto state = State("all");
  EXPECT_FALSE(state->MayReadAhead(0, 4 * kPage)) << "nobody has asked for what is not certain";
  EXPECT_TRUE(state->MayReadAhead(0, 4 * kPage)) << "somebody needs all of it";
  EXPECT_THAT(state->Consulted(), IsEmpty());
}

TEST_F(CrashStateTest, APartOfWhatWasRefusedIsNot) {
  const auto state = State("all");
  EXPECT_FALSE(state->MayReadAhead(0, 4 * kPage));
  EXPECT_TRUE(state->MayReadAhead(2 * kPage, 2 * kPage)) << "as a folio of several pages is read";
}

TEST_F(CrashStateTest, WhatIsCertainIsReadAhead) {
  const auto state = State("all");
  EXPECT_TRUE(state->MayReadAhead(kPage, kPage)) << "a page that somebody needs";
  EXPECT_TRUE(state->MayReadAhead(3 * kPage, kPage));
  EXPECT_FALSE(state->MayReadAhead(2 * kPage, 2 * kPage));
  EXPECT_EQ(Put(*state, kPage, Pages("x")), 0);
  EXPECT_TRUE(state->MayReadAhead(0, 2 * kPage)) << "what has been written is its own";
}

TEST_F(CrashStateTest, WhatHasBeenReadIsReadAhead) {
  const auto state = State("all");
  Read(*state, kPage, 2 * kPage);
  EXPECT_TRUE(state->MayReadAhead(0, 4 * kPage));
}

}  // namespace
}  // namespace rnullfs
