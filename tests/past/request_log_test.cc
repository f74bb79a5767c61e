// The log of requests: what its lines say, how far back it goes, and what another process finds.

#include "past/request_log.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "past_util.h"

namespace rnullfs {
namespace {

using Kind = LogEntry::Kind;

constexpr uint64_t kLinesPerPage = 64;
constexpr uint64_t kLinesMin = 4096;
constexpr uint64_t kSomeHistory = kMiB;  // of which a quarter is as many lines
constexpr uint64_t kFixed = 3 * kPage;   // header, records and their links

// The log alone, in a file of its own.
class RequestLogTest : public testing::Test {
 protected:
  RequestLogTest() { log_->SetHistory(kSomeHistory); }

  uint64_t Count(const LogEntry& what = {.kind = Kind::kWrite}, CountedRequest* request = nullptr) {
    const CountedRequest::Scope scope(request);
    const uint64_t number = ++file_->header().sequence;
    log_->Add(number, what);
    return number;
  }
  uint64_t Flush(CountedRequest* request = nullptr) {
    return Count({.kind = Kind::kFlush}, request);
  }
  void CountTo(uint64_t number) {
    while (log_->last() < number) Count();
  }
  LogEntry At(uint64_t number) {
    const std::optional<LogEntry> entry = log_->At(number);
    EXPECT_TRUE(entry) << "no line " << number;
    return entry.value_or(LogEntry());
  }
  void ExpectWhole(uint64_t first) {
    EXPECT_EQ(log_->first(), first);
    for (uint64_t number = first; number <= log_->last(); ++number) {
      ASSERT_EQ(At(number).number, number);
      ASSERT_GT(At(number).answered, number);
    }
  }
  void BeKilled(uint64_t history_bytes = kSomeHistory) {
    UniqueFd memfd(dup(file_->fd()));
    log_.reset();
    file_.reset();
    file_ = *VersionFile::Adopt(memory_, MemfdKeeper::None(), std::move(memfd));
    log_ = std::make_unique<RequestLog>(*file_);
    log_->Adopt(history_bytes);
  }

  MemoryLimit memory_;
  std::unique_ptr<VersionFile> file_ = *VersionFile::Create("past", memory_, MemfdKeeper::None());
  std::unique_ptr<RequestLog> log_ = std::make_unique<RequestLog>(*file_);
};

// --- Lines -------------------------------------------------------------------------------------

TEST(LogOfAPast, HasALineForEachThatChangesIt) {
  DiskWithPast disk;
  disk.past().SetHistory(kMiB);
  Past& past = disk.past();
  uint64_t mark = 0;
  ASSERT_EQ(past.Write(100, 200, std::string(200, 'x').data()), 0);
  ASSERT_EQ(past.WriteThrough(kPage, kPage, Pages("y").data()), 0);
  ASSERT_EQ(past.Discard(512, 1024), 0);
  ASSERT_EQ(past.WriteZeroes(7, 9), 0);
  ASSERT_EQ(past.Allocate(0, kPage), 0);  // which changes nothing
  ASSERT_EQ(past.Flush(), 0);
  ASSERT_EQ(past.FlushFalsely(), 0);
  ASSERT_EQ(past.SetMark("here", 0, mark), 0);
  ASSERT_EQ(past.RollBack(mark), 0);
  ASSERT_EQ(past.LoseUnflushed({}), 0);
  const LogEntry expected[] = {
      {.kind = Kind::kWrite, .offset = 100, .length = 200},
      {.kind = Kind::kWrite, .flags = LogEntry::kFua, .offset = kPage, .length = kPage},
      {.kind = Kind::kDiscard, .offset = 512, .length = 1024},
      {.kind = Kind::kWriteZeroes, .offset = 7, .length = 9},
      {.kind = Kind::kFlush},
      {.kind = Kind::kFlush, .flags = LogEntry::kLost},
      {.kind = Kind::kMark},
      {.kind = Kind::kRollback},
      {.kind = Kind::kPowerCut}};
  uint64_t number = 0;
  for (const LogEntry& line : expected) {
    SCOPED_TRACE(++number);
    const std::optional<LogEntry> entry = past.log().At(number);
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->number, number);
    EXPECT_EQ(entry->kind, line.kind);
    EXPECT_EQ(entry->flags, line.flags);
    EXPECT_EQ(entry->answered, number + 1) << "nobody waits for it";
    EXPECT_EQ(entry->error, 0);
    if (!line.changes_range()) continue;
    EXPECT_EQ(entry->offset, line.offset);
    EXPECT_EQ(entry->length, line.length);
  }
  EXPECT_EQ(past.log().first(), 1);
  EXPECT_EQ(past.log().last(), number) << "no more than these";
  EXPECT_EQ(mark, 7);
  EXPECT_FALSE(past.log().At(number + 1));
}

TEST(LogOfAPast, HasALineForEachPieceOfAChange) {
  constexpr uint64_t kPiece = 64 * kMiB;
  DiskWithPast disk(3 * kPiece / kPage);
  disk.past().SetHistory(kMiB);
  CountedRequest request(5);
  {
    const CountedRequest::Scope scope(&request);
    ASSERT_EQ(disk.past().Discard(kPiece - 10, kPiece + 30), 0);
  }
  EXPECT_EQ(request.first(), 1);
  EXPECT_EQ(request.last(), 3);
  const RequestLog& log = disk.past().log();
  const std::pair<uint64_t, uint64_t> pieces[] = {
      {kPiece - 10, 10}, {kPiece, kPiece}, {2 * kPiece, 20}};
  for (uint64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(log.At(i + 1)->offset, pieces[i].first);
    EXPECT_EQ(log.At(i + 1)->length, pieces[i].second);
    EXPECT_EQ(log.At(i + 1)->answered, 0);
  }
  disk.past().log().End(request, 0, 5);
  for (uint64_t i = 1; i <= 3; ++i) EXPECT_EQ(log.At(i)->answered, 4) << i;
}

// --- Answers -----------------------------------------------------------------------------------

TEST_F(RequestLogTest, SaysWhenAndHowARequestWasAnswered) {
  CountedRequest request(1'000'000);
  const uint64_t number = Count({.kind = Kind::kWrite}, &request);
  EXPECT_EQ(At(number).answered, 0);
  EXPECT_EQ(At(number).began_nsec, 1'000'000);
  Count();
  Count();
  log_->End(request, EIO, 1'000'000 + 2'345'678);
  EXPECT_EQ(At(number).answered, number + 3) << "1 + the newest";
  EXPECT_EQ(At(number).usec, 2345);
  EXPECT_EQ(At(number).error, EIO);
  EXPECT_EQ(At(number).kind, Kind::kWrite);
  log_->End(request, ENOSPC, 9'000'000'000);
  EXPECT_EQ(At(number).error, EIO) << "once";
}

TEST_F(RequestLogTest, OneOfPiecesIsAnsweredAsAWholeAndNothingElseIs) {
  CountedRequest request(1);
  CountedRequest other(2);
  const uint64_t first = Count({.kind = Kind::kWrite}, &request);
  const uint64_t between = Count({.kind = Kind::kWrite}, &other);
  const uint64_t last = Count({.kind = Kind::kWrite}, &request);
  log_->End(request, 0, 1);
  EXPECT_EQ(At(first).answered, last + 1);
  EXPECT_EQ(At(last).answered, last + 1);
  EXPECT_EQ(At(between).answered, 0);
}

// A request may be answered when the disk has another history, whose numbers begin anew.
TEST_F(RequestLogTest, OneOfAnotherHistoryEndsNothing) {
  CountedRequest before(1);
  before.Add(1);
  CountedRequest request(2);
  ASSERT_EQ(Count({.kind = Kind::kWrite}, &request), 1);
  log_->End(before, EIO, 5);
  EXPECT_EQ(At(1).answered, 0);
  EXPECT_EQ(At(1).error, 0);
}

TEST_F(RequestLogTest, WhatIsTakenBackHasFoundNoMemory) {
  CountedRequest request(1);
  const uint64_t number = Count({.kind = Kind::kWrite}, &request);
  log_->TakeBack(number);
  const uint64_t again = Count({.kind = Kind::kWrite}, &request);
  log_->End(request, 0, 1);
  EXPECT_EQ(At(number).error, ENOSPC);
  EXPECT_EQ(At(again).error, 0);
  EXPECT_EQ(At(again).answered, again + 1);
}

TEST_F(RequestLogTest, AFlushKnowsWhatHadBeenAnsweredBeforeIt) {
  CountedRequest slow(1);
  Count();
  const uint64_t write = Count({.kind = Kind::kWrite}, &slow);
  Count();
  EXPECT_EQ(At(Flush()).unanswered, write);
  log_->End(slow, 0, 2);
  const uint64_t second = Flush();
  EXPECT_EQ(At(second).unanswered, second) << "all";
  EXPECT_EQ(At(second - 1).unanswered, write) << "the first stays what it was";
  Count();
  EXPECT_EQ(At(Flush()).unanswered, second + 2);
}

TEST_F(RequestLogTest, AFlushCoversWhatItsOwnRequestHasWritten) {
  CountedRequest slow(1);
  CountedRequest request(2);
  const uint64_t write = Count({.kind = Kind::kWrite}, &request);
  const uint64_t other = Count({.kind = Kind::kWrite}, &slow);
  const uint64_t flush = Flush(&request);
  EXPECT_EQ(At(write).answered, flush);
  EXPECT_EQ(At(flush).answered, 0);
  EXPECT_EQ(At(flush).unanswered, other);
  log_->End(request, 0, 3);
  EXPECT_EQ(At(write).answered, flush) << "as it was";
  EXPECT_EQ(At(flush).answered, flush + 1);
}

// --- How far back ------------------------------------------------------------------------------

TEST_F(RequestLogTest, GoesBackAsFarAsAQuarterOfTheHistoryHolds) {
  for (const uint64_t lines : {kLinesMin, 2 * kLinesMin, 5 * kLinesMin}) {
    SCOPED_TRACE(lines);
    log_->SetHistory(lines * 64 * 4);
    CountTo(log_->last() + lines + 10 * kLinesPerPage);
    const uint64_t first = log_->first();
    EXPECT_GT(first, log_->last() - lines - kLinesPerPage);
    EXPECT_LE(first, log_->last() - lines + 1);
    ExpectWhole(first);
    EXPECT_FALSE(log_->At(first - 1));
    const uint64_t bytes = file_->AllocatedBytes();
    EXPECT_LE(bytes, (lines / kLinesPerPage + 3) * kPage) << "and the memory goes, too";
    EXPECT_GE(bytes, lines / kLinesPerPage * kPage);
    EXPECT_EQ(memory_.used_bytes(), bytes);
  }
}

TEST_F(RequestLogTest, TheRingBeginsAnewAtItsEnd) {
  constexpr uint64_t kRing = VersionFile::Layout::kLogPages * kLinesPerPage;
  log_->SetHistory(0);
  file_->header().sequence = kRing - 100;
  log_->SetHistory(kSomeHistory);
  CountTo(kRing + 100);
  ExpectWhole(kRing - 99);
  BeKilled();
  ExpectWhole(kRing - 99);
  CountTo(kRing + 3 * kLinesMin);
  ExpectWhole(log_->first());
  EXPECT_LE(file_->AllocatedBytes(), (kLinesMin / kLinesPerPage + 3) * kPage);
}

TEST_F(RequestLogTest, NothingIsKeptWithoutHistory) {
  CountTo(1000);
  log_->SetHistory(0);
  EXPECT_FALSE(log_->on());
  EXPECT_GT(log_->first(), log_->last());
  CountTo(2000);
  EXPECT_FALSE(log_->At(1500));
  EXPECT_LE(file_->AllocatedBytes(), 2 * kPage) << "a header, and what one line may be in";
  for (const uint64_t before : {2000, 2001, 2063, 2064, 5000}) {
    SCOPED_TRACE(before);
    CountTo(before);
    log_->SetHistory(kSomeHistory);
    EXPECT_EQ(log_->first(), before + 1);
    EXPECT_FALSE(log_->At(before)) << "it begins behind what has been counted";
    Count();
    ExpectWhole(before + 1);
    log_->SetHistory(0);
  }
}

// --- Memory ------------------------------------------------------------------------------------

TEST_F(RequestLogTest, WhatThereIsNoMemoryForEndsIt) {
  CountTo(1000);
  memory_.SetLimit(kPage);
  CountTo(1100);
  EXPECT_EQ(log_->first(), 1101) << "what had no place, and all before it";
  EXPECT_EQ(file_->AllocatedBytes(), kPage) << "the header";
  memory_.SetLimit(16 * kPage);
  CountTo(1200);
  EXPECT_EQ(log_->first(), 1201) << "some is left to what needs it more";
  memory_.SetLimit(MemoryLimit::kNone);
  CountTo(1300);
  ExpectWhole(1201);
}

TEST_F(RequestLogTest, WhatItHasItGivesBack) {
  CountTo(1000);
  EXPECT_TRUE(log_->GiveBack());
  EXPECT_EQ(log_->first(), 1001);
  EXPECT_EQ(file_->AllocatedBytes(), kPage);
  EXPECT_FALSE(log_->GiveBack()) << "it has none any more";
  CountTo(1100);
  ExpectWhole(1001);
  CountTo(20 * kLinesPerPage - 1);  // the last line of a page
  EXPECT_TRUE(log_->GiveBack());
  EXPECT_EQ(file_->AllocatedBytes(), kPage);
  CountTo(2000);
  ExpectWhole(20 * kLinesPerPage);
}

// It takes what the disk will need, and lets go of it then.
TEST(LogOfAPast, IsInNobodysWay) {
  constexpr uint64_t kPages = 40;
  DiskWithPast disk(kPages, kFixed + kPages * kPage);
  disk.past().SetHistory(kMiB);
  for (int i = 0; i < 200; ++i) ASSERT_EQ(disk.past().Flush(), 0);
  ASSERT_TRUE(disk.past().log().At(1)) << "there is room";
  for (uint64_t page = 0; page < kPages; ++page) ASSERT_EQ(disk.Write(page, "x"), 0) << page;
  EXPECT_EQ(disk.Now(), std::string(kPages, 'x')) << "all that there is";
  for (int i = 0; i < 200; ++i) ASSERT_EQ(disk.past().Flush(), 0);
  ASSERT_EQ(disk.Write(0, std::string(kPages, 'y')), 0);
  EXPECT_GT(disk.past().log().first(), disk.past().log().last());
  ASSERT_EQ(disk.Discard(0, kPages), 0);
  const uint64_t before = disk.past().sequence();
  for (int i = 0; i < 200; ++i) ASSERT_EQ(disk.past().Flush(), 0);
  EXPECT_TRUE(disk.past().log().At(before + 200)) << "it has begun anew";
}

// What has no room has none, however often the log gives back what it has taken meanwhile.
TEST(LogOfAPast, AWriteWithoutRoomIsRefusedAllTheSame) {
  for (const uint64_t room : {1, 5, 16, 17, 18, 25, 39}) {
    SCOPED_TRACE(room);
    DiskWithPast disk(100, kFixed + (60 + room) * kPage);
    disk.past().SetHistory(kMiB);
    ASSERT_EQ(disk.Write(0, std::string(60, 'a')), 0);
    disk.past().Hold();
    EXPECT_EQ(disk.Write(0, std::string(60, 'b')), ENOSPC);
    EXPECT_EQ(disk.Discard(0, 60), ENOSPC);
    EXPECT_EQ(disk.Write(60, std::string(40, 'c')), ENOSPC);
  }
}

// --- What a process leaves -----------------------------------------------------------------------

TEST_F(RequestLogTest, AnotherProcessGoesOn) {
  CountTo(100);
  CountedRequest request(1);
  const uint64_t open = Count({.kind = Kind::kWrite, .offset = 512, .length = 1024}, &request);
  Count();
  BeKilled();
  ExpectWhole(1);
  EXPECT_EQ(At(open).answered, log_->last() + 3) << "when it has come again";
  EXPECT_EQ(At(open).kind, Kind::kWrite);
  EXPECT_EQ(At(open).length, 1024);
  CountTo(300);
  ExpectWhole(1);
  EXPECT_EQ(At(Flush()).unanswered, 301);
}

// Of a number that had been counted, and no more.
TEST_F(RequestLogTest, WhatItDiedInIsNothing) {
  for (const uint64_t counted : {10, 64, 127, 192, 500}) {
    SCOPED_TRACE(counted);
    CountTo(counted - 1);
    ++file_->header().sequence;
    BeKilled();
    ExpectWhole(1);
    EXPECT_EQ(At(counted).kind, Kind::kNothing);
    EXPECT_EQ(At(counted - 1).kind, Kind::kWrite);
    Count();
    ExpectWhole(1);
    EXPECT_EQ(At(counted + 1).kind, Kind::kWrite);
  }
  CountTo(2 * kLinesMin);
  EXPECT_LE(file_->AllocatedBytes(), (kLinesMin / kLinesPerPage + 3) * kPage);
}

TEST_F(RequestLogTest, WithoutMemoryForWhatItDiedInItBeginsAnew) {
  CountTo(2 * kLinesPerPage - 1);
  ++file_->header().sequence;
  memory_.SetLimit(memory_.used_bytes());
  BeKilled();
  EXPECT_EQ(log_->first(), 2 * kLinesPerPage + 1);
  memory_.SetLimit(MemoryLimit::kNone);
  CountTo(200);
  ExpectWhole(2 * kLinesPerPage + 1);
}

TEST_F(RequestLogTest, ThereIsNothingToFindWhereItWasOff) {
  BeKilled();  // before there was anything
  CountTo(10);
  ExpectWhole(1);
  BeKilled(0);
  EXPECT_FALSE(log_->on());
  EXPECT_GT(log_->first(), log_->last());
  CountTo(200);
  log_->SetHistory(kSomeHistory);
  CountTo(300);
  ExpectWhole(201);
}

}  // namespace
}  // namespace rnullfs
