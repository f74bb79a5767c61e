// The log of a disk as files: what is in them, and how they grow and end.  Whatever may be in the
// one for dm-log-writes is in log_stream_random_test.cc.

#include "past/log_stream.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "log_util.h"
#include "past/log_files.h"

namespace rnullfs {
namespace {

using Kind = LogEntry::Kind;

constexpr uint64_t kHistory = 64 * kMiB;
constexpr int64_t kSecond = 1'000'000'000;

class LogStreamTest : public testing::Test {
 protected:
  LogStreamTest() { past().SetHistory(kHistory); }
  Past& past() { return disk_.past(); }

  void Count(const LogEntry& what, CountedRequest& request) {
    const CountedRequest::Scope scope(&request);
    past().Count(what);
  }
  // Has a letter for each request: write and write through, discard, flush and lost flush, read,
  // write that is refused; a mark.  A capital one is not answered yet.
  void Do(std::string_view letters) {
    const std::string page = Pages("x");
    for (const char letter : letters) {
      CountedRequest request(++time_);
      const CountedRequest::Scope scope(&request);
      uint64_t number = 0;
      int error = 0;
      switch (letter | 0x20) {
        case 'w':
          error = past().Write(0, kPage, page.data());
          break;
        case 't':
          error = past().WriteThrough(0, kPage, page.data());
          break;
        case 'd':
          error = past().Discard(0, kPage);
          break;
        case 'f':
          error = past().Flush();
          break;
        case 'l':
          error = past().FlushFalsely();
          break;
        case 'r':
          past().Count({.kind = Kind::kRead, .length = kPage});
          break;
        case 'x':
          past().Count({.kind = Kind::kWrite, .flags = LogEntry::kRefused, .length = kPage});
          break;
        default:
          error = past().SetMark("m", 0, number);
      }
      ASSERT_EQ(error, 0);
      if ((letter & 0x20) != 0) {
        past().log().End(request, 0, time_);
      } else {
        waiting_.push_back(request);
      }
    }
  }
  void Answer() {
    for (const CountedRequest& request : waiting_) past().log().End(request, 0, ++time_);
    waiting_.clear();
  }
  // The same letters of the records that there are; t: with FUA.
  static std::string Records(View& view) {
    std::string letters;
    for (const WritesRecord& record : RecordsOf(view)) {
      letters += record.flags == WritesRecord::kFlush     ? 'f'
                 : record.flags == WritesRecord::kFua     ? 't'
                 : record.flags == WritesRecord::kDiscard ? 'd'
                 : record.flags == WritesRecord::kMark    ? 'm'
                                                          : 'w';
    }
    return letters;
  }
  std::unique_ptr<View> Writes(bool finds_fua = false) {
    return LogAsWrites(past(), {.finds_fua = finds_fua});
  }
  static std::string All(View& view) { return Read(view, 0, view.size_bytes()); }

  DiskWithPast disk_;
  int64_t time_ = 0;
  std::vector<CountedRequest> waiting_;
};

// --- For dm-log-writes ---------------------------------------------------------------------------

TEST_F(LogStreamTest, GrowsWhileItIsOpen) {
  const auto view = Writes();
  EXPECT_EQ(view->size_bytes(), 512) << "the head";
  EXPECT_EQ(Records(*view), "");
  Do("wtdfm");
  EXPECT_EQ(view->size_bytes(), 512 * 6 + 2 * kPage);
  EXPECT_EQ(Records(*view), "wtdfm");
  EXPECT_EQ(RecordsOf(*view).back().text, "m");
  std::string all = "wtdfm";
  for (int i = 0; i < 200; ++i, all += "wf") Do("wf");
  EXPECT_EQ(Records(*view), all);
  EXPECT_EQ(Records(*Writes()), all);
}

TEST_F(LogStreamTest, HasNothingOfWhatChangesNothing) {
  Do("wlrxf");
  EXPECT_EQ(Records(*Writes()), "wf");
}

TEST_F(LogStreamTest, ARollbackEndsItAndOneThatIsOpenedLaterBeginsBehind) {
  Do("wf");
  const auto before = Writes();
  ASSERT_EQ(past().RollBack(0), 0);
  Do("dmf");
  EXPECT_EQ(Records(*before), "wf");
  EXPECT_EQ(Records(*Writes()), "dmf");
  EXPECT_EQ(BeginOfWrites(past()), 3);
  const auto between = Writes();
  ASSERT_EQ(past().LoseUnflushed({}), 0);
  Do("w");
  EXPECT_EQ(Records(*before), "wf");
  EXPECT_EQ(Records(*between), "dmf");
  EXPECT_EQ(Records(*Writes()), "w");
  disk_.BeKilled(kHistory);
  EXPECT_EQ(Records(*Writes()), "w") << "also for another process";
}

TEST_F(LogStreamTest, IsStaleWhereTheLogHasForgotten) {
  past().SetHistory(1);
  Do("f");
  const auto view = Writes();
  EXPECT_EQ(Records(*view), "f");
  const uint64_t size = view->size_bytes();
  for (int i = 0; i < 5000; ++i) Do("f");
  EXPECT_EQ(TryRead(*view, 512, 512), ESTALE);
  EXPECT_EQ(TryRead(*view, size, 0), ESTALE) << "who waits at its end is told";
  EXPECT_EQ(Records(*Writes()).size(), past().log().last() - past().log().first() + 1);
}

TEST_F(LogStreamTest, IsStaleWhereTheHistoryHasForgottenWhatWasWritten) {
  past().SetHistory(4 * kPage);
  Do("wf");
  const auto view = Writes();
  EXPECT_EQ(Records(*view), "wf");
  for (int i = 0; i < 10; ++i) Do("w");
  ASSERT_GT(past().oldest(), 1);
  EXPECT_EQ(TryRead(*view, 1024, 1), ESTALE) << "data";
  EXPECT_EQ(TryRead(*view, 512, 512), 0) << "what it was is in the log still";
  EXPECT_EQ(Records(*Writes()), std::string(past().sequence() - past().oldest(), 'w'));
}

TEST_F(LogStreamTest, IsStaleWhenThereIsNoHistoryAnyMore) {
  Do("wf");
  const auto view = Writes();
  past().SetHistory(0);
  EXPECT_EQ(TryRead(*view, 512, 1), ESTALE);
  past().SetHistory(kHistory);
  EXPECT_EQ(TryRead(*view, 512, 1), ESTALE) << "another one is no help";
  EXPECT_EQ(Records(*Writes()), "");
}

TEST_F(LogStreamTest, AMarkWhoseProcessDiedHasNoName) {
  past().Count({.kind = Kind::kMark, .length = 3});
  const std::vector<WritesRecord> records = RecordsOf(*Writes());
  ASSERT_EQ(records.size(), 1);
  EXPECT_EQ(records[0].flags, WritesRecord::kMark);
  EXPECT_EQ(records[0].text, "");
}

// What waited for room was counted, and has changed nothing.
TEST(FullLogStream, DiscardsNothingThatWasTakenBack) {
  constexpr uint64_t kPages = 40;
  DiskWithPast disk(kPages, (3 + kPages + 30) * kPage);
  Past& past = disk.past();
  past.SetHistory(kHistory);
  int found = 0;
  for (uint64_t step = 0; step < 400; ++step) {
    ASSERT_EQ(disk.Write(1 + step % (kPages - 1), "a"), 0);
    for (int i = 0; i < 5; ++i) ASSERT_EQ(disk.Write(0, "b"), 0);
    ASSERT_EQ(disk.Discard(1 + step % (kPages - 1)), 0);
    const uint64_t begin = BeginOfWrites(past);
    std::string image = Read(*past.ViewAt(begin, past.size_bytes(), false), 0, past.size_bytes());
    const std::vector<WritesRecord> records = RecordsOf(*LogAsWrites(past, {}));
    ASSERT_EQ(records.size(), past.sequence() - begin);
    for (size_t i = 0; i < records.size(); ++i) {
      const uint64_t number = begin + 1 + i;
      const LogEntry entry = *past.log().At(number);
      records[i].Replay(image);
      if (entry.kind != Kind::kDiscard || (entry.flags & LogEntry::kTakenBack) == 0) continue;
      ++found;
      EXPECT_EQ(Letters(image), disk.At(number, false)) << number;
    }
  }
  EXPECT_GT(found, 0);
}

// --- FUA -----------------------------------------------------------------------------------------

struct FuaCase {
  const char* done;
  const char* plain;  // the records
  const char* found;  // and where FUA is looked for
};

TEST(LogStreamFua, IsALoneWriteThatAFlushFollows) {
  constexpr FuaCase kCases[] = {
      {"wf", "wf", "wf"},           // what was before is not known
      {"fwf", "fwf", "ft"},         //
      {"fwfwf", "fwfwf", "ftt"},    // one after the other
      {"fwff", "fwff", "ftf"},      // of two one is left out
      {"fwwf", "fwwf", "fwwf"},     // not alone
      {"fdwf", "fdwf", "fdwf"},     //
      {"fwdf", "fwdf", "fwdf"},     //
      {"fdf", "fdf", "fdf"},        // a discard has no FUA
      {"frwrf", "fwf", "ft"},       // reads are in nobody's way
      {"fRwf", "fwf", "ft"},        //
      {"fwmf", "fwmf", "fwmf"},     // a mark stands between
      {"flwf", "fwf", "fwf"},       // what a lost flush has left
      {"fwlf", "fwf", "fwf"},       //
      {"fxwf", "fwf", "fwf"},       //
      {"fWf", "fwf", "fwf"},        // not answered before the flush
      {"fWfwf", "fwfwf", "fwfwf"},  // nor what the flush before it should have covered
      {"ftwf", "ftwf", "ftt"},      // a write with FUA leaves nothing to be flushed
      {"ftf", "ftf", "ft"},         //
      {"fw", "fw", "f"},            // it may come yet
      {"fwr", "fw", "f"},           //
  };
  for (const FuaCase& each : kCases) {
    SCOPED_TRACE(each.done);
    struct Disk : LogStreamTest {
      void TestBody() override {}
      void Try(const FuaCase& what) {
        const auto plain = Writes();
        const auto found = Writes(/*finds_fua=*/true);
        for (const char letter : std::string_view(what.done)) {
          Do({&letter, 1});
          found->size_bytes();  // whoever looks earlier sees no other thing
        }
        EXPECT_EQ(Records(*plain), what.plain);
        EXPECT_EQ(Records(*found), what.found);
        Answer();
        EXPECT_EQ(Records(*found), what.found) << "also when all have been answered";
        EXPECT_EQ(Records(*Writes(true)), what.found);
      }
    };
    Disk().Try(each);
  }
}

// --- Text ----------------------------------------------------------------------------------------

TEST_F(LogStreamTest, ALineForEachRequest) {
  CountedRequest write(5 * kSecond);
  CountedRequest flush(6 * kSecond + 7);
  Count({.kind = Kind::kWrite, .flags = LogEntry::kFua, .offset = 4096, .length = 8192}, write);
  Count({.kind = Kind::kFlush, .flags = LogEntry::kLost}, flush);
  past().Count({.kind = Kind::kDiscard, .offset = 100, .length = 1000});
  Do("m");
  past().Count({.kind = Kind::kRollback});
  past().Count({.kind = Kind::kPowerCut});
  const auto view = LogAsText(past(), {.wall_nsec = 1000 * kSecond});
  const std::string rest =
      "2 1006.000000007 flush 0 0 L   0          -\n"
      "3 0.000000000 discard 0 3 -   0          0\n"
      "4 1000.000000001 mark 0 0 -   0          0 m\n"
      "5 0.000000000 rollback 0 0 -   0          0\n"
      "6 0.000000000 cut 0 0 -   0          0\n";
  EXPECT_EQ(All(*view), "1 1005.000000000 write 8 16 F   0          -\n" + rest);
  const uint64_t size = view->size_bytes();
  past().log().End(write, EREMOTEIO, 5000 * kSecond);
  EXPECT_EQ(All(*view), "1 1005.000000000 write 8 16 F 121 4294967295\n" + rest);
  EXPECT_EQ(view->size_bytes(), size) << "it is as long as it was";
}

TEST_F(LogStreamTest, ALineOutlivesItsMark) {
  Do("wmw");
  const auto view = LogAsText(past(), {});
  const std::string before = All(*view);
  for (uint64_t i = 0; i < Marks::kMarksMax; ++i) Do("m");
  ASSERT_EQ(past().marks().NameOf(2), "");
  const std::string mark = before.substr(before.find('\n') + 1, 37);
  EXPECT_EQ(Read(*view, before.size() - before.find('\n'), 1).size(), 1);
  std::string now = Read(*view, 0, before.size());
  EXPECT_NE(now, before);
  now[before.find(" m\n") + 1] = 'm';
  EXPECT_EQ(now, before) << "but for its name";
}

TEST_F(LogStreamTest, ForFio) {
  past().Count({.kind = Kind::kPowerCut});  // which has no time
  time_ = 2 * kSecond;
  Do("w");
  time_ += 1'500'000;
  Do("dtrm");
  CountedRequest zeros(time_ + 2'000'000);
  Count({.kind = Kind::kWriteZeroes, .offset = 512, .length = 1024}, zeros);
  Do("xf");
  const auto view = LogAsIolog(past(), {.disk = "my disk"});
  const std::string all =
      "fio version 3 iolog\n0 my_disk add\n0 my_disk open\n"
      "0 my_disk write 0 4096\n"
      "1500 my_disk trim 0 4096\n"
      "1500 my_disk write 0 4096\n1500 my_disk sync 0 0\n"
      "1500 my_disk read 0 4096\n"
      "3500 my_disk write 512 1024\n"
      "1500 my_disk sync 0 0\n1500 my_disk close\n";
  EXPECT_EQ(All(*view), all);
  Do("ww");
  EXPECT_EQ(All(*view), all) << "it goes as far as the log did";
}

TEST_F(LogStreamTest, ForFioThereMayBeNothing) {
  EXPECT_EQ(All(*LogAsIolog(past(), {})),
            "fio version 3 iolog\n0 disk add\n0 disk open\n0 disk close\n");
}

}  // namespace
}  // namespace rnullfs
