// What may be lost at a cut, and what not: single cases by hand.

#include "crash/cut.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cmath>
#include <string>
#include <vector>

#include "crash_util.h"

namespace rnullfs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr uint32_t kSector = 512;

// Numbers of the requests that may be lost.
std::vector<uint64_t> MayBeLost(const CrashCut& cut) {
  std::vector<uint64_t> numbers;
  for (const LogEntry& request : cut.requests()) numbers.push_back(request.number);
  return numbers;
}

// --- What is durable -----------------------------------------------------------------------------

TEST(CutTest, WhatNoFlushHasCoveredMayBeLost) {
  LoggedDisk disk;
  disk.WritePages(0, "a");
  EXPECT_THAT(disk.StatesNow(), UnorderedElementsAre("....", "a..."));
}

TEST(CutTest, WhatAFlushHasCoveredIsThere) {
  LoggedDisk disk;
  disk.WritePages(0, "a");
  disk.FlushNow();
  EXPECT_THAT(disk.StatesNow(), UnorderedElementsAre("a..."));
  EXPECT_THAT(disk.CutNow()->requests(), IsEmpty());
  EXPECT_THAT(disk.CutNow()->units(), IsEmpty());
}

TEST(CutTest, AFlushDoesNotCoverWhatWasUnderWayWhenItCame) {
  LoggedDisk disk;
  Asked write = disk.AskToWrite(0, Pages("a"));
  Asked flush = disk.AskToFlush();
  write.Answer();
  flush.Answer();
  EXPECT_THAT(disk.StatesNow(), UnorderedElementsAre("....", "a..."));
  disk.FlushNow();  // the next one does
  EXPECT_THAT(disk.StatesNow(), UnorderedElementsAre("a..."));
}

TEST(CutTest, NorWhatIsNotAnsweredAtAll) {
  LoggedDisk disk;
  disk.AskToWrite(0, Pages("a"));  // not answered
  for (int i = 0; i < 3; ++i) disk.FlushNow();
  EXPECT_THAT(disk.StatesNow(), UnorderedElementsAre("....", "a..."));
}

TEST(CutTest, AFlushThatIsNotAnsweredCoversNothing) {
  LoggedDisk disk;
  disk.WritePages(0, "a");
  Asked flush = disk.AskToFlush();
  EXPECT_THAT(disk.StatesNow(), UnorderedElementsAre("....", "a..."));
  flush.Answer();
  EXPECT_THAT(disk.StatesNow(), UnorderedElementsAre("a..."));
}

TEST(CutTest, NorDoesOneThatFailsOrLies) {
  LoggedDisk disk;
  disk.WritePages(0, "a");
  disk.AskToFlush().Answer(EIO);
  EXPECT_THAT(disk.StatesNow(), UnorderedElementsAre("....", "a..."));
  disk.past().FlushFalsely();
  EXPECT_THAT(disk.StatesNow(), UnorderedElementsAre("....", "a..."));
}

TEST(CutTest, AWriteWithFuaIsDurableWhenItIsAnswered) {
  LoggedDisk disk;
  Asked write = disk.AskToWrite(0, Pages("a"), /*fua=*/true);
  EXPECT_THAT(disk.StatesNow(), UnorderedElementsAre("....", "a..."));
  write.Answer();
  EXPECT_THAT(disk.StatesNow(), UnorderedElementsAre("a..."));
  disk.AskToMark().Answer();
  EXPECT_THAT(disk.StatesNow(), UnorderedElementsAre("a..."));
}

TEST(CutTest, UnlessItFails) {
  LoggedDisk disk;
  disk.AskToWrite(0, Pages("a"), /*fua=*/true).Answer(EIO);
  EXPECT_THAT(disk.StatesNow(), UnorderedElementsAre("....", "a..."));
}

TEST(CutTest, FuaCoversNothingElse) {
  LoggedDisk disk;
  disk.WritePages(0, "a");
  disk.WritePages(1, "b", /*fua=*/true);
  EXPECT_THAT(disk.StatesNow(), UnorderedElementsAre(".b..", "ab.."));
}

TEST(CutTest, WhatIsDurableReplacesWhatCameBefore) {
  LoggedDisk disk;
  Asked slow = disk.AskToWrite(0, Pages("a"));
  disk.WritePages(0, "b", /*fua=*/true);
  EXPECT_THAT(disk.StatesNow(), UnorderedElementsAre("b..."));
  // The slow one might be lost, for all that it has changed nothing.
  EXPECT_THAT(MayBeLost(*disk.CutNow()), ElementsAre(slow.number()));
}

TEST(CutTest, TheNewestFlushCountsWhicheverIsAnsweredFirst) {
  LoggedDisk disk;
  disk.WritePages(0, "a");
  Asked first = disk.AskToFlush();
  disk.WritePages(1, "b");
  Asked second = disk.AskToFlush();
  second.Answer();
  EXPECT_THAT(disk.StatesNow(), UnorderedElementsAre("ab.."));
  first.Answer();
  EXPECT_THAT(disk.StatesNow(), UnorderedElementsAre("ab.."));
}

// --- Units ---------------------------------------------------------------------------------------

TEST(CutTest, AUnitMayHaveAnythingNewer) {
  LoggedDisk disk;
  disk.WritePages(0, "a");
  disk.FlushNow();
  disk.WritePages(0, "b");
  disk.WritePages(0, "c");
  EXPECT_THAT(disk.StatesNow(), UnorderedElementsAre("a...", "b...", "c..."));
  EXPECT_DOUBLE_EQ(disk.CutNow()->states_log2(), std::log2(3));
}

TEST(CutTest, UnitsAreLostOneWithoutTheOther) {
  LoggedDisk disk;
  disk.WritePages(0, "ab");
  disk.WritePages(1, "c");
  EXPECT_THAT(disk.StatesNow(),
              UnorderedElementsAre("....", "a...", ".b..", "ab..", ".c..", "ac.."));
}

TEST(CutTest, EqualContentsAreNoOtherVersion) {
  LoggedDisk disk;
  disk.WritePages(0, "a");
  disk.FlushNow();
  disk.WritePages(0, "a");
  EXPECT_THAT(disk.CutNow()->units(), IsEmpty());
  disk.WritePages(0, "b");
  disk.WritePages(0, "a");
  disk.WritePages(0, "b");
  const auto cut = disk.CutNow();
  ASSERT_EQ(cut->units().size(), 1U);
  EXPECT_EQ(cut->units()[0].versions.size(), 2U);
  EXPECT_EQ(cut->units()[0].newest(), 1U);
  EXPECT_THAT(disk.StatesNow(), UnorderedElementsAre("a...", "b..."));
}

TEST(CutTest, ADiscardIsAChangeLikeAnyOther) {
  LoggedDisk disk;
  disk.WritePages(0, "aa");
  disk.FlushNow();
  disk.DiscardPages(0, 1);
  disk.AskToZero(kPage, kPage).Answer();
  EXPECT_THAT(disk.StatesNow(), UnorderedElementsAre("aa..", "a...", ".a..", "...."));
}

TEST(CutTest, ADiscardOfNothingIsNone) {
  LoggedDisk disk;
  disk.DiscardPages(0, 4);
  EXPECT_THAT(disk.CutNow()->units(), IsEmpty());
}

// The second discard finds a hole already, and is yet what makes it durable.
TEST(CutTest, ADiscardThatIsDurableHasBeenDoneWhoeverDidItFirst) {
  LoggedDisk disk;
  disk.WritePages(0, "a");
  disk.FlushNow();
  disk.AskToDiscard(0, kPage);  // not answered
  disk.DiscardPages(0, 1);
  disk.FlushNow();
  EXPECT_THAT(disk.StatesNow(), UnorderedElementsAre("...."));
}

TEST(CutTest, AUnitOfASectorIsLostAlone) {
  LoggedDisk disk(1);
  disk.AskToWrite(2 * kSector, Bytes("ab", kSector)).Answer();
  EXPECT_THAT(disk.StatesNow(kSector),
              UnorderedElementsAre("........", "..a.....", "...b....", "..ab...."));
  EXPECT_THAT(disk.StatesNow(kPage), UnorderedElementsAre(".", "!"));
  EXPECT_EQ(disk.StatesNow(2 * kSector).size(), 2U);
}

// Who writes a part of a unit writes all of it, with what was there.
TEST(CutTest, APartOfAUnitTakesTheRestAlong) {
  LoggedDisk disk(1);
  disk.AskToWrite(0, Bytes("a", kSector)).Answer();
  disk.AskToWrite(kSector, Bytes("b", kSector), /*fua=*/true).Answer();
  EXPECT_THAT(disk.StatesNow(kPage), UnorderedElementsAre("!"));
  EXPECT_THAT(disk.StatesNow(kSector), UnorderedElementsAre(".b......", "ab......"));
}

TEST(CutTest, LessThanASectorIsAChangeOfItsUnit) {
  LoggedDisk disk(1);
  disk.AskToWrite(700, "x").Answer();
  const auto cut = disk.CutNow(kSector);
  ASSERT_EQ(cut->units().size(), 1U);
  EXPECT_EQ(cut->units()[0].index, 1U);
}

TEST(CutTest, ARequestOverManyUnitsMayLoseAnyOfThem) {
  LoggedDisk disk(12);
  disk.WritePages(1, "abcdefghij");
  EXPECT_EQ(disk.StatesNow().size(), 1024U);
  EXPECT_DOUBLE_EQ(disk.CutNow()->states_log2(), 10);
}

// --- Which cuts there are ------------------------------------------------------------------------

TEST(CutTest, AtAFlushAllThatItCoversMayBeLost) {
  LoggedDisk disk;
  disk.WritePages(0, "a");
  const uint64_t flush = disk.FlushNow();
  disk.WritePages(1, "b");
  EXPECT_THAT(disk.States(flush), UnorderedElementsAre("....", "a..."));
  EXPECT_EQ(disk.Cut(flush)->moment(), flush);
}

TEST(CutTest, AtAFlushWhatWasSentBeforeItsAnswerMayBeThere) {
  LoggedDisk disk;
  disk.WritePages(0, "a");
  Asked flush = disk.AskToFlush();
  const uint64_t late = disk.WritePages(1, "b");
  flush.Answer();
  disk.WritePages(2, "c");
  EXPECT_THAT(disk.States(flush.number()), UnorderedElementsAre("....", "a...", ".b..", "ab.."));
  EXPECT_EQ(disk.Cut(flush.number())->moment(), late);
}

TEST(CutTest, AtAFlushThatIsNotAnsweredItIsNow) {
  LoggedDisk disk;
  disk.WritePages(0, "a");
  Asked first = disk.AskToFlush();
  disk.WritePages(1, "b");
  EXPECT_EQ(disk.States(first.number()), disk.StatesNow());
  disk.FlushNow();
  EXPECT_THAT(disk.States(first.number()), UnorderedElementsAre("ab.."));
}

TEST(CutTest, AFlushKnowsOfOneThatWasAnsweredEarlier) {
  LoggedDisk disk;
  disk.WritePages(0, "a");
  Asked first = disk.AskToFlush();
  disk.WritePages(1, "b");
  Asked second = disk.AskToFlush();
  disk.WritePages(2, "c");
  second.Answer();
  disk.WritePages(3, "d");
  first.Answer();
  EXPECT_THAT(disk.States(second.number()),
              UnorderedElementsAre("....", "a...", ".b..", "ab..", "..c.", "a.c.", ".bc.", "abc."));
  EXPECT_THAT(disk.States(first.number()), UnorderedElementsAre("ab..", "abc.", "ab.d", "abcd"));
}

// Two answers between the same two numbers: in the order of the numbers.
TEST(CutTest, AFlushKnowsOfTheFuaThatWasAnsweredJustBefore) {
  LoggedDisk disk;
  Asked write = disk.AskToWrite(0, Pages("a"), /*fua=*/true);
  Asked flush = disk.AskToFlush();
  write.Answer();
  flush.Answer();
  EXPECT_THAT(disk.States(flush.number()), UnorderedElementsAre("a..."));
}

TEST(CutTest, AtAWriteItMayBeThere) {
  LoggedDisk disk;
  disk.WritePages(0, "a");
  disk.FlushNow();
  const uint64_t write = disk.WritePages(1, "b", /*fua=*/true);
  disk.WritePages(2, "c");
  EXPECT_THAT(disk.States(write), UnorderedElementsAre("a...", "ab.."));
  EXPECT_EQ(disk.Cut(write)->moment(), write);
}

TEST(CutTest, AtAMarkItIsThatMoment) {
  LoggedDisk disk;
  disk.WritePages(0, "a", /*fua=*/true);
  disk.WritePages(1, "b");
  const uint64_t mark = disk.AskToMark().Answer();
  disk.FlushNow();
  EXPECT_THAT(disk.States(mark), UnorderedElementsAre("a...", "ab.."));
}

TEST(CutTest, NowIsOneMoreThanTheLast) {
  LoggedDisk disk;
  const uint64_t write = disk.WritePages(0, "a");
  EXPECT_NE(disk.Cut(write + 1), nullptr);
  EXPECT_EQ(disk.Cut(write + 2), nullptr);
  EXPECT_EQ(disk.cut_error(), ESTALE);
  EXPECT_EQ(disk.Cut(0), nullptr);
}

// --- What makes all durable ----------------------------------------------------------------------

TEST(CutTest, WhatCameBeforeARollbackIsDurable) {
  LoggedDisk disk;
  disk.WritePages(0, "a");
  const uint64_t moment = disk.past().sequence();
  disk.WritePages(0, "bc");
  ASSERT_EQ(disk.past().RollBack(moment), 0);
  const uint64_t rollback = disk.past().sequence();
  EXPECT_THAT(disk.StatesNow(), UnorderedElementsAre("a..."));
  EXPECT_THAT(disk.States(rollback), UnorderedElementsAre("a..."));
  disk.WritePages(1, "d");
  EXPECT_THAT(disk.StatesNow(), UnorderedElementsAre("a...", "ad.."));
  // Earlier cuts are as they were.
  EXPECT_THAT(disk.States(moment), UnorderedElementsAre("....", "a..."));
}

TEST(CutTest, SoIsWhatAPowerCutHasLeft) {
  LoggedDisk disk;
  disk.WritePages(0, "a", /*fua=*/true);
  const uint64_t write = disk.WritePages(0, "b");
  ASSERT_EQ(disk.past().LoseUnflushed({.keeps = CutKeeps::kNone}), 0);
  EXPECT_THAT(disk.StatesNow(), UnorderedElementsAre("a..."));
  EXPECT_THAT(disk.States(write), UnorderedElementsAre("a...", "b..."));
  disk.WritePages(0, "c");
  EXPECT_THAT(disk.StatesNow(), UnorderedElementsAre("a...", "c..."));
}

TEST(CutTest, WhatADiskHadWhenItWasSwitchedOffIsDurable) {
  LoggedDisk disk;
  disk.WritePages(0, "a");
  disk.past().Settle();
  EXPECT_THAT(disk.StatesNow(), UnorderedElementsAre("a..."));
  Asked write = disk.AskToWrite(kPage, Pages("b"));
  disk.FlushNow();
  write.Answer();
  disk.past().Settle();
  EXPECT_THAT(disk.StatesNow(), UnorderedElementsAre("ab.."));
  const uint64_t last = disk.past().sequence();
  disk.past().Settle();
  EXPECT_EQ(disk.past().sequence(), last) << "nothing was left";
}

// What it had not answered comes again, as another number.
TEST(CutTest, AnotherProcessKnowsWhatMayBeLost) {
  LoggedDisk disk;
  disk.WritePages(0, "a");
  disk.FlushNow();
  disk.WritePages(1, "b");
  disk.AskToWrite(2 * kPage, Pages("c"));  // not answered
  disk.BeKilled(kMiB);
  EXPECT_EQ(disk.StatesNow().size(), 4U);
  disk.WritePages(2, "c");
  EXPECT_THAT(disk.StatesNow(), UnorderedElementsAre("a...", "ab..", "a.c.", "abc."));
  disk.FlushNow();
  EXPECT_THAT(disk.StatesNow(), UnorderedElementsAre("abc."));
}

// --- The history ends ----------------------------------------------------------------------------

TEST(CutTest, WhatTheHistoryHasForgottenIsNoCut) {
  LoggedDisk disk(4, /*history_bytes=*/4 * kPage);
  const uint64_t first = disk.WritePages(0, "a");
  disk.FlushNow();
  EXPECT_NE(disk.Cut(first), nullptr);
  for (int i = 0; i < 8; ++i) disk.WritePages(0, i % 2 == 0 ? "b" : "c");
  EXPECT_EQ(disk.Cut(first), nullptr);
  EXPECT_EQ(disk.cut_error(), ESTALE);
  EXPECT_NE(disk.CutNow(), nullptr);
}

TEST(CutTest, AStateThatTheHistoryForgetsIsStale) {
  LoggedDisk disk(4, /*history_bytes=*/4 * kPage);
  disk.WritePages(0, "a");
  const auto state = disk.State(disk.CutNow(), "none");
  EXPECT_EQ(Letters(Read(*state, 0, kPage)), ".");
  for (int i = 0; i < 8; ++i) disk.WritePages(0, i % 2 == 0 ? "b" : "c");
  const auto nothing = [](absl::Span<const iovec>) {};
  EXPECT_EQ(state->Read(0, kPage, nothing), ESTALE);
  EXPECT_EQ(state->Read(kPage, kPage, nothing), ESTALE);
  EXPECT_EQ(state->Read(0, 0, nothing), ESTALE);
}

TEST(CutTest, WithoutHistoryThereIsNone) {
  LoggedDisk disk;
  const uint64_t write = disk.WritePages(0, "a");
  disk.past().SetHistory(0);
  EXPECT_EQ(disk.Cut(write), nullptr);
  EXPECT_EQ(disk.cut_error(), ESTALE);
}

}  // namespace
}  // namespace rnullfs
